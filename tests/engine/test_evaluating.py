import pytest
import torch
from torch import nn

from mmwsss.engine.evaluating import evaluating


def look_and_fail(model):
    with evaluating(model):
        assert not any(module.training for module in model.modules())
        torch.rand(5)
        raise OSError('no disk')


def test_modes_and_random_numbers_are_left_as_they_were():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2)).train()
    model[2].eval()  # frozen on its own
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with pytest.raises(OSError, match='no disk'):
        look_and_fail(model)
    assert [module.training for module in model.modules()] == [True, True, True, False]
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.recam import class_features, present_class_loss
from tests.oracles import recam as oracle

LABELS = torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]])


def test_class_features_are_those_of_the_loop():
    torch.manual_seed(0)
    cam, feature = torch.randn(2, 4, 5, 3), torch.randn(2, 6, 5, 3)
    cam[1, 2] = -1.0  # no positive value
    found = class_features(cam, feature)
    for one, a, f in zip(found, cam, feature):
        wanted = oracle.class_features_loop(a.numpy(), f.numpy())
        np.testing.assert_allclose(one.numpy(), wanted, atol=1e-5)
    assert found[1, 2].abs().max() == 0


def test_loss_is_that_of_the_loop():
    torch.manual_seed(0)
    logits = 3 * torch.randn(3, 4, 4)
    wanted = oracle.present_loss_loop(logits.numpy(), LABELS.numpy())
    assert present_class_loss(logits, LABELS).item() == pytest.approx(wanted, abs=1e-5)
    assert present_class_loss(logits[1:2], LABELS[1:2]).item() == 0
    assert present_class_loss(logits.to('meta'), LABELS.to('meta')).is_meta  # on any device


def test_gradients():
    torch.manual_seed(0)
    cam = torch.randn(3, 4, 3, 2, dtype=torch.float64, requires_grad=True)
    feature = torch.randn(3, 5, 3, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)

    def loss(cam, feature, weight):
        return present_class_loss(class_features(cam, feature) @ weight.T, LABELS.double())

    assert torch.autograd.gradcheck(loss, (cam, feature, weight))


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match='shapes must be cam_logits'):
        class_features(torch.zeros(1, 2, 3, 3), torch.zeros(1, 5, 3, 4))
    with pytest.raises(ValueError, match=r'shapes must be logits \(N, 4, 4\)'):
        present_class_loss(torch.zeros(3, 4, 5), LABELS)

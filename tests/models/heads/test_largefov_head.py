from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmwsss.models.heads.largefov_head import LargeFOVHead
from tests.oracles.segmentation_heads import largefov_logits


def pair(conv: torch.nn.Conv2d) -> tuple[np.ndarray, np.ndarray]:
    weight = conv.weight.detach().numpy()
    return (weight[:, :, 0, 0] if weight.shape[-1] == 1 else weight), conv.bias.detach().numpy()


@pytest.mark.parametrize('dilation', [12, 2])
def test_logits_equal_the_layers_written_out(dilation):
    torch.manual_seed(0)
    head = LargeFOVHead(3, num_classes=4, hidden_channels=5, channels=6, dilation=dilation).double()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    head.eval()
    features = torch.randn(1, 3, 13, 14, dtype=torch.float64)
    want = largefov_logits(
        features[0].numpy(), pair(head.fc6), pair(head.fc7), pair(head.conv_seg), dilation
    )
    np.testing.assert_allclose(head((features,))[0].detach().numpy(), want, rtol=0, atol=1e-10)


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    head = LargeFOVHead(3, num_classes=4, hidden_channels=16, channels=16, dilation=2)
    head.init_weights()
    sample = SegDataSample()
    sample.gt_sem_seg = PixelData(data=torch.randint(0, 4, (1, 16, 16)))
    head.loss((torch.randn(1, 3, 8, 8),), [sample], {})['loss_ce'].backward()
    names = set()
    for name, parameter in head.named_parameters():
        names.add(name)
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert names == {f'{m}.{k}' for m in ('fc6', 'fc7', 'conv_seg') for k in ('weight', 'bias')}


def test_default_widths_are_those_of_the_paper():
    head = LargeFOVHead(2, num_classes=21)
    assert head.fc6.weight.shape == (1024, 2, 3, 3)
    assert head.fc6.dilation == (12, 12)
    assert head.fc7.weight.shape == (1024, 1024, 1, 1)
    assert head.conv_seg.weight.shape == (21, 1024, 1, 1)


def test_initial_weights():
    torch.manual_seed(0)
    head = LargeFOVHead(64, num_classes=21, hidden_channels=128, channels=128)
    head.init_weights()
    assert head.conv_seg.weight.std().item() == pytest.approx(0.01, rel=0.05)
    # He et al., fan-out mode as mmengine's default: std = sqrt(2 / (out channels * kernel area))
    assert head.fc6.weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert head.fc7.weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    for conv in (head.fc6, head.fc7, head.conv_seg):
        assert torch.count_nonzero(conv.bias) == 0


def test_dropout_drops_single_elements_twice_in_training():
    torch.manual_seed(0)
    head = LargeFOVHead(1, num_classes=2, hidden_channels=1, channels=1, dilation=1)
    for conv in (head.fc6, head.fc7, head.conv_seg):
        torch.nn.init.ones_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    with torch.no_grad():
        head.fc6.weight.zero_()[..., 1, 1] = 1
    features = (torch.ones(1, 1, 100, 100),)
    values = head(features)[0, 0]
    # kept twice with chance 1/4 and then scaled by 2 * 2
    assert set(values.unique().tolist()) == {0.0, 4.0}
    assert (values == 4).float().mean().item() == pytest.approx(0.25, abs=0.02)
    head.eval()
    assert torch.all(head(features)[0, 0] == 1)


@pytest.mark.parametrize('name', ['hidden_channels', 'channels', 'dilation'])
@pytest.mark.parametrize('value', [0, -1])
def test_refuses_sizes_that_are_not_positive(name, value):
    with pytest.raises(ValueError, match=rf'{name} must lie in \[1, inf\), but got'):
        LargeFOVHead(2, num_classes=3, **{name: value})

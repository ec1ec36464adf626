from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import mmwsss  # noqa: F401
from mmwsss.models.fold_norm import fold_batch_norm

BACKBONES = [
    (dict(type='ResNet', depth=18), 0),
    (dict(type='ResNetV1c', depth=18, norm_cfg=dict(type='BN')), 0),
    (dict(type='MobileNetV2'), 0),
    (dict(type='EfficientNetLite', variant=0), 0),
    (dict(type='MixVisionTransformer', embed_dims=8, num_heads=[1, 2, 5, 8]), 0),
]


def with_statistics(network: nn.Module) -> nn.Module:
    """As after a training: batch norms that do something."""
    for norm in network.modules():
        if isinstance(norm, _BatchNorm):
            norm.running_mean.normal_(0, 0.2)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.2)
    return nn.Module.train(network, False)


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, _BatchNorm) for module in network.modules())


@pytest.mark.parametrize(
    ('cfg', 'left'), BACKBONES, ids=lambda value: getattr(value, 'get', str)('type')
)
def test_the_same_outputs_to_rounding(cfg, left):
    network = with_statistics(MODELS.build(cfg)).double()
    images, before = torch.randn(2, 3, 70, 97, dtype=torch.float64), norms(network)
    folded = fold_batch_norm(network)
    assert (norms(folded), norms(network)) == (left, before)
    assert folded is not network or not before
    with torch.no_grad():
        for a, b in zip(network(images), folded(images)):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12 * float(a.abs().max()))


class PreActivation(nn.Module):
    """Norms before convolutions, behind one, used twice, and beside one, which runs just before."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.before, self.between, self.twice, self.beside = (nn.BatchNorm2d(3) for _ in range(4))

    def forward(self, images):
        x = self.second(self.between(self.first(self.before(images).relu())).relu())
        x, beside = self.third(self.twice(x)), self.beside(images)
        return self.twice(x) + beside


def test_only_a_norm_right_behind_its_convolution_is_folded():
    network = with_statistics(PreActivation())
    folded = fold_batch_norm(network)
    assert isinstance(folded.between, nn.Identity)
    assert isinstance(folded.before, nn.BatchNorm2d)
    assert isinstance(folded.twice, nn.BatchNorm2d)
    assert isinstance(folded.beside, nn.BatchNorm2d)
    images = torch.randn(1, 3, 9, 9)
    torch.testing.assert_close(folded(images), network(images))


class Changed(nn.Module):
    """Its convolution's output is changed in place before the norm sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images):
        return self.norm(torch.relu_(self.conv(images)))


def test_what_would_change_the_outputs_is_left_alone():
    network = with_statistics(Changed())
    assert fold_batch_norm(network) is network
    four = with_statistics(nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)))
    assert fold_batch_norm(four) is four  # takes no RGB


def test_a_layer_that_somebody_listens_to_stays():
    network = with_statistics(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    heard = []
    network[0].register_forward_hook(lambda *_: heard.append(1))
    assert norms(fold_batch_norm(network)) == 1
    assert heard

from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS

import mmwsss.models.heads.deeplabv2_head
import mmwsss.models.heads.largefov_head  # noqa: F401

HEADS = {
    'DeepLabV2Head': dict(dilations=(1, 2)),
    'LargeFOVHead': dict(hidden_channels=4, channels=4, dilation=2),
}
TINY_RESNET = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4)
BACKBONES = {
    'ResNet': (TINY_RESNET, 32),
    'ResNet, one output': (dict(TINY_RESNET, out_indices=(3,)), 32),
    'MobileNetV2': (dict(type='MobileNetV2', widen_factor=0.1), 32),
    'MobileNetV2, one output': (dict(type='MobileNetV2', widen_factor=0.1, out_indices=(6,)), 32),
    'MiT': (
        dict(
            type='MixVisionTransformer',
            embed_dims=8,
            num_heads=[1, 1, 1, 1],
            num_layers=[1, 1, 1, 1],
        ),
        8,
    ),
}


def build_head(name: str, in_channels: int | list[int], **changes: object) -> torch.nn.Module:
    cfg = dict(type=name, in_channels=in_channels, num_classes=3, **HEADS[name])
    return MODELS.build(dict(cfg, **changes))


@pytest.mark.parametrize('backbone', BACKBONES)
@pytest.mark.parametrize('name', HEADS)
def test_works_on_backbones_of_mmseg(name, backbone):
    torch.manual_seed(0)
    cfg, channels = BACKBONES[backbone]
    encoder = MODELS.build(cfg)
    head = build_head(name, channels).eval()
    features = encoder(torch.randn(2, 3, 64, 96))
    last = features if isinstance(features, torch.Tensor) else features[-1]
    logits = head(features)
    assert logits.shape == (2, 3, *last.shape[2:])
    for n in range(2):
        torch.testing.assert_close(logits[n], head([last[n : n + 1]])[0])
    assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize('name', HEADS)
def test_concatenated_features_are_read(name):
    torch.manual_seed(0)
    several = build_head(name, [2, 3], in_index=[0, 1], input_transform='resize_concat').eval()
    single = build_head(name, 5).eval()
    single.load_state_dict(several.state_dict())
    large, small = torch.randn(1, 2, 8, 8), torch.ones(1, 3, 4, 4)
    together = torch.cat([large, torch.ones(1, 3, 8, 8)], dim=1)
    torch.testing.assert_close(several([large, small]), single([together]))


@pytest.mark.parametrize('name', HEADS)
def test_refuses_several_feature_maps(name):
    with pytest.raises(ValueError, match=r"input_transform must be one of .* 'multiple_select'"):
        build_head(name, [2, 2], in_index=[0, 1], input_transform='multiple_select')

"""Backbones that mmseg does not have, or not for images of any size."""

from mmwsss.models.backbones.efficientnet_lite import EfficientNetLite
from mmwsss.models.backbones.mit import AnySizeMixVisionTransformer
from mmwsss.models.backbones.vit import GridVisionTransformer
from mmwsss.models.backbones.wide_resnet38 import WideResNet38

__all__ = [
    'AnySizeMixVisionTransformer',
    'EfficientNetLite',
    'GridVisionTransformer',
    'WideResNet38',
]

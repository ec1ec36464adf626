"""MiT, SegFormer's encoder, for images that are smaller than its key reduction."""

from __future__ import annotations

import itertools
import operator

import torch.nn.functional as F
from mmseg.models.backbones import MixVisionTransformer
from mmseg.registry import MODELS
from torch import Tensor

__all__ = ['AnySizeMixVisionTransformer']


@MODELS.register_module()
class AnySizeMixVisionTransformer(MixVisionTransformer):
    """mmseg's ``MixVisionTransformer`` for class maps of images of any size.

    Its attention reduces keys by a convolution that fails on images with a side below 32 pixels. Such a
    side is enlarged (bilinear) to the smallest that every stage can take. All else is mmseg's.

    Attributes:
        min_side: That size in pixels: the maximum over stages of reduction times stride.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        strides = itertools.accumulate(self.strides, operator.mul)
        self.min_side = max(ratio * stride for ratio, stride in zip(self.sr_ratios, strides))

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Compute the outputs of the stages in ``out_indices`` for images (N, C, H, W)."""
        size = [max(side, self.min_side) for side in inputs.shape[2:]]
        if list(inputs.shape[2:]) != size:
            inputs = F.interpolate(inputs, size=size, mode='bilinear', align_corners=False)
        return super().forward(inputs)

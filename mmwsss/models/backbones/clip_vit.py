"""CLIP's image encoder, whose attention and last block can be looked into."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import nn

from mmwsss.models.backbones.vit import GridVisionTransformer

__all__ = ['CLIPVisionTransformer']


@MODELS.register_module()
class CLIPVisionTransformer(GridVisionTransformer):
    """The vision transformer of CLIP (Radford et al., ICML 2021), by default ViT-B/16.

    mmseg's ``VisionTransformer`` with CLIP's settings and the projection into the space of the texts. As a
    backbone it returns token grids of any image size. Weights: ``tools/model_converters/clip.py``; with
    ``init_cfg=dict(type='Pretrained', checkpoint=FILE, prefix='backbone.')``.

    Args:
        output_dims: Channels D of the space that images and texts share.
        **kwargs: Arguments of mmseg's ``VisionTransformer``.
    """

    def __init__(self, output_dims: int = 512, **kwargs: Any) -> None:
        clip = dict(
            patch_bias=False,
            pre_norm=True,
            final_norm=True,
            act_cfg=dict(type='mmseg.QuickGELU'),
            norm_cfg=dict(type='LN', eps=1e-5),
            interpolate_mode='bilinear',
        )
        super().__init__(**{**clip, **kwargs})
        width = self.cls_token.shape[-1]
        self.proj = nn.Parameter(torch.randn(width, output_dims) * width**-0.5)

    def init_weights(self) -> None:
        """Load ``init_cfg``'s weights as MMEngine does; mmseg's method knows no ``prefix``."""
        if self.init_cfg:
            BaseModule.init_weights(self)
        else:
            super().init_weights()

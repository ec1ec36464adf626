"""CLIP's image encoder, whose attention and last block can be looked into."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

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

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Tokens before the first block (N, 1 + h w, C), the class token first, and the grid (h, w).

        Args:
            images: Normalised images (N, 3, H, W), sides multiples of the patch size.
        """
        patches, grid = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return self.pre_ln(self._pos_embeding(tokens, grid, self.pos_embed)), tuple(grid)

    def run_block(
        self, index: int, tokens: Tensor, normed: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run a block of the transformer and keep its attention.

        Args:
            index: Which block.
            tokens: (N, L, C).
            normed: What the block attends over, by default ``tokens`` after the block's first norm;
                to be given for a gradient with respect to it.

        Returns:
            Tokens (N, L, C), and attention (N, L, L), mean over the heads, rows summing to one.
        """
        block = self.layers[index]
        normed = block.norm1(tokens) if normed is None else normed
        sequence = normed.transpose(0, 1)  # what mmcv wraps has the batch second
        out, attention = block.attn.attn(sequence, sequence, sequence, need_weights=True)
        tokens = tokens + out.transpose(0, 1)
        return block.ffn(block.norm2(tokens), identity=tokens), attention

    def encode_image(self, images: Tensor) -> Tensor:
        """CLIP's image features (N, D), not normalised; images as for :meth:`embed`."""
        tokens, _ = self.embed(images)
        for block in self.layers:
            tokens = block(tokens)
        return self.norm1(tokens)[:, 0] @ self.proj

"""A vision transformer whose token grid fits the image, whatever its size."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmseg.models.backbones import VisionTransformer
from mmseg.registry import MODELS
from torch import Tensor

from mmwsss.utils.checkpoint import initial_weights, load_weights

__all__ = ['GridVisionTransformer', 'PublishedVisionTransformer', 'timm_name']

# Names in timm's vision transformers, also DeiT's: mmseg's.
_TIMM_NAMES = (
    (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'^norm\.', 'ln1.'),
    (r'^blocks\.(\d+)\.norm(\d)\.', r'layers.\1.ln\2.'),
    (r'^blocks\.(\d+)\.attn\.qkv\.', r'layers.\1.attn.attn.in_proj_'),
    (r'^blocks\.(\d+)\.attn\.proj\.', r'layers.\1.attn.attn.out_proj.'),
    (r'^blocks\.(\d+)\.mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (r'^blocks\.(\d+)\.mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
)


def timm_name(name: str) -> str:
    """mmseg's name of a weight of timm's ``VisionTransformer``; any other name stays."""
    for theirs, ours in _TIMM_NAMES:
        name = re.sub(theirs, ours, name)
    return name


@MODELS.register_module()
class GridVisionTransformer(VisionTransformer):
    """mmseg's ``VisionTransformer`` for class maps of images of any size.

    It takes the same arguments and weights. Two things differ:

    - An image whose sides are no multiples of the patch size is resized (bilinear) to the nearest ones;
      mmseg pads it at the right and the bottom, which stretches the maps by up to a patch.
    - Position embeddings are resized whenever the grid differs from the trained one. mmseg compares the
      number of tokens only, so that a 7x28 grid gets the rows of a 14x14 one.
    """

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the token grids (N, embed_dims, h, w) of the layers in ``out_indices``.

        Args:
            inputs: Normalised images (N, C, H, W); h and w are the sides in patches, rounded.
        """
        return super().forward(self.whole_patches(inputs))

    def whole_patches(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) with the sides resized to the nearest multiples of the patch size."""
        patch = self.patch_size
        size = [max(1, round(side / patch)) * patch for side in images.shape[2:]]
        if list(images.shape[2:]) == size:
            return images
        return F.interpolate(images, size=size, mode='bilinear', align_corners=False)

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Tokens before the first block (N, L, C), class tokens first, and the grid (h, w).

        Args:
            images: Normalised images (N, 3, H, W), sides multiples of the patch size.
        """
        patches, grid = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        tokens = self._pos_embeding(tokens, grid, self.pos_embed)
        return self.pre_ln(tokens) if self.pre_norm else tokens, tuple(grid)

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
        tokens = tokens + block.attn.dropout_layer(block.attn.proj_drop(out.transpose(0, 1)))
        return block.ffn(block.norm2(tokens), identity=tokens), attention

    def train(self, mode: bool = True) -> GridVisionTransformer:
        """Set the training mode; mmseg's method returns None."""
        super().train(mode)
        return self

    def _pos_embeding(
        self, patched_img: Tensor, hw_shape: tuple[int, int], pos_embed: Tensor
    ) -> Tensor:
        """Add the position embeddings, resized to the grid ``hw_shape`` (mmseg's spelling)."""
        trained = tuple(side // self.patch_size for side in self.img_size)
        if tuple(hw_shape) != trained:
            pos_embed = self.resize_pos_embed(pos_embed, hw_shape, trained, self.interpolate_mode)
        return self.drop_after_pos(patched_img + pos_embed)


class PublishedVisionTransformer(GridVisionTransformer):
    """Base of transformers that start from files whose weights have other names."""

    @abstractmethod
    def own_weights(self, found: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The weights of a published file under this backbone's names, without those it has no use for."""

    def init_weights(self) -> None:
        """Initialise; a file of weights (``init_cfg`` of type ``Pretrained``) must be used up.

        Raises:
            ValueError: Weights are left over, missing or of another shape; they are named.
        """
        cfg = self.init_cfg
        if not isinstance(cfg, dict) or cfg.get('type') != 'Pretrained':
            super().init_weights()
            return
        found = initial_weights(cfg['checkpoint'], cfg.get('prefix'))
        load_weights(self, self.own_weights(found), cfg['checkpoint'])
        self._is_init = True

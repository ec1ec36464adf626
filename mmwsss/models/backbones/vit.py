"""A vision transformer whose token grid fits the image, whatever its size."""

from __future__ import annotations

import torch.nn.functional as F
from mmseg.models.backbones import VisionTransformer
from mmseg.registry import MODELS
from torch import Tensor

__all__ = ['GridVisionTransformer']


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
        patch = self.patch_size
        size = [max(1, round(side / patch)) * patch for side in inputs.shape[2:]]
        if list(inputs.shape[2:]) != size:
            inputs = F.interpolate(inputs, size=size, mode='bilinear', align_corners=False)
        return super().forward(inputs)

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

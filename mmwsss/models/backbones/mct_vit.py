"""A vision transformer with a token for every class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmwsss.functional.checks import check_range
from mmwsss.models.backbones.vit import PublishedVisionTransformer, timm_name

__all__ = ['MCTVisionTransformer']


@MODELS.register_module()
class MCTVisionTransformer(PublishedVisionTransformer):
    """The multi-class token transformer, by default on DeiT-S/16 (Xu et al., CVPR 2022, TPAMI 2024).

    K class tokens with position embeddings of their own in front of the patches, whose embeddings are
    resized to any image size. There is no norm behind the last block: the mean over channels of a
    normalised token would say nothing.

    Initial weights: a file of DeiT or timm (``init_cfg=dict(type='Pretrained', checkpoint=FILE)``), whose
    class token and its position are repeated for every class, or one of this backbone
    (``prefix='backbone.'``). The file's classifier (``head``) and last norm are left out.

    Args:
        num_classes: Foreground classes K.
        **kwargs: Arguments of mmseg's ``VisionTransformer``; ``img_size`` is the size of training images.

    Raises:
        ValueError: ``num_classes`` is not positive, or ``out_indices`` is given.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        if 'out_indices' in kwargs:
            raise ValueError(
                'MCTVisionTransformer has no out_indices: it returns what MCTformerHead needs'
            )
        deit = dict(
            img_size=448,
            embed_dims=384,
            num_heads=6,
            patch_bias=True,
            drop_path_rate=0.1,
            norm_cfg=dict(type='LN', eps=1e-6),
        )
        super().__init__(**{**deit, **kwargs}, final_norm=False)
        check_range('num_classes', num_classes, '[1, inf)')
        positions = self.get_parameter('pos_embed').detach()
        tokens = torch.zeros(1, num_classes, positions.shape[2])
        self.cls_token = nn.Parameter(tokens)
        self.pos_embed = nn.Parameter(torch.cat([tokens, positions[:, 1:]], dim=1))

    def own_weights(self, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As in the base, with the class token repeated for every class and positions for this grid."""
        state = {
            timm_name(key): value
            for key, value in found.items()
            if not key.startswith(('head.', 'norm.'))
        }
        K = self.cls_token.shape[1]
        token, positions = state.get('cls_token'), state.get('pos_embed')
        if token is None or positions is None or token.shape[1] not in (1, K):
            return state  # refused by name
        repeats = K // token.shape[1]
        own, patches = positions[:, : token.shape[1]], positions[:, token.shape[1] :]
        positions = torch.cat([own.repeat(1, repeats, 1), patches], dim=1)
        side = math.isqrt(patches.shape[1])
        if positions.shape != self.pos_embed.shape and side**2 == patches.shape[1]:
            grid = tuple(length // self.patch_size for length in self.img_size)
            positions = self.resize_pos_embed(positions, grid, (side, side), self.interpolate_mode)
        return {**state, 'cls_token': token.repeat(1, repeats, 1), 'pos_embed': positions}

    @staticmethod
    def resize_pos_embed(
        pos_embed: Tensor, input_shpae: tuple[int, int], pos_shape: tuple[int, int], mode: str
    ) -> Tensor:
        """Resize the position embeddings of patches (mmseg's spelling); those of tokens stay."""
        first = pos_embed.shape[1] - math.prod(pos_shape)
        resized = PublishedVisionTransformer.resize_pos_embed(
            pos_embed[:, first - 1 :], input_shpae, pos_shape, mode
        )
        return torch.cat([pos_embed[:, : first - 1], resized], dim=1)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute tokens and, in evaluation mode, attention, averaged over the heads.

        Args:
            inputs: Normalised images (N, C, H, W); h and w are the sides in patches, rounded.

        Returns:
            Patch tokens (N, C, h, w) and the class tokens of each layer (N, layers, K, C); in evaluation
            mode also the attention of class tokens to patches of each layer (N, layers, K, h, w), and the
            sum over layers of that of patches to patches (N, h w, h w).
        """
        tokens, grid = self.embed(self.whole_patches(inputs))
        K = self.cls_token.shape[1]
        class_tokens, class_attention, patch_attention = [], [], tokens.new_zeros(())
        for index, block in enumerate(self.layers):
            if self.training:
                tokens = block(tokens)
            else:
                tokens, attention = self.run_block(index, tokens)
                class_attention.append(attention[:, :K, K:].unflatten(2, grid))
                patch_attention = patch_attention + attention[:, K:, K:]
            class_tokens.append(tokens[:, :K])
        patches = tokens[:, K:].transpose(1, 2).unflatten(2, grid)
        outputs = (patches, torch.stack(class_tokens, dim=1))
        if self.training:
            return outputs
        return (*outputs, torch.stack(class_attention, dim=1), patch_attention)

"""DINOv2's vision transformers."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.scale import LayerScale
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmwsss.functional.checks import check_ascending, check_choice, check_range
from mmwsss.models.backbones.vit import PublishedVisionTransformer, timm_name

__all__ = ['DINOv2VisionTransformer']

ARCHS = {
    'small': dict(embed_dims=384, num_layers=12, num_heads=6),
    'base': dict(embed_dims=768, num_layers=12, num_heads=12),
    'large': dict(embed_dims=1024, num_layers=24, num_heads=16),
}
# The published code adds it to the grid where it resizes positions, unless the model has registers.
OFFSET = 0.1

# Names of the published files: those of mmseg, where timm's are not the same.
_NAMES = (
    (r'^blocks\.\d+\.(\d+)\.', r'blocks.\1.'),  # in chunks
    (r'^blocks\.(\d+)\.ls1\.gamma$', r'layers.\1.attn.dropout_layer.gamma1.weight'),
    (r'^blocks\.(\d+)\.ls2\.gamma$', r'layers.\1.ffn.gamma2.weight'),
)


@MODELS.register_module()
class DINOv2VisionTransformer(PublishedVisionTransformer):
    """The vision transformer of DINOv2, by default ViT-S/14, for images of any size.

    Sources: Oquab et al., DINOv2, TMLR 2024; registers: Darcet et al., ICLR 2024. It is mmseg's
    transformer with layer scale and registers. Position embeddings are resized as the published code does
    it: bicubic, without registers to a grid larger by 0.1 and with them antialiased. The last norm is
    applied to every output, as by the published ``get_intermediate_layers``. ViT-g, whose blocks have
    SwiGLU, is not among the archs.

    Initial weights: a published file, whole or in chunks (``init_cfg=dict(type='Pretrained',
    checkpoint=FILE)``), or one of this backbone (``prefix='backbone.'``). ``mask_token`` is left out.

    Args:
        arch: ``'small'``, ``'base'`` or ``'large'``.
        num_register_tokens: Registers, 4 in the published models that have them.
        layer_scale: Value with which layer scale starts; files have their own.
        frozen: Whether all weights get no gradient and the backbone stays in evaluation mode.
        **kwargs: Arguments of mmseg's ``VisionTransformer``; ``img_size`` is that of the file's position
            embeddings.

    Raises:
        ValueError: Unknown ``arch``, values out of range, or ``out_indices`` that are no layers in
            ascending order.
    """

    def __init__(
        self,
        arch: str = 'small',
        num_register_tokens: int = 0,
        layer_scale: float = 1.0,
        frozen: bool = False,
        **kwargs: Any,
    ) -> None:
        check_choice('arch', arch, tuple(ARCHS))
        check_range('num_register_tokens', num_register_tokens, '[0, inf)')
        check_range('layer_scale', layer_scale, '(0, inf)')
        published = dict(
            img_size=518,
            patch_size=14,
            patch_bias=True,
            norm_cfg=dict(type='LN', eps=1e-6),
            **ARCHS[arch],
        )
        super().__init__(**{**published, **kwargs}, final_norm=True)
        check_ascending('out_indices', self.out_indices, len(self.layers))
        width = self.cls_token.shape[2]
        self.register_tokens = nn.Parameter(1e-6 * torch.randn(1, num_register_tokens, width))
        for block in self.layers:
            scale = LayerScale(width, scale=layer_scale)
            drop_path = block.ffn.dropout_layer  # mmseg has none behind the attention
            both = OrderedDict(gamma1=scale, drop_path=drop_path)
            block.attn.dropout_layer = nn.Sequential(both)
            block.ffn.gamma2 = LayerScale(width, scale=layer_scale)
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)
            self.eval()

    def own_weights(self, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As in the base; files of models without registers get none."""
        state = {own_name(key): value for key, value in found.items() if key != 'mask_token'}
        state.setdefault('register_tokens', self.register_tokens.data[:, :0])
        return state

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Tokens before the first block (N, L, C): class token, registers, patches; and the grid (h, w).

        Args:
            images: Normalised images (N, 3, H, W), sides multiples of the patch size.
        """
        tokens, grid = super().embed(images)
        registers = self.register_tokens.expand(len(tokens), -1, -1)
        return torch.cat([tokens[:, :1], registers, tokens[:, 1:]], dim=1), grid

    def resize_pos_embed(
        self, pos_embed: Tensor, input_shpae: tuple[int, int], pos_shape: tuple[int, int], mode: str
    ) -> Tensor:
        """Resize the position embeddings of patches (mmseg's spelling); the class token's stays."""
        patches = pos_embed[:, 1:].transpose(1, 2).unflatten(2, pos_shape)
        if self.register_tokens.shape[1]:
            patches = F.interpolate(patches, size=input_shpae, mode=mode, antialias=True)
        else:
            scales = [(new + OFFSET) / old for new, old in zip(input_shpae, pos_shape)]
            patches = F.interpolate(patches, scale_factor=scales, mode=mode)
        return torch.cat([pos_embed[:, :1], patches.flatten(2).transpose(1, 2)], dim=1)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the normalised token grids (N, C, h, w) of the layers in ``out_indices``.

        Args:
            inputs: Normalised images (N, 3, H, W); h and w are the sides in patches, rounded.
        """
        tokens, grid = self.embed(self.whole_patches(inputs))
        outputs = []
        for index, block in enumerate(self.layers):
            tokens = block(tokens)
            if index in self.out_indices:
                patches = self.norm1(tokens)[:, 1 + self.register_tokens.shape[1] :]
                outputs.append(patches.transpose(1, 2).unflatten(2, grid).contiguous())
        return tuple(outputs)

    def train(self, mode: bool = True) -> DINOv2VisionTransformer:
        """Set the training mode; a frozen backbone stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self


def own_name(name: str) -> str:
    """This backbone's name of a weight of a published file; any other name stays."""
    for theirs, ours in _NAMES:
        name = re.sub(theirs, ours, name)
    return timm_name(name)

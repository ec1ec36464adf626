"""WeCLIP's decoder: a segmentation, and an affinity of the features that it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.backbones.vit import TransformerEncoderLayer
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmwsss.functional.checks import check_range
from mmwsss.functional.weclip import affinity_loss, affinity_pairs, feature_affinity
from mmwsss.utils.processes import mean_over_processes

__all__ = ['WeCLIPHead']


@MODELS.register_module()
class WeCLIPHead(BaseDecodeHead):
    """Decoder on the tokens of many layers of a frozen transformer (Zhang et al., WeCLIP, CVPR 2024).

    An MLP for each layer, all concatenated, a 1x1 convolution: ``F``. Transformer layers on the cells of
    ``F`` and a linear layer give the logits, ``sigmoid(F^T F)`` the affinity of the cells::

        loss = (CE of background pixels + CE of foreground pixels) / 2
             + affinity_weight (mean over same pairs of 1 - A + mean over different pairs of A) / 2

    All means are over the global batch, whatever the number of processes; one over nothing is 0, with
    gradient 0.

    Args:
        in_channels: Channels of each layer that is taken.
        channels: Channels of ``F``, a multiple of ``num_heads``.
        num_layers: Transformer layers.
        num_heads: Their heads.
        radius: How far apart the cells of a pair may be, in rows and in columns.
        affinity_weight: Factor of the affinity's loss.
        loss_decode: A cross-entropy that takes the mean over pixels that are not ignored.
        **kwargs: Arguments of mmseg's ``BaseDecodeHead``; ``in_index`` says which layers.
            ``dropout_ratio`` drops channels of ``F``.

    Raises:
        ValueError: A number is out of range, or ``loss_decode`` is a list.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int = 256,
        num_layers: int = 3,
        num_heads: int = 8,
        radius: int = 8,
        affinity_weight: float = 0.1,
        loss_decode: dict | None = None,
        **kwargs: Any,
    ) -> None:
        check_range('num_layers', num_layers, '[0, inf)')
        check_range('radius', radius, '[0, inf)')
        check_range('affinity_weight', affinity_weight, '[0, inf)')
        if channels % num_heads:
            raise ValueError(
                f'channels must be a multiple of num_heads = {num_heads}, but is {channels}'
            )
        if isinstance(loss_decode, (list, tuple)):
            raise ValueError(f'loss_decode must be one loss, but got a list of {len(loss_decode)}')
        super().__init__(
            in_channels=list(in_channels),
            channels=channels,
            input_transform='multiple_select',
            loss_decode=loss_decode or dict(type='GlobalCrossEntropyLoss'),
            **kwargs,
        )
        check_range('num_classes', self.num_classes, f'[2, {self.ignore_index}]')
        self.radius = radius
        self.affinity_weight = affinity_weight
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels, 1))
            for c in self.in_channels
        )
        self.fuse = nn.Conv2d(len(self.mlps) * channels, channels, 1)
        self.layers = nn.ModuleList(
            TransformerEncoderLayer(
                channels, num_heads, 4 * channels, act_cfg=dict(type='mmseg.QuickGELU')
            )
            for _ in range(num_layers)
        )

    def fused(self, inputs: Sequence[Tensor]) -> Tensor:
        """``F`` (N, channels, h, w) of the layers' token grids, each (N, C, h, w)."""
        layers = self._transform_inputs(inputs)
        features = self.fuse(torch.cat([mlp(x) for mlp, x in zip(self.mlps, layers)], dim=1))
        return features if self.dropout is None else self.dropout(features)

    def segment(self, features: Tensor) -> Tensor:
        """Logits (N, num_classes, h, w) of ``F``."""
        tokens = features.flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        logits: Tensor = self.conv_seg(tokens.transpose(1, 2).unflatten(2, features.shape[2:]))
        return logits

    def affinity(self, features: Tensor) -> Tensor:
        """Affinity (N, h w, h w) of ``F``, in float32."""
        with torch.autocast(features.device.type, enabled=False):
            return feature_affinity(features.float())

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits (N, num_classes, h, w) of the layers' token grids."""
        return self.segment(self.fused(inputs))

    def losses(self, features: Tensor, affinity: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute ``loss_bg``, ``loss_fg`` and ``loss_affinity``.

        Args:
            features: ``F`` (N, channels, h, w).
            affinity: Its affinity (N, h w, h w).
            labels: Integer (N, H, W).
        """
        size = tuple(labels.shape[1:])
        logits = resize(
            self.segment(features), size, None, 'bilinear', self.align_corners, warning=False
        )
        is_background = labels == 0
        parts = {
            'loss_bg': labels.masked_fill(~is_background, self.ignore_index),
            'loss_fg': labels.masked_fill(is_background, self.ignore_index),
        }
        losses = {
            name: self.loss_decode(logits, part, ignore_index=self.ignore_index) / 2
            for name, part in parts.items()
        }
        grid = features.shape[2:]
        cells = resize(labels[:, None].float(), grid, mode='nearest')[:, 0].long()
        same, different = affinity_pairs(cells, self.radius, self.ignore_index)
        counts = mean_over_processes(torch.stack([same.sum(), different.sum()]))
        loss = affinity_loss(affinity, same, different, counts.to(affinity))
        losses['loss_affinity'] = self.affinity_weight * loss
        return losses

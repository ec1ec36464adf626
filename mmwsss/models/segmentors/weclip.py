"""WeCLIP: a segmenter on a frozen CLIP, trained on image labels by masks that it makes as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor

from mmwsss.functional.checks import check_range
from mmwsss.functional.clip_es import affinity_refine, attention_affinity
from mmwsss.functional.par import pixel_adaptive_refine
from mmwsss.functional.weclip import selected_attention
from mmwsss.models.classifiers.clip_es import frozen_blocks, on_grid, text_maps, wide
from mmwsss.models.heads.base import stack_boxes, stack_labels

__all__ = ['WeCLIP']

# Tokens and attention of each block but the last, and the grid.
Blocks = tuple[list[Tensor], list[Tensor], tuple[int, int]]


@MODELS.register_module()
class WeCLIP(EncoderDecoder):
    """A decoder on a frozen CLIP, in one stage from image labels (Zhang et al., WeCLIP, CVPR 2024) [1]_.

    Tokens of all blocks but the last go to the decoder. The labels of a batch are made of the same tokens:
    CLIP-ES's map of each class of the image, background = 1 - max, pixel-adaptive refinement, argmax.
    Padding is ignored; an image without a class is background. After ``affinity_from`` iterations the
    decoder's affinity takes part in the maps: see :func:`~mmwsss.functional.selected_attention`.

    Images need ``gt_label`` and no masks. Iterations are counted in the checkpoint.

    Args:
        backbone: Config of a ``CLIPVisionTransformer``, ``out_indices`` all blocks but the last.
        head: Config of a ``CLIPTextHead``.
        decode_head: Config of a :class:`WeCLIPHead` with one class more, the background.
        affinity_blocks: Of how many of the last blocks the attention is averaged at first.
        selected_blocks: Among how many of the last blocks the affinity chooses later; the paper's is 6 for
            VOC and 10 for COCO.
        affinity_from: Iterations before it does.
        box_threshold: As of :class:`CLIPESLocalizer`.
        par_iterations: Means of the pixel-adaptive refinement; 0 leaves it out.
        par_dilations: Its distances, in pixels.
        **kwargs: Arguments of mmseg's ``EncoderDecoder``.

    Raises:
        ValueError: A number is out of range, or backbone and heads do not fit.

    References:
        .. [1] Zhang et al., Frozen CLIP: A Strong Backbone for Weakly Supervised Semantic Segmentation.
    """

    trained_on = 'image labels by masks made in training'

    def __init__(
        self,
        backbone: dict,
        head: dict,
        decode_head: dict,
        affinity_blocks: int = 8,
        selected_blocks: int = 6,
        affinity_from: int = 15_000,
        box_threshold: float = 0.4,
        par_iterations: int = 20,
        par_dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
        **kwargs: Any,
    ) -> None:
        for name in ('neck', 'auxiliary_head'):
            if kwargs.get(name) is not None:
                raise ValueError(f'WeCLIP has no {name}: its decoder reads the blocks of CLIP')
        super().__init__(backbone=backbone, decode_head=decode_head, **kwargs)
        self.head = MODELS.build(head)
        if self.num_classes != self.head.num_classes + 1:
            raise ValueError(
                f'decode_head.num_classes must be head.num_classes + 1 = {self.head.num_classes + 1}, '
                f'but got {self.num_classes}'
            )
        depth = len(self.backbone.layers)
        if list(self.backbone.out_indices) != list(range(depth - 1)):
            raise ValueError(
                f'backbone.out_indices must be all blocks but the last, 0 to {depth - 2}, '
                f'but got {list(self.backbone.out_indices)}'
            )
        check_range('affinity_blocks', affinity_blocks, f'[1, {depth}]')
        check_range('selected_blocks', selected_blocks, f'[1, {depth}]')
        check_range('affinity_from', affinity_from, '[0, inf)')
        check_range('box_threshold', box_threshold, '[0, 1)')
        check_range('par_iterations', par_iterations, '[0, inf)')
        check_range('smallest of par_dilations', min(par_dilations, default=0), '[1, inf)')
        self.affinity_blocks = affinity_blocks
        self.selected_blocks = selected_blocks
        self.affinity_from = affinity_from
        self.box_threshold = box_threshold
        self.par_iterations = par_iterations
        self.par_dilations = tuple(par_dilations)
        self.iterations: Tensor
        self.register_buffer('iterations', torch.zeros((), dtype=torch.long))
        for frozen in (self.backbone, self.head):
            frozen.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> WeCLIP:
        """Set the training mode; CLIP stays in evaluation mode."""
        super().train(mode)
        for frozen in (self.backbone, self.head):
            frozen.eval()
        return self

    @torch.no_grad()
    def _frozen_blocks(self, images: Tensor) -> Blocks:
        return frozen_blocks(self.backbone, self.backbone.whole_patches(images))

    def loss(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """Make the labels of a batch and compute the decoder's losses for them.

        Args:
            inputs: Normalised images (N, 3, H, W).
            data_samples: Samples with ``gt_label`` (K,) and the metainfo ``valid_box``.

        Raises:
            ValueError: A sample lacks one of the two; the image is named.
        """
        blocks = self._frozen_blocks(inputs)
        features = self.decode_head.fused([on_grid(each, blocks[2]) for each in blocks[0]])
        affinity = self.decode_head.affinity(features)
        labels = self.online_labels(inputs, data_samples, blocks, affinity)
        self.iterations += 1
        return add_prefix(self.decode_head.losses(features, affinity, labels), 'decode')

    @torch.no_grad()
    def online_labels(
        self,
        images: Tensor,
        data_samples: Sequence[SegDataSample],
        blocks: Blocks,
        affinity: Tensor,
    ) -> Tensor:
        """Labels of a batch, as :meth:`loss` trains on.

        Args:
            images: (N, 3, H, W).
            data_samples: See :meth:`loss`.
            blocks: Tokens (N, 1 + h w, C) and attention (N, h w, h w) of each block but the last, and the
                grid (h, w).
            affinity: The decoder's (N, h w, h w).

        Returns:
            Class ids (N, H, W) int64, 0 = background; 255 outside of the valid boxes.
        """
        present = stack_labels(data_samples, self.head.num_classes).to(images.device)
        boxes = stack_boxes(data_samples, images.device).tolist()
        shape = (len(images), *images.shape[2:])
        labels = present.new_full(shape, self.decode_head.ignore_index, dtype=torch.long)
        dtype, grid = self.backbone.proj.dtype, blocks[2]  # those of the blocks may be autocast's
        tokens, attention = blocks[0][-1].to(dtype), [each.to(dtype) for each in blocks[1]]
        with torch.autocast(images.device.type, enabled=False):
            for i, (left, top, right, bottom) in enumerate(boxes):
                channels = present[i].nonzero()[:, 0]
                maps, _, last = text_maps(
                    self.backbone, self.head, tokens[i : i + 1], grid, channels
                )
                weights = torch.stack([*(each[i] for each in attention), last])
                maps = wide(self._refined(maps, weights, affinity[i]), images.shape[2:])
                inside = (..., slice(top, bottom), slice(left, right))
                labels[i][inside] = self._labels(images[i][inside], maps[inside], channels)
        return labels

    def _refined(self, maps: Tensor, attention: Tensor, affinity: Tensor) -> Tensor:
        """Maps (n, h, w) after class-aware attention affinity."""
        if len(maps) == 0:
            return maps
        if self.iterations < self.affinity_from:
            chosen = attention[-self.affinity_blocks :]
        else:
            chosen = selected_attention(attention[-self.selected_blocks :], affinity)[None]
        return affinity_refine(maps, attention_affinity(chosen), self.box_threshold)

    def _labels(self, image: Tensor, maps: Tensor, channels: Tensor) -> Tensor:
        """Labels (h, w) of an image (3, h, w) with class maps (n, h, w)."""
        if len(maps) == 0:
            return maps.new_zeros(image.shape[1:], dtype=torch.long)
        scores = torch.cat([1 - maps.amax(dim=0, keepdim=True), maps])
        refined = pixel_adaptive_refine(
            image[None], scores[None], self.par_dilations, self.par_iterations
        )
        ids = torch.cat([channels.new_zeros(1), channels + 1])
        return ids[refined[0].argmax(dim=0)]

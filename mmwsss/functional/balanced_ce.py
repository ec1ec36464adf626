"""Cross-entropy with background and foreground in equal parts (AMN and AFA, CVPR 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.functional.checks import check_range, check_shapes

__all__ = ['background_and_foreground', 'balanced_cross_entropy']


def background_and_foreground(labels: Tensor, ignore_index: int = 255) -> Tensor:
    """Which pixels of ``labels`` are background (0), and which foreground: bool (2, *labels.shape)."""
    return torch.stack([labels == 0, (labels != 0) & (labels != ignore_index)])


def balanced_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    ignore_index: int = 255,
    label_smoothing: float = 0.0,
    counts: Tensor | None = None,
) -> Tensor:
    """``(mean over background pixels + mean over foreground pixels) / 2`` of the cross-entropy.

    Args:
        logits: (N, K + 1, h, w), background first.
        labels: Integer (N, h, w), 0 = background.
        ignore_index: Label of pixels that do not count.
        label_smoothing: Part of the target that is spread evenly over all K + 1 classes, in [0, 1].
        counts: What the sums over background and foreground are divided by (2,). None: their pixels.

    Returns:
        Scalar. A part without pixels is 0, with gradient 0.

    Raises:
        ValueError: Shapes do not fit or ``label_smoothing`` is out of range.
    """
    check_shapes(logits=(logits, 'N C h w'), labels=(labels, 'N h w'))
    check_range('label_smoothing', label_smoothing, '[0, 1]')
    losses = F.cross_entropy(
        logits,
        labels,
        reduction='none',
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    parts = background_and_foreground(labels, ignore_index)
    sums = (losses * parts).sum(dim=(1, 2, 3))
    if counts is None:
        counts = parts.sum(dim=(1, 2, 3))
    return (sums / counts.where(counts > 0, torch.ones_like(counts)).to(sums)).mean()

"""Cross-entropy with background and foreground in equal parts (AMN and AFA, CVPR 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.functional.checks import check_range, check_shapes

__all__ = ['balanced_cross_entropy']


def balanced_cross_entropy(
    logits: Tensor, labels: Tensor, ignore_index: int = 255, label_smoothing: float = 0.0
) -> Tensor:
    """``(mean over background pixels + mean over foreground pixels) / 2`` of the cross-entropy.

    Args:
        logits: (N, K + 1, h, w), background first.
        labels: Integer (N, h, w), 0 = background.
        ignore_index: Label of pixels that do not count.
        label_smoothing: Part of the target that is spread evenly over all K + 1 classes, in [0, 1].

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
    background = (labels == 0).to(losses)
    foreground = ((labels != 0) & (labels != ignore_index)).to(losses)
    parts = [(losses * part).sum() / part.sum().clamp(min=1) for part in (background, foreground)]
    return torch.stack(parts).mean()

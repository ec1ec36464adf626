"""WeCLIP's affinity as pure tensor functions (Zhang et al., Frozen CLIP: A Strong Backbone, CVPR 2024)."""

from __future__ import annotations

import torch
from torch import Tensor

from mmwsss.functional.checks import check_range, check_shapes

__all__ = ['affinity_loss', 'affinity_pairs', 'feature_affinity', 'selected_attention']


def feature_affinity(features: Tensor) -> Tensor:
    """Affinity of all pairs of cells: ``A = sigmoid(F^T F)``.

    Args:
        features: ``F`` (N, C, h, w), floating point; half precision may overflow.

    Returns:
        (N, L, L) in [0, 1], ``L = h w``. Differentiable.
    """
    check_shapes(features=(features, 'N C h w'))
    flat = features.flatten(2)
    return (flat.transpose(1, 2) @ flat).sigmoid()


def selected_attention(attention: Tensor, affinity: Tensor) -> Tensor:
    """Mean of the attentions that fit an affinity, times the affinity: ``A * mean_{l in G} W_l``.

    ``G`` has the blocks with ``sum_ij (A - W_l)`` not above the mean over the blocks, at least one.

    Args:
        attention: ``W`` of some blocks, patch to patch (blocks, L, L).
        affinity: ``A`` (L, L).

    Returns:
        (L, L).

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(attention=(attention, 'blocks L L'), affinity=(affinity, 'L L'))
    gaps = (affinity - attention).sum(dim=(1, 2), dtype=torch.float64)
    kept = (gaps <= gaps.mean()) | (gaps == gaps.amin())  # the mean may be rounded down
    return attention[kept].mean(dim=0) * affinity


def affinity_pairs(
    labels: Tensor, radius: int = 8, ignore_index: int = 255
) -> tuple[Tensor, Tensor]:
    """Pairs of near cells with the same label, and with different ones.

    Near are cells with rows and columns at most ``radius`` apart, each cell and itself among them.

    Args:
        labels: Integer (N, h, w).
        radius: In cells, >= 0.
        ignore_index: Label of cells that are in no pair.

    Returns:
        Two bool tensors (N, L, L), ``L = h w``.

    Raises:
        ValueError: ``labels`` does not have three dimensions or ``radius`` is out of range.
    """
    check_shapes(labels=(labels, 'N h w'))
    check_range('radius', radius, '[0, inf)')
    rows, columns = (torch.arange(side, device=labels.device) for side in labels.shape[1:])
    close_rows = (rows[:, None] - rows).abs() <= radius
    close_columns = (columns[:, None] - columns).abs() <= radius
    near = (close_rows[:, None, :, None] & close_columns[:, None]).flatten(2).flatten(0, 1)
    flat = labels.flatten(1)
    known = flat != ignore_index
    counted = near & known[:, :, None] & known[:, None]
    same = flat[:, :, None] == flat[:, None]
    return counted & same, counted & ~same


def affinity_loss(
    affinity: Tensor, same: Tensor, different: Tensor, counts: Tensor | None = None
) -> Tensor:
    """``(mean over same pairs of (1 - A) + mean over different pairs of A) / 2``.

    Args:
        affinity: ``A`` (N, L, L).
        same: Pairs with one label, bool (N, L, L); see :func:`affinity_pairs`.
        different: Pairs with different labels.
        counts: What the two sums are divided by (2,). None: the numbers of pairs.

    Returns:
        Scalar. A mean over no pairs is 0, with gradient 0.

    Raises:
        ValueError: Shapes do not fit.
    """
    axes = 'N L L'
    check_shapes(affinity=(affinity, axes), same=(same, axes), different=(different, axes))
    sums = torch.stack([((1 - affinity) * same).sum(), (affinity * different).sum()])
    if counts is None:
        counts = torch.stack([same.sum(), different.sum()])
    return (sums / counts.where(counts > 0, torch.ones_like(counts))).mean()

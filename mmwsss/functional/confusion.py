"""Pixel counts of label maps against ground truth, and IoU from counts.

Counts are int64 and add up over images and ranks without loss. Pixels that are ``ignore_index`` in the
ground truth count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmwsss.functional.checks import check_label_map, check_range, check_shapes, to_numpy

__all__ = [
    'ThresholdCounts',
    'confusion_counts',
    'iou_from_areas',
    'iou_from_counts',
    'mean_iou',
    'threshold_counts',
]


class ThresholdCounts(NamedTuple):
    """Pixel counts of class maps cut at T thresholds, for C classes with background.

    Attributes:
        intersect: int64 (T, C), pixels where prediction and ground truth are the class.
        pred_area: int64 (T, C), pixels predicted to be the class.
        gt_area: int64 (C,), pixels that are the class.
    """

    intersect: np.ndarray
    pred_area: np.ndarray
    gt_area: np.ndarray


def confusion_counts(
    pred: np.ndarray, gt: np.ndarray, num_classes: int, ignore_index: int = 255
) -> np.ndarray:
    """Count the pixels of one image by true and predicted class.

    Args:
        pred: Integer (H, W), class ids 0 .. C - 1, or ``ignore_index``: undecided, not background. Such
            a pixel misses its true class and is no class's false positive.
        gt: Integer (H, W), class ids or ``ignore_index``.
        num_classes: Number C of classes with background.
        ignore_index: See above.

    Returns:
        int64 (C, C + 1): entry (i, j) counts pixels of class i predicted to be j; the last column
        counts undecided pixels.

    Raises:
        TypeError: An array does not hold integers.
        ValueError: Shapes differ, or an array holds an id outside the list.
    """
    pred, gt = to_numpy(pred), to_numpy(gt)
    check_label_map('gt', gt, num_classes, ignore_index)
    check_label_map('pred', pred, num_classes, ignore_index, gt.shape)
    valid = gt != ignore_index
    true = gt[valid].astype(np.int64)
    named = pred[valid].astype(np.int64)
    named[named == ignore_index] = num_classes
    size = num_classes * (num_classes + 1)
    counts = np.bincount(true * (num_classes + 1) + named, minlength=size)
    return counts.astype(np.int64).reshape(num_classes, num_classes + 1)


def iou_from_counts(counts: np.ndarray) -> np.ndarray:
    """IoU per class from (summed) :func:`confusion_counts`.

    Args:
        counts: int64 (C, C + 1), or (C, C) where no pixel is undecided.

    Returns:
        float64 (C,) in 0..1; NaN for a class that is neither in the ground truth nor predicted.
    """
    counts = to_numpy(counts)
    classes = counts.shape[0]
    return iou_from_areas(np.diag(counts), counts[:, :classes].sum(0), counts.sum(1))


def iou_from_areas(intersect: np.ndarray, pred_area: np.ndarray, gt_area: np.ndarray) -> np.ndarray:
    """IoU = intersection / (predicted + true - intersection), elementwise.

    Args:
        intersect: int64 (..., C).
        pred_area: int64 (..., C).
        gt_area: int64 (..., C) or (C,).

    Returns:
        float64 (..., C) in 0..1; NaN where the union is empty.
    """
    intersect = to_numpy(intersect)
    union = to_numpy(pred_area) + to_numpy(gt_area) - intersect
    return np.where(union > 0, intersect / np.maximum(union, 1), np.nan)


def mean_iou(iou: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the classes that are defined (not NaN); NaN where none is."""
    iou = to_numpy(iou)
    defined = ~np.isnan(iou)
    count = defined.sum(-1)
    total = np.where(defined, iou, 0.0).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def threshold_counts(
    scores: np.ndarray,
    keys: np.ndarray,
    gt: np.ndarray,
    thresholds: Sequence[float],
    num_classes: int,
    ignore_index: int = 255,
) -> ThresholdCounts:
    """Count the pixels of one image's class maps at every threshold, in one pass over the pixels.

    At threshold t a pixel is foreground where its largest foreground score exceeds t; its label is
    then the class of that score (the smallest id of equals), else background. A background map
    among ``scores`` is not looked at.

    Args:
        scores: Floating point (n, H, W), not NaN.
        keys: Integer (n,), the class id of each map, strictly increasing.
        gt: Integer (H, W), class ids 0 .. C - 1 or ``ignore_index``.
        thresholds: T increasing numbers; compared in the precision of ``scores``.
        num_classes: Number C of classes with background.
        ignore_index: Pixels of this value in ``gt`` do not count.

    Raises:
        TypeError: ``gt`` does not hold integers.
        ValueError: Shapes do not fit, or an id lies outside the list.
    """
    scores, keys, gt = to_numpy(scores), to_numpy(keys), to_numpy(gt)
    check_label_map('gt', gt, num_classes, ignore_index)
    check_shapes(keys=(keys, 'n'), gt=(gt, 'H W'), scores=(scores, 'n H W'))
    check_range('largest key', keys.max(initial=0), f'[0, {num_classes - 1}]')
    levels = np.asarray(thresholds, dtype=np.float64).astype(scores.dtype)
    # A histogram over the number of thresholds below a pixel's score holds the counts of all.
    valid = gt != ignore_index
    best, label = _winning_foreground(scores, keys, valid)
    true = gt[valid].astype(np.int64)
    # 0: another class, 1: the true class, 2: background, which is missed when it is foreground
    outcome = np.where(true == 0, 2, true == label)
    below = np.searchsorted(levels, best, side='left')  # thresholds t with t < score
    shape = (num_classes, 3, len(levels) + 1)
    size = int(np.prod(shape))
    histogram = np.bincount(np.ravel_multi_index((label, outcome, below), shape), minlength=size)
    return _counts_from_histogram(
        histogram.astype(np.int64).reshape(shape), np.bincount(true, minlength=num_classes)
    )


def _winning_foreground(
    scores: np.ndarray, keys: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest foreground score of each valid pixel and its class id."""
    foreground = keys > 0
    count = int(valid.sum())
    if not foreground.any():
        return np.full(count, -np.inf, scores.dtype), np.zeros(count, np.int64)
    pixels = scores[foreground][:, valid]  # (n, P)
    winner = pixels.argmax(0)
    return pixels[winner, np.arange(count)], keys[foreground].astype(np.int64)[winner]


def _counts_from_histogram(histogram: np.ndarray, gt_area: np.ndarray) -> ThresholdCounts:
    """Sum a (C, 3, T + 1) histogram of (label, outcome, thresholds below the score)."""
    # Foreground at threshold i: the bins above i. Background: the bins 0 .. i.
    above = histogram[..., :0:-1].cumsum(-1)[..., ::-1]  # (C, 3, T)
    up_to = histogram[..., :-1].cumsum(-1)
    intersect, pred_area = above[:, 1].T.copy(), above.sum(1).T.copy()
    intersect[:, 0] = up_to[:, 2].sum(0)
    pred_area[:, 0] = up_to.sum((0, 1))
    return ThresholdCounts(intersect, pred_area, gt_area.astype(np.int64))

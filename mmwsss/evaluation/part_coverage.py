"""How much of the distinctive parts and of the plain bodies a prediction covers.

For datasets that say which pixels of an object are its distinctive part and which its body, as the
demo dataset does: the part is what a classifier needs, the body is what it tends to miss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ['part_coverage', 'part_coverage_scores']

PART = 1
BODY = 2


def part_coverage(
    pred: np.ndarray,
    gt: np.ndarray,
    parts: np.ndarray,
    num_classes: int,
    ignore_index: int = 255,
) -> dict[str, np.ndarray]:
    """Count part, body and foreground pixels of one image; the counts of images may be added.

    A pixel is covered when the predicted class is its true class. Pixels that are ``ignore_index``
    in ``gt`` or in ``parts`` count nowhere; those that are ``ignore_index`` in ``pred`` count as
    predicted to be nothing.

    Args:
        pred (np.ndarray): (H, W) integer class ids, 0 = background.
        gt (np.ndarray): (H, W) integer class ids, 0 = background.
        parts (np.ndarray): (H, W) integers: 0 = background, 1 = part, 2 = body.
        num_classes (int): Number of classes K + 1, background included.
        ignore_index (int): The value of pixels that do not count.

    Returns:
        dict[str, np.ndarray]: int64 (K,) arrays, index k - 1 for class k: ``part_hits`` of
        ``part_pixels``, ``body_hits`` of ``body_pixels``, and ``predicted_hits``, the true
        positives, of ``predicted_pixels``.

    Raises:
        TypeError: If an array is not of integers.
        ValueError: If shapes differ, an array holds an unknown id, or parts and classes disagree
            about where the objects are.
    """
    _check_maps(pred, gt, parts)
    if num_classes < 2:
        raise ValueError(f'num_classes must be at least 2, but got {num_classes}')
    _check_ids('pred', pred, num_classes, ignore_index)
    _check_ids('gt', gt, num_classes, ignore_index)
    _check_ids('parts', parts, BODY + 1, ignore_index)
    valid = (gt != ignore_index) & (parts != ignore_index)
    if ((gt > 0) != (parts > 0))[valid].any():
        wrong = int(((gt > 0) != (parts > 0))[valid].sum())
        raise ValueError(f'parts and gt disagree about the foreground in {wrong} pixels')

    gt, parts = gt[valid].astype(np.int64), parts[valid]
    pred = pred[valid].astype(np.int64)
    hit = pred == gt

    def count(classes: np.ndarray) -> np.ndarray:
        return np.bincount(classes, minlength=num_classes)[1:num_classes].astype(np.int64)

    return {
        'part_hits': count(gt[hit & (parts == PART)]),
        'part_pixels': count(gt[parts == PART]),
        'body_hits': count(gt[hit & (parts == BODY)]),
        'body_pixels': count(gt[parts == BODY]),
        'predicted_hits': count(gt[hit]),
        'predicted_pixels': count(pred[pred != ignore_index]),
    }


def part_coverage_scores(
    counts: dict[str, np.ndarray], class_names: Sequence[str]
) -> dict[str, dict]:
    """Scores in 0..1 from the (summed) counts of :func:`part_coverage`.

    Args:
        counts (dict[str, np.ndarray]): int64 (K,) arrays.
        class_names (Sequence[str]): K names, without the background.

    Returns:
        dict[str, dict]: ``per_class`` (by name), ``mean`` (over the classes for which the score is
        defined) and ``pooled`` (all pixels of the foreground together), each with ``part_recall``,
        ``body_recall`` and ``precision``; NaN where nothing was there to be counted.

    Raises:
        ValueError: If the number of names is not that of the counts.
    """
    if len(class_names) != len(counts['part_pixels']):
        raise ValueError(
            f'class_names must hold {len(counts["part_pixels"])} names, but got {len(class_names)}'
        )
    pairs = {
        'part_recall': ('part_hits', 'part_pixels'),
        'body_recall': ('body_hits', 'body_pixels'),
        'precision': ('predicted_hits', 'predicted_pixels'),
    }
    rates = {name: _ratio(counts[hits], counts[of]) for name, (hits, of) in pairs.items()}
    return {
        'per_class': {
            class_name: {name: float(rate[k]) for name, rate in rates.items()}
            for k, class_name in enumerate(class_names)
        },
        'mean': {name: _mean_of_defined(rate) for name, rate in rates.items()},
        'pooled': {
            name: float(_ratio(counts[hits].sum(), counts[of].sum()))
            for name, (hits, of) in pairs.items()
        },
    }


def _ratio(hits: np.ndarray, of: np.ndarray) -> np.ndarray:
    return np.where(of > 0, hits / np.maximum(of, 1), np.nan)


def _mean_of_defined(rate: np.ndarray) -> float:
    defined = rate[~np.isnan(rate)]
    return float(defined.mean()) if len(defined) else float('nan')


def _check_maps(pred: np.ndarray, gt: np.ndarray, parts: np.ndarray) -> None:
    for name, array in (('pred', pred), ('gt', gt), ('parts', parts)):
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f'{name} must hold integers, but got {array.dtype}')
        if array.ndim != 2 or array.shape != gt.shape:
            raise ValueError(
                f'{name} must have the shape (H, W) of gt, but got {array.shape} and {gt.shape}'
            )


def _check_ids(name: str, array: np.ndarray, count: int, ignore_index: int) -> None:
    found = np.unique(array)
    unknown = found[((found < 0) | (found >= count)) & (found != ignore_index)]
    if len(unknown):
        raise ValueError(
            f'{name} must hold ids in 0..{count - 1} or {ignore_index}, '
            f'but got {unknown.tolist()[:10]}'
        )

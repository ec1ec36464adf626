"""What is doubtful about masks, from their pixels: the one place that says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmwsss.functional.confusion import iou_from_areas, mean_iou
from mmwsss.io.record import percent
from mmwsss.utils.names import has_background, name_some

__all__ = ['doubtful_masks', 'doubtful_score', 'scored_iou', 'warnings']

MOSTLY = 0.8  # share of foreground from which masks are doubtful


def scored_iou(intersect: np.ndarray, pred_area: np.ndarray, gt_area: np.ndarray) -> np.ndarray:
    """IoU of many images, NaN for classes that the ground truth lacks: no prediction could score there.

    Arguments are those of :func:`~mmwsss.functional.confusion.iou_from_areas`. What is predicted of an absent
    class still misses the class that is there.
    """
    return np.where(gt_area > 0, iou_from_areas(intersect, pred_area, gt_area), np.nan)


def doubtful_masks(pixels: np.ndarray, classes: Sequence[str], expected: np.ndarray) -> list[str]:
    """Say what looks wrong about masks, as far as their pixels tell.

    Args:
        pixels: int64 (C + 1,), pixels by class, background first if there is one, undecided ones (255) last.
        classes: C names.
        expected: Bool (C,), classes that should occur.

    Returns:
        A sentence each.
    """
    decided, total = pixels[:-1], pixels.sum()
    if not decided.any():
        return ['all pixels of the masks are undecided (255)'] if total else []
    found, first = [], int(has_background(classes))
    if first:
        foreground = decided[1:].sum() / decided.sum()
        if not foreground:
            return ['the masks are nothing but background']
        if foreground > MOSTLY:
            found.append(f'{foreground:.0%} of the pixels are foreground')
    elif np.count_nonzero(decided) == 1 < len(classes):
        found.append(f'the masks are nothing but {classes[int(decided.argmax())]}')
    rows = list(zip(classes, decided, expected))[first:]
    absent = [name for name, number, here in rows if here and not number]
    return found + [f'no mask has {name_some(absent)}'] * bool(absent)


def doubtful_score(areas: np.ndarray, undecided: int, classes: Sequence[str]) -> list[str]:
    """Say what makes a score worthless, and which classes it leaves out.

    Args:
        areas: int64 (3, C), intersection, predicted and true pixels by class, background first.
        undecided: Predicted pixels without a class.
        classes: C names.

    Returns:
        What :func:`doubtful_masks` says of the predictions; true masks without foreground; a mean that empty
        masks reach; classes that the true masks lack. A sentence each.
    """
    _, predicted, true = areas
    pixels = int(true.sum())
    if not pixels:
        return []
    if has_background(classes) and not true[1:].any():
        return [
            'the true masks hold background only: empty masks score 100 %, and nothing is measured '
            f'(objects are 1..{len(classes) - 1}, 255 is ignored)'
        ]
    found = doubtful_masks(np.append(predicted, undecided), classes, true > 0)
    if true[1:].sum() > MOSTLY * pixels:
        found = [text for text in found if 'are foreground' not in text]
    largest = 0 if has_background(classes) else int(true.argmax())
    one_miou = float(true[largest] / pixels / np.count_nonzero(true))
    if float(mean_iou(scored_iou(*areas))) <= one_miou:
        name = classes[largest]
        found.append(f'masks of nothing but {name} score as much or more, {percent(one_miou)}')
    if absent := [name for name, count in zip(classes, true) if not count]:
        found.append(f'not in the true masks and left out of the mean: {name_some(absent)}')
    return found


def warnings(doubts: Sequence[str]) -> list[str]:
    """The doubts as notes of a score, which stand wherever it does."""
    return [f'WARNING: {doubt}' for doubt in doubts]

"""What class maps of many images score against ground truth, at every threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmwsss.evaluation.doubts import scored_iou
from mmwsss.evaluation.tables import best_index, class_table, threshold_table
from mmwsss.functional.confusion import (
    confusion_counts,
    mean_iou,
    threshold_counts,
)
from mmwsss.io import ClassMaps
from mmwsss.utils.names import has_background

__all__ = [
    'DEFAULT_THRESHOLDS',
    'ImageMapCounts',
    'MapScores',
    'check_maps_scored',
    'check_thresholds',
    'count_maps',
    'score_map_counts',
]

DEFAULT_THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))


class ImageMapCounts(NamedTuple):
    """The counts of one image, kept for the classes of its maps only; all int64.

    Attributes:
        keys: (m,) background and the classes of the maps.
        intersect: (T, m), see :class:`~mmwsss.functional.confusion.ThresholdCounts`.
        pred_area: (T, m).
        gt_area: (C,).
        argmax_areas: (3, C), intersection, predicted and true area of the argmax over all maps;
            None for maps without background.
    """

    keys: np.ndarray
    intersect: np.ndarray
    pred_area: np.ndarray
    gt_area: np.ndarray
    argmax_areas: np.ndarray | None


@dataclass(frozen=True)
class MapScores:
    """Scores of class maps, in 0..1. They use ground truth.

    Attributes:
        thresholds: T numbers.
        miou: float64 (T,).
        iou: float64 (T, C), NaN where a class is undefined.
        argmax_iou: float64 (C,) without threshold; None where an image had no background map.
        areas: int64 (3, C), intersection, predicted and true pixels at the best threshold.
    """

    thresholds: tuple[float, ...]
    miou: np.ndarray
    iou: np.ndarray
    argmax_iou: np.ndarray | None
    areas: np.ndarray

    @property
    def best(self) -> int:
        """Position of the best threshold."""
        return best_index(self.miou)

    @property
    def argmax_miou(self) -> float | None:
        """Mean of ``argmax_iou``, or None."""
        return None if self.argmax_iou is None else float(mean_iou(self.argmax_iou))

    def class_table(self, classes: Sequence[str]) -> str:
        """Return IoU per class, at the best threshold and without one, as text."""
        columns = {f'IoU at {self.thresholds[self.best]:.3g}': self.iou[self.best]}
        if self.argmax_iou is not None:
            columns['IoU of argmax'] = self.argmax_iou
        return class_table(classes, columns)

    def table(self) -> str:
        """Return the threshold table as text."""
        return threshold_table(self.thresholds, self.miou, self.argmax_miou)


def check_thresholds(thresholds: Sequence[float]) -> None:
    """Raise ``ValueError`` unless thresholds are numbers that increase."""
    if not len(thresholds) or (np.diff(thresholds) <= 0).any():
        raise ValueError(f'thresholds must be strictly increasing, but got {list(thresholds)}')


def check_maps_scored(classes: Sequence[str]) -> None:
    """Refuse to compare background thresholds where there is no background."""
    if not has_background(classes):
        raise ValueError(
            'class maps are scored over background thresholds, but these classes have no background '
            '(background=False): score the masks, which are the argmax of the maps'
        )


def count_maps(
    maps: ClassMaps,
    gt: np.ndarray,
    thresholds: Sequence[float],
    num_classes: int,
    ignore_index: int = 255,
) -> ImageMapCounts:
    """Count one image; the maps are brought to the size of ``gt`` first.

    Args:
        maps: The class maps.
        gt: Integer (H, W), class ids or ``ignore_index``.
        thresholds: Strictly increasing.
        num_classes: Number C of classes with background.
        ignore_index: Pixels of this value in ``gt`` do not count.

    Raises:
        ValueError: ``gt`` is not of the image's size, or holds an id outside the list.
    """
    scores = maps.full_size_scores()
    counts = threshold_counts(scores, maps.keys, gt, thresholds, num_classes, ignore_index)
    keys = np.union1d([0], maps.keys).astype(np.int64)
    areas = None
    if maps.has_background:
        labels = maps.keys[scores.argmax(0)]
        table = confusion_counts(labels, gt, num_classes, ignore_index)
        areas = np.stack([np.diag(table), table[:, :num_classes].sum(0), table.sum(1)])
    return ImageMapCounts(
        keys, counts.intersect[:, keys], counts.pred_area[:, keys], counts.gt_area, areas
    )


def score_map_counts(
    images: Iterable[ImageMapCounts], thresholds: Sequence[float], num_classes: int
) -> MapScores:
    """Add up the counts of :func:`count_maps`, with the same ``thresholds``, and score them."""
    intersect = np.zeros((len(thresholds), num_classes), np.int64)
    pred_area, gt_area = intersect.copy(), np.zeros(num_classes, np.int64)
    argmax_areas: np.ndarray | None = np.zeros((3, num_classes), np.int64)
    for image in images:
        intersect[:, image.keys] += image.intersect
        pred_area[:, image.keys] += image.pred_area
        gt_area += image.gt_area
        if argmax_areas is None or image.argmax_areas is None:
            argmax_areas = None
        else:
            argmax_areas += image.argmax_areas
    iou = scored_iou(intersect, pred_area, gt_area)
    argmax_iou = None if argmax_areas is None else scored_iou(*argmax_areas)
    miou = mean_iou(iou)
    best = best_index(miou)
    areas = np.stack([intersect[best], pred_area[best], gt_area])
    return MapScores(tuple(thresholds), miou, iou, argmax_iou, areas)

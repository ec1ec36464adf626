"""MIoU of segmenters over the classes that the true masks have."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS

from mmwsss.evaluation.doubts import doubtful_score, warnings
from mmwsss.evaluation.metrics.samples import class_names

__all__ = ['MeanIoUMetric']


@METRICS.register_module()
class MeanIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric`` that leaves classes out of the mean which no true mask has, and names them.

    mmseg counts such a class as 0 once it is predicted anywhere. What makes the score worthless is warned of,
    see :func:`~mmwsss.evaluation.doubts.doubtful_score`; arguments are mmseg's.

    Attributes:
        notes: The warnings of the last evaluation, for the record of a test.
    """

    notes: tuple[str, ...] = ()

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Count the areas of a batch.

        Raises:
            ValueError: A sample has no segmentation: it is a localizer's.
        """
        if any('pred_sem_seg' not in sample for sample in data_samples):
            raise ValueError(
                f'{type(self).__name__} scores the masks of segmenters, but the model makes none; '
                "class maps of localizers are scored by dict(type='MapIoUMetric')"
            )
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Add up the areas of all images, and score them."""
        if self.format_only:
            return dict(super().compute_metrics(results))
        intersect, union, predicted, true = (
            sum(area.double() for area in c) for c in zip(*results)
        )
        areas = np.stack([area.numpy() for area in (intersect, predicted, true)]).astype(np.int64)
        self.notes = tuple(warnings(doubtful_score(areas, 0, class_names(self.dataset_meta))))
        for note in self.notes:
            print_log(note.removeprefix('WARNING: '), logger='current', level=logging.WARNING)
        union[true == 0] = predicted[true == 0] = 0
        return dict(super().compute_metrics([(intersect, union, predicted, true)]))

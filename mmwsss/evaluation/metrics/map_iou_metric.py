"""mIoU of class maps over background thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from mmwsss.evaluation.map_counts import (
    DEFAULT_THRESHOLDS,
    ImageMapCounts,
    check_maps_scored,
    check_thresholds,
    count_maps,
    score_map_counts,
)
from mmwsss.evaluation.metrics.samples import class_names, image_name, sample_array
from mmwsss.io import ClassMaps

__all__ = ['MapIoUMetric']


@METRICS.register_module()
class MapIoUMetric(BaseMetric):
    """mIoU of class maps at every threshold, against ground truth, in percent.

    Reads ``pred_map_keys`` (n,), ``pred_map_scores`` (n, h, w) and ``gt_sem_seg`` of each data sample. The
    table uses ground truth: it says how good the maps are, it must not choose anything that goes into a
    reported score. Returned are ``mIoU_best`` and ``best_threshold`` and, for maps with their own
    background, ``mIoU_argmax``, which needs no threshold.

    Args:
        thresholds: Strictly increasing; None: 0.05, 0.10 .. 0.95.
        ignore_index: Value of ground-truth pixels that do not count.
        per_class: Log the IoU per class at the best threshold too.
        collect_device: As in mmengine.
        prefix: As in mmengine; ``'maps'`` by default.

    Raises:
        ValueError: ``thresholds`` are empty or not increasing; or, when a loop is built with the metric, the
            classes of its dataset have no background.
    """

    default_prefix = 'maps'

    def __init__(
        self,
        thresholds: Sequence[float] | None = None,
        ignore_index: int = 255,
        per_class: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.thresholds = tuple(DEFAULT_THRESHOLDS if thresholds is None else thresholds)
        check_thresholds(self.thresholds)
        self.ignore_index = ignore_index
        self.per_class = per_class

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Metainfo of the dataset, as in mmengine."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        if dataset_meta.get('classes'):
            check_maps_scored(dataset_meta['classes'])
        self._dataset_meta = dataset_meta

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Count each image.

        Raises:
            ValueError: A sample lacks an entry, or its entries do not fit together; names the image.
        """
        for sample in data_samples:
            try:
                self.results.append(self._count(sample))
            except (TypeError, ValueError) as error:
                raise ValueError(f'{image_name(sample)}: {error}') from error

    def _count(self, sample: dict[str, Any]) -> ImageMapCounts:
        keys, scores, gt = (
            sample_array(sample, key) for key in ('pred_map_keys', 'pred_map_scores', 'gt_sem_seg')
        )
        size = tuple(sample.get('ori_shape', gt.shape)[:2])
        maps = ClassMaps(keys, scores, size)
        return count_maps(
            maps, gt, self.thresholds, len(class_names(self.dataset_meta)), self.ignore_index
        )

    def compute_metrics(self, results: list[ImageMapCounts]) -> dict[str, float]:
        """Log the table and return its best row."""
        images = (ImageMapCounts(*entry) for entry in results)  # mmengine makes them plain tuples
        scores = score_map_counts(images, self.thresholds, len(class_names(self.dataset_meta)))
        text = f'{len(results)} images, ignore label {self.ignore_index}: {scores.table()}'
        if self.per_class:
            text += '\n' + scores.class_table(class_names(self.dataset_meta))
        print_log(text, logger='current')
        metrics = {
            'mIoU_best': 100 * float(scores.miou[scores.best]),
            'best_threshold': float(scores.thresholds[scores.best]),
        }
        if scores.argmax_miou is not None:
            metrics['mIoU_argmax'] = 100 * scores.argmax_miou
        return metrics

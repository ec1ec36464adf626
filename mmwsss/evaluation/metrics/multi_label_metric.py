"""Mean average precision of image-level classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from mmwsss.evaluation.metrics.samples import class_names, image_name, sample_array
from mmwsss.evaluation.tables import class_table, percent
from mmwsss.utils.names import names_by_number

__all__ = ['MultiLabelMetric', 'average_precision']


def average_precision(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average precision per class, not interpolated (scikit-learn's definition).

    Args:
        labels: Multi-hot (N, K).
        scores: (N, K), larger means surer.

    Returns:
        float64 (K,) in 0..1; NaN for a class without positive image.
    """
    from sklearn.metrics import average_precision_score  # slow to import

    result = np.full(labels.shape[1], np.nan)
    for k in np.flatnonzero(labels.any(0)):
        result[k] = average_precision_score(labels[:, k], scores[:, k])
    return result


@METRICS.register_module()
class MultiLabelMetric(BaseMetric):
    """mAP over the classes that have positive images, in percent.

    Reads ``pred_score`` (K,) and multi-hot ``gt_label`` (K,) of each data sample. It uses image-level
    labels only, so it may choose checkpoints.

    Args:
        per_class: Return ``AP_<class>`` too. The table is logged anyway.
        collect_device: As in mmengine.
        prefix: As in mmengine; ``'cls'`` by default.
    """

    default_prefix = 'cls'

    def __init__(
        self, per_class: bool = False, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.per_class = per_class

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep scores and labels of each image.

        Raises:
            ValueError: A sample lacks an entry, or it is of another length or not finite.
        """
        for sample in data_samples:
            score = sample_array(sample, 'pred_score').astype(np.float64)
            label = sample_array(sample, 'gt_label')
            if score.shape != label.shape or score.ndim != 1 or not np.isfinite(score).all():
                raise ValueError(
                    f'{image_name(sample)}: pred_score must be finite and as long as gt_label '
                    f'{label.shape}, but got {score.shape}, finite: {np.isfinite(score).all()}'
                )
            self.results.append((label > 0, score))

    def compute_metrics(self, results: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
        """Return ``mAP`` in percent, and per class where asked for; log the table."""
        labels, scores = (np.stack(column) for column in zip(*results))
        precision = average_precision(labels, scores)
        names = names_by_number(class_names(self.dataset_meta))[1:]
        defined = precision[~np.isnan(precision)]
        mean = float(defined.mean()) if len(defined) else float('nan')
        print_log(
            f'image-level classification, {len(labels)} images: mAP {percent(mean)} over '
            f'{len(defined)} classes with positive images\n'
            + class_table(
                names, {'AP': precision.tolist(), 'share of images': labels.mean(0).tolist()}
            ),
            logger='current',
        )
        metrics = {'mAP': 100 * mean}
        if self.per_class:
            metrics.update({f'AP_{name}': 100 * float(ap) for name, ap in zip(names, precision)})
        return metrics

"""IA-mIoU of a folder of masks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.fileio import load

from mmwsss.evaluation.folder import PairScore
from mmwsss.evaluation.instances import open_instances
from mmwsss.evaluation.metrics.ia_miou_metric import SIZES
from mmwsss.evaluation.metrics.ia_miou_metric import class_table as instance_table
from mmwsss.functional.ia_miou import InstanceRecords, ia_miou_from_records, instance_ious

__all__ = ['InstanceScore', 'read_category_map']

COMPONENTS = '8-connected components of the ground truth'


class InstanceScore(PairScore):
    """Instance-aware mIoU over all, small, medium and large instances.

    Args:
        classes: Class names, background first.
        instances: Folder of instance maps, or a COCO or LVIS JSON. None: the instances are the
            8-connected components of each class of the ground truth.
        category_map: Category name of a JSON -> class name. None: equal names.
        ignore_index: Ground-truth pixels of this value do not count.
        tolerance: Share of an instance's pixels that may contradict the ground truth; see
            :func:`mmwsss.functional.ia_miou.instance_ious`.

    Raises:
        FileNotFoundError: ``instances`` does not exist.
        ValueError: A JSON holds no category of ``classes``, or ``tolerance`` is out of range.
    """

    def __init__(
        self,
        classes: Sequence[str],
        instances: str | os.PathLike[str] | None = None,
        category_map: Mapping[str, str] | None = None,
        ignore_index: int = 255,
        tolerance: float = 0.0,
    ) -> None:
        if not 0 <= tolerance < 1:
            raise ValueError(f'tolerance must lie in [0, 1), but got {tolerance}')
        self.classes, self.ignore_index, self.tolerance = list(classes), ignore_index, tolerance
        self.source = COMPONENTS if instances is None else os.fspath(instances)
        self._find: Callable[[str, tuple[int, int]], Any] = lambda name, size: None
        if instances is not None:
            self._find = open_instances(instances, classes, category_map)
        self.records: list[InstanceRecords] = []

    def count(self, name: str, pred: np.ndarray, gt: np.ndarray) -> InstanceRecords:
        """Return one record per instance of the image."""
        return instance_ious(
            pred,
            gt,
            self._find(name, gt.shape),
            len(self.classes),
            self.ignore_index,
            tolerance=self.tolerance,
        )

    def add(self, counts: InstanceRecords) -> None:
        """Keep the records: three numbers per instance."""
        self.records.append(counts)

    def result(self) -> dict[str, Any]:
        """Return the four means, scores and instances by size and class name, and the source."""
        scores = ia_miou_from_records(self.records, len(self.classes))
        means = {key: scores[key] for key in ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L')}
        for suffix in SIZES:
            for title, key in (('IA_per_class', 'per_class'), ('instances', 'num_per_class')):
                values = scores[f'{key}{suffix}'].tolist()
                means[f'{title}{suffix}'] = dict(zip(self.classes[1:], values[1:]))
        return {
            **means,
            'num_instances': scores['num_instances'],
            'instance_source': self.source,
            'instance_tolerance': self.tolerance,
        }

    def table(self) -> str:
        """Return the source and the table of classes and sizes."""
        scores = ia_miou_from_records(self.records, len(self.classes))
        note = f', up to {self.tolerance:.0%} of one may contradict the mask' * bool(self.tolerance)
        return f'instances: {self.source}{note}\n{instance_table(scores, self.classes)}'


def read_category_map(
    path: str | os.PathLike[str] | None, classes: Sequence[str]
) -> dict[str, str] | None:
    """Read which category of a COCO or LVIS file is which class.

    Args:
        path: A JSON object {category name: class name}, or None.
        classes: Class names, background first.

    Returns:
        The map. With ``path=None``: equal names, and for PASCAL VOC's classes also the names of COCO
        and LVIS in the category table of PASCAL-B.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is no such object.
    """
    from mmwsss.datasets import VOC12WSSSDataset
    from mmwsss.datasets.pascal_b_builder import read_category_table

    if path is not None:
        if not Path(path).is_file():
            raise FileNotFoundError(f'category map not found: {path}')
        found = load(os.fspath(path), file_format='json')
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            raise ValueError(f'{path} must be a JSON object of category name: class name')
        return found
    if tuple(classes) != VOC12WSSSDataset.METAINFO['classes']:
        return None
    table = read_category_table()
    return {**table['lvis'], **table['coco'], **{name: name for name in classes[1:]}}

"""IA-mIoU in the validation and test loops of any mmseg model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from mmwsss.evaluation.instances import InstanceFolder, open_instances
from mmwsss.functional.ia_miou import InstanceRecords, ia_miou_from_records, instance_ious
from mmwsss.functional.polygons import import_mask_api

__all__ = ['IAmIoUMetric', 'class_table']

SIZES = ('', '_S', '_M', '_L')


@METRICS.register_module()
class IAmIoUMetric(BaseMetric):
    """Instance-aware mIoU, over all instances and over small, medium and large ones.

    Returns ``IA-mIoU``, ``IA_S``, ``IA_M`` and ``IA_L`` in percent, unrounded (NaN where there are no such
    instances), and logs a table per class. Class 0 is background and has no instances. Definition and
    source: :func:`mmwsss.functional.ia_miou.instance_ious`.

    Without ``instance_dir`` and ``instance_file``, the instances are the 8-connected components of the
    ground-truth mask. ``self.results`` holds one entry per image, whatever the number of instances,
    so that results of several processes are merged and cut as MMEngine expects.

    Args:
        instance_dir: Folder of instance maps ``<image id><instance_suffix>`` such as VOC's
            ``SegmentationObject``: 0 = none, 255 = ignored. The image id is ``img_id`` of the data
            sample or else the stem of ``seg_map_path`` or ``img_path``.
        instance_suffix: ``'.png'`` or ``'.npy'``.
        instance_file: COCO or LVIS JSON with the instances, instead of ``instance_dir``.
        category_map: Category name of ``instance_file`` -> class name. None: equal names.
        ignore_index: Label of pixels that are not scored.
        tolerance: Share of an instance's pixels that may contradict the mask; see the function.
        collect_device: ``'cpu'`` or ``'gpu'``, where results of all processes meet.
        collect_dir: Folder in which they meet on the CPU.
        prefix: Put in front of the names of the scores.

    Raises:
        FileNotFoundError: ``instance_dir`` or ``instance_file`` does not exist.
        ImportError: ``instance_file`` is given, and pycocotools is missing.
        ValueError: Both are given, or ``tolerance`` is out of range.
    """

    default_prefix: ClassVar[str | None] = None

    def __init__(
        self,
        instance_dir: str | None = None,
        instance_suffix: str = '.png',
        instance_file: str | None = None,
        category_map: Mapping[str, str] | None = None,
        ignore_index: int = 255,
        tolerance: float = 0.0,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if instance_dir is not None and instance_file is not None:
            raise ValueError('instance_dir and instance_file must not both be given')
        if not 0 <= tolerance < 1:
            raise ValueError(f'tolerance must lie in [0, 1), but got {tolerance}')
        if instance_file is not None:  # now, and not at the first validation
            import_mask_api()
            if not Path(instance_file).is_file():
                raise FileNotFoundError(f'instance_file not found: {instance_file}')
        self.ignore_index = ignore_index
        self.tolerance = tolerance
        self.category_map = category_map
        self.instance_file = instance_file
        self._source: Any = None
        if instance_dir is not None:
            self._source = InstanceFolder(instance_dir, instance_suffix)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Score a batch; one entry per image goes to ``self.results``.

        Args:
            data_batch: Not used.
            data_samples: Data samples as dictionaries, with ``pred_sem_seg`` and ``gt_sem_seg``.

        Raises:
            FileNotFoundError: An image has no instance map.
            ValueError: An image lacks its ground truth, or maps do not fit; the image is named.
        """
        num_classes = len(self._classes())
        for sample in data_samples:
            name = _image_id(sample)
            if sample.get('gt_sem_seg') is None:
                raise ValueError(f'image {name!r}: the data sample has no gt_sem_seg to score')
            gt = _label_map(sample['gt_sem_seg'])
            try:
                records = instance_ious(
                    _label_map(sample['pred_sem_seg']),
                    gt,
                    self._instances(name, gt.shape),
                    num_classes,
                    self.ignore_index,
                    tolerance=self.tolerance,
                )
            except ValueError as error:
                raise ValueError(f'image {name!r}: {error}') from error
            self.results.append(records._asdict())

    def compute_metrics(self, results: list[dict[str, np.ndarray]]) -> dict[str, float]:
        """Merge the images' records.

        Args:
            results: One dictionary of arrays per image.

        Returns:
            The four scores in percent.
        """
        records = [InstanceRecords(**result) for result in results]
        scores = ia_miou_from_records(records, len(self._classes()))
        print_log(
            'IA-mIoU per class (%):\n' + class_table(scores, self._classes()), logger='current'
        )
        return {key: 100 * scores[key] for key in ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L')}

    def _classes(self) -> Sequence[str]:
        if not self.dataset_meta or 'classes' not in self.dataset_meta:
            raise ValueError("dataset_meta must have 'classes', background first")
        return self.dataset_meta['classes']

    def _instances(self, name: str, image_size: tuple[int, int]) -> Any:
        if self._source is None and self.instance_file is not None:
            self._source = open_instances(self.instance_file, self._classes(), self.category_map)
        return None if self._source is None else self._source(name, image_size)


def class_table(scores: Mapping[str, Any], classes: Sequence[str]) -> str:
    """Lay out the scores of :func:`mmwsss.functional.ia_miou.ia_miou` as a text table.

    Args:
        scores: What the function returns.
        classes: Class names with background first.

    Returns:
        One line per class that has instances, percent and number of instances for each size, and a
        last line with the means.
    """
    width = max(len(name) for name in ('IA-mIoU', *classes))
    header = ''.join(f'{title:>16}' for title in ('all', 'small', 'medium', 'large'))
    lines = [f'{"class":<{width}}{header}']
    for c, name in enumerate(classes):
        if scores['num_per_class'][c]:
            cells = [(scores[f'per_class{s}'][c], scores[f'num_per_class{s}'][c]) for s in SIZES]
            lines.append(f'{name:<{width}}' + ''.join(_cell(*cell) for cell in cells))
    counts = scores['num_instances']
    cells = [(scores[f'IA{s}' if s else 'IA-mIoU'], counts[s.lstrip('_') or 'all']) for s in SIZES]
    lines.append(f'{"IA-mIoU":<{width}}' + ''.join(_cell(*cell) for cell in cells))
    return '\n'.join(lines)


def _cell(score: float, count: int) -> str:
    shown = '-' if np.isnan(score) else f'{100 * score:.2f}'
    return f'{shown:>8} {f"({count})":<7}'


def _label_map(pixel_data: Any) -> np.ndarray:
    data = pixel_data['data'] if isinstance(pixel_data, Mapping) else pixel_data.data
    data = data.detach().cpu().numpy() if hasattr(data, 'detach') else np.asarray(data)
    return data.reshape(data.shape[-2:])


def _image_id(sample: Mapping[str, Any]) -> str:
    if sample.get('img_id') is not None:
        return str(sample['img_id'])
    for key in ('seg_map_path', 'img_path'):
        if sample.get(key):
            return PurePath(sample[key]).stem
    raise ValueError('a data sample must have img_id, seg_map_path or img_path')

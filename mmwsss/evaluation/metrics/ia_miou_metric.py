"""IA-mIoU in the validation and test loops of any mmseg model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from mmwsss.evaluation.instance_score import MEANS, InstanceScore
from mmwsss.evaluation.metrics.samples import class_names, image_name, sample_array
from mmwsss.functional.checks import check_range
from mmwsss.functional.ia_miou import InstanceRecords
from mmwsss.functional.polygons import import_mask_api
from mmwsss.io import require_file, require_folder

__all__ = ['IAmIoUMetric']


@METRICS.register_module()
class IAmIoUMetric(BaseMetric):
    """Instance-aware mIoU, over all instances and over small, medium and large ones.

    Returns ``IA-mIoU``, ``IA_S``, ``IA_M`` and ``IA_L`` in percent, unrounded (NaN where there are no such
    instances), and logs a table per class. Definition and source:
    :func:`mmwsss.functional.ia_miou.instance_ious`. Without ``instance_dir`` and ``instance_file``, the
    instances are the 8-connected components of the ground-truth mask.

    Args:
        instance_dir: Folder of instance maps ``<image id>.png`` or ``.npy`` such as VOC's
            ``SegmentationObject``: 0 = none, 255 = ignored. The image id is ``img_id`` of the data
            sample or else the stem of ``seg_map_path`` or ``img_path``.
        instance_file: COCO or LVIS JSON with the instances, instead of ``instance_dir``.
        category_map: Category name of ``instance_file`` -> class name. None: equal names.
        ignore_index: Label of pixels that are not scored.
        tolerance: Share of an instance's pixels that may contradict the mask; see the function.
        include_background: Average over the background too, scored per image, as the published averages
            do; the score is then called ``IA-mIoU_with_background``. The other three stay.
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
        instance_file: str | None = None,
        category_map: Mapping[str, str] | None = None,
        ignore_index: int = 255,
        tolerance: float = 0.0,
        include_background: bool = False,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if instance_dir is not None and instance_file is not None:
            raise ValueError('instance_dir and instance_file must not both be given')
        check_range('tolerance', tolerance, '[0, 1]')
        if instance_file is not None:  # now, and not at the first validation
            import_mask_api()
            require_file('instance_file', instance_file)
        self.include_background = include_background
        if instance_dir is not None:
            instance_dir = str(require_folder('instance maps', instance_dir))
        self._options: dict[str, Any] = {
            'instances': instance_dir or instance_file,
            'category_map': category_map,
            'ignore_index': ignore_index,
            'tolerance': tolerance,
            'include_background': include_background,
        }
        self._score: InstanceScore | None = None

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Metainfo of the dataset, as in mmengine."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        self._dataset_meta = dataset_meta
        self._scorer()  # classes that do not fit are refused now, not at the first validation

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Score a batch; one entry per image, for MMEngine cuts ``self.results`` to the images.

        Raises:
            FileNotFoundError: An image has no instance map.
            ValueError: An image lacks its ground truth, or maps do not fit; the image is named.
        """
        for sample in data_samples:
            name = image_name(sample)
            gt, pred = (sample_array(sample, key) for key in ('gt_sem_seg', 'pred_sem_seg'))
            try:
                records = self._scorer().count(name, pred, gt)
            except ValueError as error:
                raise ValueError(f'image {name!r}: {error}') from error
            self.results.append(records._asdict())

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Merge the images' records into the four scores in percent."""
        score = self._scorer()
        score.records = [InstanceRecords(**result) for result in results]
        print_log(f'IA-mIoU per class (%), {score.table()}', logger='current')
        result = score.result()
        percents = {key: 100 * result[key] for key in MEANS.values()}
        if self.include_background:
            percents['IA-mIoU_with_background'] = percents.pop('IA-mIoU')
        return percents

    def _scorer(self) -> InstanceScore:
        if self._score is None:
            self._score = InstanceScore(class_names(self.dataset_meta), **self._options)
        return self._score

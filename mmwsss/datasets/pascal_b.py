"""PASCAL-B: VOC's classes with all object sizes equally common, for evaluation.

Source: Mun et al., Small Objects Matters in Weakly-supervised Semantic Segmentation, WACV 2024.
"""

from __future__ import annotations

from typing import Any, ClassVar

from mmseg.registry import DATASETS

from .voc import VOC12WSSSDataset

__all__ = ['PascalBDataset']


@DATASETS.register_module()
class PascalBDataset(VOC12WSSSDataset):
    """A size-balanced evaluation set with the classes of PASCAL VOC, in VOC's layout.

    ::

        pascal_b                              made by tools/dataset_converters/pascal_b.py
        ├── JPEGImages/<id>.jpg               ids are those of COCO 2017
        ├── SegmentationClass/<id>.png        20 classes, 255 = ignore
        ├── SegmentationObject/<id>.png       instance maps for IAmIoUMetric
        ├── ImageSets/Segmentation/val.txt
        └── statistics.json                   objects per class and size, before and after

    The authors' set has 1,137 images, but their list is not public; a set built from other lists has
    another number, so none is expected unless ``expected_count`` says so. Args are those of
    :class:`VOC12WSSSDataset`.
    """

    EXPECTED_COUNTS: ClassVar[dict[str, int]] = {}

    def __init__(self, ann_file: str = 'ImageSets/Segmentation/val.txt', **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, **kwargs)

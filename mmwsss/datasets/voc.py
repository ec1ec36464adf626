"""PASCAL VOC 2012, and PASCAL-B, which has its classes."""

from __future__ import annotations

from typing import Any, ClassVar

from mmseg.registry import DATASETS

from mmwsss.io.mask_io import voc_palette

from .wsss_dataset import WSSSDataset

__all__ = ['PascalBDataset', 'VOC12WSSSDataset']


@DATASETS.register_module()
class VOC12WSSSDataset(WSSSDataset):
    """PASCAL VOC 2012 with image-level labels; 20 classes and background.

    ::

        VOCdevkit/VOC2012
        ├── JPEGImages/<id>.jpg
        ├── Annotations/<id>.xml            image-level labels
        ├── SegmentationClass/<id>.png      masks of train (1,464) and val (1,449)
        ├── SegmentationClassAug/<id>.png   made by tools/dataset_converters/voc12aug.py
        └── ImageSets/Segmentation/{train,train_aug,val}.txt

    The number of images of ``train``, ``train_aug`` (10,582: VOC's train list and the SBD images
    that are not in val), ``trainval`` and ``val`` is compared with the known one; a difference is
    a warning with both. Args are those of :class:`WSSSDataset`.
    """

    METAINFO: ClassVar[dict[str, Any]] = {
        'classes': (
            'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat',
            'chair', 'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant',
            'sheep', 'sofa', 'train', 'tvmonitor',
        ),
        'palette': voc_palette(21),
    }  # fmt: skip
    EXPECTED_COUNTS: ClassVar[dict[str, int]] = {
        'train': 1464,
        'train_aug': 10582,
        'trainaug': 10582,
        'val': 1449,
        'trainval': 2913,
    }

    def __init__(self, ann_file: str = '', img_suffix: str | None = '.jpg', **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, img_suffix=img_suffix, **kwargs)


@DATASETS.register_module()
class PascalBDataset(VOC12WSSSDataset):
    """A size-balanced evaluation set with the classes of PASCAL VOC, in VOC's layout.

    Source: Mun et al., Small Objects Matters in Weakly-supervised Semantic Segmentation, WACV 2024.

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

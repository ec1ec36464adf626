"""COCO 2014."""

from __future__ import annotations

from typing import Any, ClassVar

from mmseg.registry import DATASETS

from mmwsss.io.mask_io import voc_palette

from .wsss_dataset import WSSSDataset

__all__ = ['COCO14WSSSDataset']

COCO_CLASSES = (
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat',
    'traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog',
    'horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella',
    'handbag', 'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
    'baseball bat', 'baseball glove', 'skateboard', 'surfboard', 'tennis racket', 'bottle',
    'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple', 'sandwich', 'orange',
    'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch', 'potted plant',
    'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone',
    'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors',
    'teddy bear', 'hair drier', 'toothbrush',
)  # fmt: skip


@DATASETS.register_module()
class COCO14WSSSDataset(WSSSDataset):
    """COCO 2014 with image-level labels; 80 classes, in the order of their category ids.

    ::

        coco2014
        ├── train2014/COCO_train2014_<12 digits>.jpg
        ├── val2014/COCO_val2014_<12 digits>.jpg
        ├── annotations/instances_{train,val}2014.json
        └── made by tools/dataset_converters/coco14.py:
            masks/{train,val}2014/<id>.png, labels_{train,val}.json, {train,val}.txt

    ``train`` and ``val`` hold the images that carry labels: 82,081 of 82,783 and 40,137 of 40,504.
    Another number is a warning with both. Args are those of :class:`WSSSDataset`.
    """

    METAINFO: ClassVar[dict[str, Any]] = {
        'classes': ('background', *COCO_CLASSES),
        'palette': voc_palette(81),
    }
    EXPECTED_COUNTS: ClassVar[dict[str, int]] = {
        'train': 82081,
        'val': 40137,
        'instances_train2014': 82081,
        'instances_val2014': 40137,
    }

    def __init__(self, ann_file: str = '', img_suffix: str | None = '.jpg', **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, img_suffix=img_suffix, **kwargs)

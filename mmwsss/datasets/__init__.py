"""Datasets with image-level labels."""

from . import transforms
from .coco import COCO14WSSSDataset
from .labels import read_image_ids, read_image_labels
from .pascal_b import PascalBDataset
from .samplers import SeededSampler
from .transforms import (
    LoadImage,
    LoadMask,
    PackWSSSInputs,
    PaddedRandomCrop,
    RandomResizeLongSide,
)
from .voc import VOC12WSSSDataset
from .wsss_dataset import WSSSDataset

__all__ = [
    'COCO14WSSSDataset',
    'LoadImage',
    'LoadMask',
    'PackWSSSInputs',
    'PaddedRandomCrop',
    'PascalBDataset',
    'RandomResizeLongSide',
    'SeededSampler',
    'VOC12WSSSDataset',
    'WSSSDataset',
    'read_image_ids',
    'read_image_labels',
    'transforms',
]

"""Datasets with image-level labels."""

from . import transforms
from .coco import COCO14WSSSDataset
from .concat import WSSSConcatDataset
from .labels import read_image_ids, read_image_labels
from .pair_dataset import PairDataset, flatten_groups
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
    'PairDataset',
    'PascalBDataset',
    'RandomResizeLongSide',
    'SeededSampler',
    'VOC12WSSSDataset',
    'WSSSConcatDataset',
    'WSSSDataset',
    'flatten_groups',
    'read_image_ids',
    'read_image_labels',
    'transforms',
]

"""Heads: the localizers' (class maps) and the segmenters' (decode heads)."""

from mmwsss.models.heads.base import BaseMapHead, stack_labels
from mmwsss.models.heads.cam_head import CAMHead
from mmwsss.models.heads.deeplabv2_head import DeepLabV2Head
from mmwsss.models.heads.largefov_head import LargeFOVHead
from mmwsss.models.heads.rpnet_head import RPNetHead
from mmwsss.models.heads.seeded_ham_head import SeededLightHamHead
from mmwsss.models.heads.single_feature import SingleFeatureDecodeHead
from mmwsss.models.heads.sipe_head import SIPEHead

__all__ = [
    'BaseMapHead',
    'CAMHead',
    'DeepLabV2Head',
    'LargeFOVHead',
    'RPNetHead',
    'SIPEHead',
    'SeededLightHamHead',
    'SingleFeatureDecodeHead',
    'stack_labels',
]

"""Registered models: localizers, heads, losses and segmentors."""

from mmwsss.models.classifiers import ImageLevelClassifier
from mmwsss.models.data_preprocessor import WSSSDataPreProcessor
from mmwsss.models.heads import (
    BaseMapHead,
    CAMHead,
    DeepLabV2Head,
    LargeFOVHead,
    SIPEHead,
)
from mmwsss.models.irnet import IRNet
from mmwsss.models.losses import SizeBalancedCrossEntropyLoss
from mmwsss.models.segmentors import MSCEncoderDecoder

__all__ = [
    'BaseMapHead',
    'CAMHead',
    'DeepLabV2Head',
    'IRNet',
    'ImageLevelClassifier',
    'LargeFOVHead',
    'MSCEncoderDecoder',
    'SIPEHead',
    'SizeBalancedCrossEntropyLoss',
    'WSSSDataPreProcessor',
]

"""Registered models: localizers, heads, losses and segmentors."""

from mmwsss.models.backbones import (
    AnySizeMixVisionTransformer,
    EfficientNetLite,
    GridVisionTransformer,
    WideResNet38,
)
from mmwsss.models.classifiers import ImageLevelClassifier
from mmwsss.models.data_preprocessor import WSSSDataPreProcessor
from mmwsss.models.heads import (
    BaseMapHead,
    CAMHead,
    DeepLabV2Head,
    LargeFOVHead,
    RPNetHead,
    SeededLightHamHead,
    SIPEHead,
)
from mmwsss.models.irnet import IRNet
from mmwsss.models.losses import SizeBalancedCrossEntropyLoss
from mmwsss.models.segmentors import MSCEncoderDecoder, ScoreTTAModel

__all__ = [
    'AnySizeMixVisionTransformer',
    'BaseMapHead',
    'CAMHead',
    'DeepLabV2Head',
    'EfficientNetLite',
    'GridVisionTransformer',
    'IRNet',
    'ImageLevelClassifier',
    'LargeFOVHead',
    'MSCEncoderDecoder',
    'RPNetHead',
    'SIPEHead',
    'ScoreTTAModel',
    'SeededLightHamHead',
    'SizeBalancedCrossEntropyLoss',
    'WSSSDataPreProcessor',
    'WideResNet38',
]

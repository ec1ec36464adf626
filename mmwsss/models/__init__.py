"""Registered models: localizers, heads, losses and segmentors."""

from mmwsss.models.classifiers import ImageLevelClassifier
from mmwsss.models.data_preprocessor import WSSSDataPreProcessor
from mmwsss.models.heads import BaseMapHead, CAMHead

__all__ = ['BaseMapHead', 'CAMHead', 'ImageLevelClassifier', 'WSSSDataPreProcessor']

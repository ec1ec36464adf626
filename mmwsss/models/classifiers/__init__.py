"""Localizers: classifiers that are trained on image labels."""

from mmwsss.models.classifiers.image_level import ImageLevelClassifier

__all__ = ['ImageLevelClassifier']

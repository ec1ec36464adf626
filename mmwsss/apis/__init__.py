"""The library behind the tools, and what scripts and notebooks need of it."""

from mmwsss.functional.ia_miou import ia_miou
from mmwsss.stages.inference import (
    Segmented,
    class_maps,
    refine_maps,
    segment_images,
)
from mmwsss.stages.load import load_localizer, load_model
from mmwsss.stages.photos import find_images
from mmwsss.stages.predict import predict

__all__ = [
    'Segmented',
    'class_maps',
    'find_images',
    'ia_miou',
    'load_localizer',
    'load_model',
    'predict',
    'refine_maps',
    'segment_images',
]

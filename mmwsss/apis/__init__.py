"""The library behind the tools, and what scripts and notebooks need of it."""

from mmwsss.functional.ia_miou import ia_miou
from mmwsss.stages.inference import (
    Segmented,
    class_maps,
    find_images,
    refine_maps,
    segment_images,
)
from mmwsss.stages.maps import load_localizer

__all__ = [
    'Segmented',
    'class_maps',
    'find_images',
    'ia_miou',
    'load_localizer',
    'refine_maps',
    'segment_images',
]

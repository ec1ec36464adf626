"""Registries of our own; everything else registers in ``mmseg.registry``."""

from mmengine.registry import Registry
from mmseg.registry import MODELS

__all__ = ['REFINERS']

# Refiners, from class maps to masks.
REFINERS = Registry('refiner', parent=MODELS, scope='mmwsss', locations=['mmwsss.refine'])

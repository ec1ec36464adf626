"""Refiners: from class maps to masks."""

from mmwsss.refine.background import BackgroundThreshold
from mmwsss.refine.base import BaseRefiner, MapsOrLabels, check_image
from mmwsss.refine.chain import RefinerChain, build_refiner, labels_from_maps
from mmwsss.refine.confident_labels import ConfidentLabels
from mmwsss.refine.dense_crf import DenseCRF
from mmwsss.refine.random_walk import RandomWalk
from mmwsss.refine.svm_expansion import SVMExpansion
from mmwsss.registry import REFINERS

__all__ = [
    'REFINERS',
    'BackgroundThreshold',
    'BaseRefiner',
    'ConfidentLabels',
    'DenseCRF',
    'MapsOrLabels',
    'RandomWalk',
    'RefinerChain',
    'SVMExpansion',
    'build_refiner',
    'check_image',
    'labels_from_maps',
]

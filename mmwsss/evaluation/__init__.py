"""Scores: metrics for mmengine's evaluator, and scoring of folders."""

from mmwsss.evaluation.folder import FolderScore, MeanIoUScore, PairScore, score_maps, score_masks
from mmwsss.evaluation.metrics import IAmIoUMetric, MapIoUMetric, MultiLabelMetric

__all__ = [
    'FolderScore',
    'IAmIoUMetric',
    'MapIoUMetric',
    'MeanIoUScore',
    'MultiLabelMetric',
    'PairScore',
    'score_maps',
    'score_masks',
]

"""Scores: metrics for mmengine's evaluator, and scoring of folders."""

from mmwsss.evaluation.crf_evaluator import DenseCRFEvaluator
from mmwsss.evaluation.folder import FolderScore, MeanIoUScore, PairScore, score_maps, score_masks
from mmwsss.evaluation.instance_score import InstanceScore
from mmwsss.evaluation.metrics import IAmIoUMetric, MapIoUMetric, MultiLabelMetric

__all__ = [
    'DenseCRFEvaluator',
    'FolderScore',
    'IAmIoUMetric',
    'InstanceScore',
    'MapIoUMetric',
    'MeanIoUScore',
    'MultiLabelMetric',
    'PairScore',
    'score_maps',
    'score_masks',
]

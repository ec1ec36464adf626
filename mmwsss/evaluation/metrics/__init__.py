"""Metrics for mmengine's evaluator."""

from mmwsss.evaluation.metrics.ia_miou_metric import IAmIoUMetric
from mmwsss.evaluation.metrics.map_iou_metric import MapIoUMetric
from mmwsss.evaluation.metrics.multi_label_metric import MultiLabelMetric

__all__ = ['IAmIoUMetric', 'MapIoUMetric', 'MultiLabelMetric']

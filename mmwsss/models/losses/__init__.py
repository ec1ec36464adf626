"""Losses."""

from mmwsss.models.losses.global_cross_entropy import GlobalCrossEntropyLoss
from mmwsss.models.losses.size_balanced_cross_entropy import SizeBalancedCrossEntropyLoss

__all__ = ['GlobalCrossEntropyLoss', 'SizeBalancedCrossEntropyLoss']

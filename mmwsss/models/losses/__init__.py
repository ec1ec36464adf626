"""Losses."""

from mmwsss.models.losses.size_balanced_cross_entropy import SizeBalancedCrossEntropyLoss

__all__ = ['SizeBalancedCrossEntropyLoss']

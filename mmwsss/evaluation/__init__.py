"""Scores: metrics for mmengine's evaluator, and scoring of folders."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

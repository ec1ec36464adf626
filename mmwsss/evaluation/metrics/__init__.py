"""Metrics for mmengine's evaluator."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

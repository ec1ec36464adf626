"""Registered models: localizers, heads, losses and segmentors."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

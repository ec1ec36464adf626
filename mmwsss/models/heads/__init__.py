"""Heads: the localizers' (class maps) and the segmenters' (decode heads)."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

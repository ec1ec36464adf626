"""Refiners: from class maps to masks."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

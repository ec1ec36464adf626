"""Backbones that mmseg does not have, or not for images of any size."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

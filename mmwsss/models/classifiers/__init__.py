"""Localizers: classifiers that are trained on image labels."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

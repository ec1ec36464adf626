"""Pure tensor and array functions: the methods' formulas, without registry, files or devices."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

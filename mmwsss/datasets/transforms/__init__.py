"""Pipeline steps: checked loading, random size, padded crop, packing of the multi-hot label."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

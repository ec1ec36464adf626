"""What the tools in ``tools/dataset_converters`` do."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

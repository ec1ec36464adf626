"""Pictures of maps and masks."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

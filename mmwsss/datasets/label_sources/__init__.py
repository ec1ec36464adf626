"""One reader per kind of file that holds image-level labels."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

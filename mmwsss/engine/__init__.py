"""Engine parts: hooks, loops and optimizer wrappers."""

from mmwsss.utils.packages import export_modules

__all__ = export_modules(__name__)

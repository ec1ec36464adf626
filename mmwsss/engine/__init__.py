"""Engine parts: hooks."""

from mmwsss.engine import hooks

__all__ = ['hooks']

"""Engine parts: hooks and optimizer wrappers."""

from mmwsss.engine import hooks, optim

__all__ = ['hooks', 'optim']

"""Engine parts: hooks, loops and optimizer wrappers."""

from mmwsss.engine import hooks, loops, optim

__all__ = ['hooks', 'loops', 'optim']

"""Optimizer wrappers."""

from mmwsss.engine.optim.bfloat16_wrapper import BFloat16OptimWrapper

__all__ = ['BFloat16OptimWrapper']

"""Looking into a model in the middle of a training without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ['evaluating']


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and random numbers of its own, for the time of the block.

    Afterwards every module has its own mode back (a frozen one may differ from the model's) and the random
    state of the CPU and of the model's device is what it was.
    """
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device
    model.eval()
    try:
        with torch.random.fork_rng([device] if device.type == 'cuda' else []):
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training

"""Mixed precision with bfloat16, on any device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPERS
from torch import nn

__all__ = ['BFloat16OptimWrapper']

EMULATING = ('NO AVX', 'DEFAULT', 'AVX2')


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` whose forward passes run under bfloat16 autocast.

    MMEngine's ``AmpOptimWrapper`` refuses to run on a CPU, where bfloat16 with ``ChannelsLastHook`` makes
    a MobileNetV2 training step several times faster. bfloat16 has float32's range, so there is no loss
    scaling. Parameters, gradients and optimizer states stay in float32. Processors below AVX-512 emulate
    bfloat16, several times slower than float32: on them all is float32.
    """

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run a forward pass under autocast, on the device of the model's parameters."""
        device = next(model.parameters()).device.type
        is_fast = device != 'cpu' or torch.backends.cpu.get_cpu_capability() not in EMULATING
        with super().optim_context(model), torch.autocast(device, torch.bfloat16, is_fast):
            yield

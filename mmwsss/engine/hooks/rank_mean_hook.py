"""Training curves of all processes, not of the first one."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import RuntimeInfoHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

__all__ = ['RankMeanHook']


@HOOKS.register_module()
class RankMeanHook(RuntimeInfoHook):
    """``RuntimeInfoHook`` that logs the mean of each loss over the processes.

    MMEngine logs what the first process saw, a part of the batch. With this hook the curves of one and
    of several processes with the same global batch lie on each other. It takes the place of the default
    hook ``runtime_info`` and costs one small reduction an iteration.
    """

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Average ``outputs`` in place, and log them."""
        if outputs and get_world_size() > 1:
            keys = sorted(outputs)
            device = next(runner.model.parameters()).device
            scalars = (torch.as_tensor(outputs[key]).detach() for key in keys)
            values = torch.stack([value.to(device).float().mean() for value in scalars])
            all_reduce(values, op='mean')
            outputs.update(zip(keys, values.cpu()))
        super().after_train_iter(runner, batch_idx, data_batch, outputs)

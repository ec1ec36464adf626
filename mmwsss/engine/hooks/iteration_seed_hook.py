"""Random numbers inside the network that belong to the iteration, not to the process's history."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

__all__ = ['IterationSeedHook']


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed torch's generators by (seed, rank, iteration) before each training iteration.

    Dropout and other randomness of the network then repeat when a run is resumed, on every rank, and
    do not depend on how often the data loaders were started in between. The counterpart for data is
    ``SeededSampler``; with both, a run that was killed and resumed equals one that was left alone.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | list | tuple | None = None
    ) -> None:
        """Seed the CPU and the accelerator generators."""
        sequence = np.random.SeedSequence([runner.seed or 0, runner.rank, runner.iter])
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]))

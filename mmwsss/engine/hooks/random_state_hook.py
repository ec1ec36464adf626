"""Checkpointing of torch's random state, so that a resumed run repeats an uninterrupted one."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

__all__ = ['RandomStateHook']


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Store torch's CPU and CUDA generator states in each checkpoint and restore them on resume.

    Dropout and other randomness inside the network draw from these generators. Data augmentation does
    not (see ``SeededSampler``). With several ranks the state of rank 0 is stored; other ranks derive theirs
    by their rank, so an exact repetition with dropout on several ranks is not promised.
    """

    priority = 'VERY_LOW'
    key = 'torch_random_state'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the generator states to the checkpoint."""
        state = {'cpu': torch.get_rng_state()}
        if torch.cuda.is_available():
            state['cuda'] = torch.cuda.get_rng_state()
        checkpoint[self.key] = state

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the stored states of a resumed run until training starts."""
        self._state = checkpoint.get(self.key) if runner._resume else None

    def before_train(self, runner: Runner) -> None:
        """Restore the states last, after everything else that draws numbers while setting up."""
        state = getattr(self, '_state', None)
        if state is None:
            return
        torch.set_rng_state(state['cpu'].cpu())
        if 'cuda' in state and torch.cuda.is_available():
            torch.cuda.set_rng_state(state['cuda'].cpu())
        if runner.rank > 0:
            torch.manual_seed(torch.initial_seed() + runner.rank + runner.iter)

"""The last step of IRNet's training: the mean displacement of the training set."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import DataLoader

from mmwsss.datasets.seeding import SeededItems
from mmwsss.models.irnet import IRNet
from mmwsss.utils.checkpoint import unwrapped

__all__ = ['IRNetCalibrationHook']


@HOOKS.register_module()
class IRNetCalibrationHook(Hook):
    """Set IRNet's mean displacement after the last iteration, before the last checkpoint is written.

    The losses fix the displacement field only up to a constant, which is estimated as the mean over the
    training set and subtracted at test time (IRNet, CVPR 2019). Every training image is looked at once,
    through the training pipeline, its augmentations seeded by ``seed`` and the image: up to rounding the
    result depends on neither workers nor processes. Masks by random walk do not need it, instances do.

    Args:
        seed: seed of the augmentations.
    """

    # After hooks that change parameters, before the checkpoint is written (VERY_LOW).
    priority = 'LOW'

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def before_train(self, runner: Runner) -> None:
        """Refuse a model that cannot be calibrated."""
        model = unwrapped(runner.model)
        if not isinstance(model, IRNet):
            raise TypeError(
                f'IRNetCalibrationHook belongs to an IRNet, but the model is {type(model).__name__}'
            )

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Calibrate when this was the last iteration."""
        if not self.is_last_train_iter(runner):
            return
        loader = runner.train_dataloader
        rank, world_size = get_dist_info()
        batches = DataLoader(
            SeededItems(loader.dataset, range(rank, len(loader.dataset), world_size), self.seed),
            batch_size=loader.batch_size,
            num_workers=loader.num_workers,
            collate_fn=pseudo_collate,
            generator=torch.Generator().manual_seed(self.seed),  # spares the global generator
        )
        vertical, horizontal = unwrapped(runner.model).calibrate(batches).tolist()
        print_log(
            f'IRNet: mean displacement of {len(loader.dataset)} images {vertical:.4f} (vertical), '
            f'{horizontal:.4f} (horizontal)',
            logger='current',
        )

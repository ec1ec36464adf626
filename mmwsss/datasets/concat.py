"""Several datasets as one."""

from __future__ import annotations

from typing import Any, ClassVar

from mmengine.dataset import ConcatDataset
from mmseg.registry import DATASETS

from .seeding import item_of_key

__all__ = ['WSSSConcatDataset']


@DATASETS.register_module()
class WSSSConcatDataset(ConcatDataset):
    """Datasets with the same classes, one after the other, for ``SeededSampler``.

    MMEngine's ``ConcatDataset`` whose items are also found by the sampler's keys, so that each has the
    same augmentations whatever the number of workers and ranks. Every dataset keeps its own pipeline.
    Arguments are those of ``ConcatDataset``; datasets whose classes or palettes differ are refused.
    """

    accepts_item_keys: ClassVar[bool] = True

    def __getitem__(self, idx: int) -> Any:
        """Return an item; a key of ``SeededSampler`` also fixes the randomness of its pipeline."""
        return item_of_key(super().__getitem__, idx, len(self))

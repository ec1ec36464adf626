"""Samplers whose order and augmentations do not depend on workers, ranks or restarts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sized
from numbers import Integral

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from mmwsss.datasets.seeding import encode_key

__all__ = ['SeededSampler']


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Yield keys that encode (seed, epoch, index); rank r of R takes every R-th of the global order.

    With the same global batch, one process and several ranks see the same images, with the same
    augmentations, in the same iterations; a resumed run continues the sequence. (By epochs, if the ranks
    share the images evenly or drop the last batch: else images that pad the epoch may add a batch.)

    Args:
        dataset: A dataset that understands keys (``WSSSDataset``, ``PairDataset``).
        shuffle: Draw a new permutation each epoch.
        seed: Seed; the runner's if None.
        infinite: Go on with the next epoch forever, for iteration-based training.
        epoch_size: Items of a training epoch, over all ranks; the permutations follow each other
            without a break. None: the dataset's ``epoch_size``, which a ``WSSSDataset`` with a
            ``fraction`` has, else its size.

    Raises:
        TypeError: The dataset does not understand keys.
        ValueError: ``epoch_size`` is no positive integer or goes with ``infinite``.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        infinite: bool = False,
        epoch_size: int | None = None,
    ) -> None:
        if not getattr(dataset, 'accepts_item_keys', False):
            raise TypeError(
                f'SeededSampler needs a dataset with item keys such as WSSSDataset, but got '
                f"{type(dataset).__name__}; use mmengine's DefaultSampler or InfiniteSampler for it"
            )
        is_count = isinstance(epoch_size, Integral) and epoch_size > 0
        if epoch_size is not None and (infinite or not is_count):
            allowed = 'a positive integer or None, and None with infinite=True'
            raise ValueError(f'epoch_size must be {allowed}, but got {epoch_size!r}')
        self.rank, self.world_size = get_dist_info()
        self.size = len(dataset)
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else int(seed)
        self.infinite = infinite
        if epoch_size is None and not infinite:
            epoch_size = getattr(dataset, 'epoch_size', None)
        self.epoch_size = self.size if epoch_size is None else int(epoch_size)
        self.epoch = 0
        self.skipped = 0
        if infinite:  # MMEngine steps through a sampler that ends only if it has no ``skip``
            self.skip = self._skip

    def epoch_keys(self, epoch: int) -> list[int]:
        """Keys of one pass over the dataset in global order, over all ranks."""
        generator = torch.Generator().manual_seed(self.seed + epoch)
        order = torch.arange(self.size)
        if self.shuffle:
            order = torch.randperm(self.size, generator=generator)
        return [encode_key(index, epoch, self.seed, self.size) for index in order.tolist()]

    def stream(self, start: int) -> Iterator[int]:
        """Keys of all passes in global order, over all ranks, from place ``start`` on."""
        passes = map(self.epoch_keys, itertools.count(start // self.size))
        return itertools.islice(itertools.chain.from_iterable(passes), start % self.size, None)

    def __iter__(self) -> Iterator[int]:
        """Iterate over this rank's keys."""
        if self.infinite:
            stream = self.stream(self.skipped * self.world_size)
            return itertools.islice(stream, self.rank, None, self.world_size)
        start = self.epoch * self.epoch_size
        keys = list(itertools.islice(self.stream(start), self.epoch_size))
        missing = -len(keys) % self.world_size
        padded = keys + list(itertools.islice(itertools.cycle(keys), missing))
        return iter(padded[self.rank :: self.world_size])

    def __len__(self) -> int:
        """Items of this rank in an epoch, rounded up."""
        return -(-self.epoch_size // self.world_size)

    def _skip(self, num_samples: int) -> None:
        """Start the infinite stream after ``num_samples`` items of this rank, without loading them.

        MMEngine calls ``skip`` when an iteration-based run is resumed.
        """
        self.skipped += num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation; called by MMEngine before each epoch."""
        self.epoch = epoch

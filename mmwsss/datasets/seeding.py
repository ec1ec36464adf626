"""Random numbers that belong to an item, not to a worker.

The sampler hands out a *key* that encodes (seed, epoch, index), and the dataset runs its pipeline with
generators seeded by that key: the same draw gives the same image whatever process loads it.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

__all__ = ['ItemKey', 'SeededItems', 'decode_key', 'encode_key', 'item_of_key', 'seeded_item']

EPOCHS = 1 << 24
SEEDS = 1 << 32
KEY_FLAG = 1 << 100  # above every plain index: one past the end is never taken for a key


class ItemKey(NamedTuple):
    """What a sampler's key stands for; ``seed`` and ``epoch`` are None for a plain index."""

    position: int
    epoch: int | None
    seed: int | None


def encode_key(index: int, epoch: int, seed: int, size: int) -> int:
    """Pack (seed, epoch, index) into one integer that is at least ``KEY_FLAG``.

    Raises:
        ValueError: The epoch or the seed is out of range.
    """
    if not (0 <= epoch < EPOCHS and 0 <= seed < SEEDS):
        raise ValueError(f'epoch and seed must fit 24 and 32 bits, but got {epoch} and {seed}')
    return KEY_FLAG + (seed * EPOCHS + epoch) * size + index


def decode_key(key: int, size: int) -> ItemKey:
    """Unpack a key of :func:`encode_key`; a plain index comes back as it is."""
    key = int(key)
    if key < KEY_FLAG:
        return ItemKey(key, None, None)
    rest, index = divmod(key - KEY_FLAG, size)
    seed, epoch = divmod(rest, EPOCHS)
    return ItemKey(index, epoch, seed)


@contextlib.contextmanager
def seeded_item(key: int) -> Iterator[None]:
    """Run a block with Python's and NumPy's global generators seeded by ``key``, then restore them."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    words = np.random.SeedSequence(key).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def item_of_key(get: Callable[[int], Any], key: int, size: int) -> Any:
    """``get(index)`` of a plain index, or of a key of :func:`encode_key` with the randomness it fixes."""
    index, _, seed = decode_key(key, size)
    with contextlib.nullcontext() if seed is None else seeded_item(key):
        return get(index)


class SeededItems(Dataset):
    """Items ``indices`` of a dataset, each with augmentations that depend on the seed and its index only."""

    def __init__(self, dataset: Any, indices: Sequence[int], seed: int) -> None:
        self.dataset, self.indices, self.seed = dataset, indices, seed

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, i: int) -> Any:
        index = self.indices[i]
        key = self.seed * len(self.dataset) + index
        with seeded_item(key), torch.random.fork_rng(devices=[]):
            torch.manual_seed(key)
            return self.dataset[index]

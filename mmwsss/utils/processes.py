"""Means over the processes of a distributed training, for losses that do not depend on their number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

__all__ = ['mean_over_processes', 'one_process']

_IS_ALONE = ContextVar('is_alone', default=False)


def mean_over_processes(value: Tensor) -> Tensor:
    """What a loss divides by, such as a number of pixels, averaged over all processes.

    DDP divides the sum of the processes' losses by their number; with this divisor what comes out is the
    loss of the whole batch. Every process must call it. In float64 where there are several.
    """
    if get_world_size() == 1 or _IS_ALONE.get():
        return value
    value = value.double()
    all_reduce(value, op='mean')
    return value


@contextmanager
def one_process() -> Iterator[None]:
    """Let each process compute losses of images of its own, as many as it has."""
    token = _IS_ALONE.set(True)
    try:
        yield
    finally:
        _IS_ALONE.reset(token)

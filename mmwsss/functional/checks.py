"""Argument checks shared by the pure functions: name, what was expected, what arrived."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    'check_ascending',
    'check_choice',
    'check_integers',
    'check_label_map',
    'check_range',
    'check_shapes',
    'to_labels',
    'to_numpy',
]


def check_shapes(**arrays: tuple[Any, str]) -> None:
    """Raise ValueError unless arrays have their axes, those of one name being of one size.

    Args:
        arrays: Per name an array and its axes, such as ``'N C h w'``. A digit is the size itself;
            None is no array and fits.
    """
    sizes: dict[str, int] = {}
    arrays = {name: entry for name, entry in arrays.items() if entry[0] is not None}
    for value, axes in arrays.values():
        names = axes.split()
        is_fitting = len(names) == len(value.shape) and all(
            sizes.setdefault(axis, int(axis) if axis.isdigit() else size) == size
            for axis, size in zip(names, value.shape)
        )
        if not is_fitting:
            wanted = ', '.join(f'{n} ({", ".join(a.split())})' for n, (_, a) in arrays.items())
            shapes = ', '.join(str(tuple(value.shape)) for value, _ in arrays.values())
            raise ValueError(f'shapes must be {wanted}, but got {shapes}')


def check_range(name: str, value: float | Fraction, interval: str) -> None:
    """Raise ValueError unless ``value`` lies in an interval, such as ``'[0, 1)'`` or ``'(0, inf]'``."""
    low, high = map(float, interval[1:-1].split(','))
    is_above = value > low or (interval[0] == '[' and value == low)
    if not (is_above and (value < high or (interval[-1] == ']' and value == high))):
        raise ValueError(f'{name} must lie in {interval}, but got {value}')


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, but got {value!r}')


def check_ascending(name: str, indices: Sequence[int], count: int) -> None:
    """Raise ValueError unless ``indices`` are some of 0 .. ``count - 1``, in ascending order."""
    if not indices or list(indices) != sorted({*indices} & {*range(count)}):
        raise ValueError(f'{name} must be ascending in 0..{count - 1}, but got {indices!r}')


def to_numpy(value: Any) -> NDArray[Any]:
    """Return a tensor on any device, or what NumPy takes, as an array that compiled code takes, too.

    It is contiguous, writable and of the machine's byte order: a copy where ``value`` is not, so it is not
    to be written to.
    """
    array = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)
    return np.require(array, array.dtype.newbyteorder('='), ('C', 'W'))


def to_labels(value: Any) -> NDArray[Any]:
    """As :func:`to_numpy`; unsigned 64-bit integers, which older NumPy cannot count, become signed."""
    array = to_numpy(value)
    return array.astype(np.int64) if array.dtype == np.uint64 else array


def check_integers(name: str, values: NDArray[Any] | Tensor) -> None:
    """Raise TypeError unless an array or a tensor holds integers."""
    if 'int' not in str(values.dtype):
        raise TypeError(f'{name} must hold integers, but holds {values.dtype}')


def check_label_map(
    name: str,
    labels: NDArray[Any],
    num_classes: int | None = None,
    ignore_index: int | None = 255,
    shape: tuple[int, ...] | None = None,
) -> None:
    """Raise unless ``labels`` is an integer map (H, W), of ``shape`` and with known ids where given.

    Raises:
        TypeError: It does not hold integers.
        ValueError: Its shape or an id is wrong.
    """
    check_integers(name, labels)
    if labels.ndim != 2 or labels.size == 0 or shape not in (None, labels.shape):
        raise ValueError(f'{name} must be {shape or "(H, W)"}, but got shape {labels.shape}')
    if num_classes is None or (labels.min() >= 0 and labels.max() < num_classes):
        return
    ids = np.unique(labels[((labels < 0) | (labels >= num_classes)) & (labels != ignore_index)])
    if len(ids):
        ignored = '' if ignore_index is None else f' or {ignore_index} (ignore)'
        raise ValueError(
            f'{name} must hold class ids 0..{num_classes - 1}{ignored}, but holds {ids[:10].tolist()}'
        )

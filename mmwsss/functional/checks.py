"""Argument checks shared by the pure functions: name, what was expected, what arrived."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    'check_choice',
    'check_fraction',
    'check_label_map',
    'check_ndim',
    'check_positive',
    'to_numpy',
]


def check_ndim(name: str, value: Tensor, ndim: int) -> None:
    """Raise ValueError unless ``value`` has ``ndim`` dimensions."""
    if value.ndim != ndim:
        raise ValueError(f'{name} must have {ndim} dimensions, but got shape {tuple(value.shape)}')


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` is greater than zero."""
    if not value > 0:
        raise ValueError(f'{name} must be positive, but got {value}')


def check_fraction(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f'{name} must lie in [0, 1], but got {value}')


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, but got {value!r}')


def to_numpy(value: Any) -> NDArray[Any]:
    """Return a tensor on any device, or what NumPy takes, as an array."""
    return np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)


def check_label_map(
    name: str,
    labels: NDArray[Any],
    num_classes: int | None = None,
    ignore_index: int = 255,
    shape: tuple[int, ...] | None = None,
) -> None:
    """Raise unless ``labels`` is an integer map (H, W), of ``shape`` and with known ids where given.

    Raises:
        TypeError: It does not hold integers.
        ValueError: It is not (H, W) or not ``shape``, or holds an id that is neither below
            ``num_classes`` nor ``ignore_index``.
    """
    if labels.dtype.kind not in 'iu':
        raise TypeError(f'{name} must hold integers, but holds {labels.dtype}')
    if labels.ndim != 2 or labels.size == 0:
        raise ValueError(f'{name} must be (H, W), but got shape {labels.shape}')
    if shape is not None and labels.shape != shape:
        raise ValueError(f'{name} must be {shape} like the ground truth, but got {labels.shape}')
    if num_classes is None or (labels.min() >= 0 and labels.max() < num_classes):
        return
    ids = np.unique(labels[((labels < 0) | (labels >= num_classes)) & (labels != ignore_index)])
    if len(ids):
        raise ValueError(
            f'{name} must hold class ids 0..{num_classes - 1} or {ignore_index} (ignore), '
            f'but holds {ids[:10].tolist()}'
        )

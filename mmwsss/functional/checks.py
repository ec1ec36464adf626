"""Argument checks shared by the pure functions: name, what was expected, what arrived."""

from __future__ import annotations

from torch import Tensor

__all__ = ['check_choice', 'check_fraction', 'check_ndim', 'check_positive']


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

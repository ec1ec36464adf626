"""Several processes in one, for losses that ask all of them for what they divide by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from torch import Tensor

from mmwsss.utils import processes

__all__ = ['mean_of_processes']


def mean_of_processes(
    losses: Callable[..., dict[str, Tensor]], parts: Sequence[Sequence[Any]]
) -> dict[str, Tensor]:
    """What DDP makes of the losses of processes: the mean over ``losses(*part)`` of each part.

    Raises:
        AssertionError: The losses ask the other processes for nothing.
    """
    told: list[list[Tensor]] = []

    def remember(value: Tensor, op: str) -> None:
        assert op == 'mean'
        told[-1].append(value.clone())

    def answer(value: Tensor, op: str) -> None:
        value.copy_(next(answers))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, 'get_world_size', lambda: len(parts))
        patch.setattr(processes, 'all_reduce', remember)
        for part in parts:
            told.append([])
            losses(*part)
        assert told[0]
        means = [sum(values) / len(parts) for values in zip(*told)]
        patch.setattr(processes, 'all_reduce', answer)
        found = []
        for part in parts:
            answers = iter(means)
            found.append(losses(*part))
    return {name: sum(each[name] for each in found) / len(parts) for name in found[0]}

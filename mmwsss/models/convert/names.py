"""What all conversions share: finding the weights in a file, and refusing names by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from torch import Tensor

from mmwsss.utils.names import name_some

__all__ = ['check_names', 'drop_common_prefixes', 'listing', 'name_errors', 'unwrap_state_dict']

WRAPPERS = ('net', 'model', 'state_dict')


def unwrap_state_dict(content: Any) -> dict[str, Tensor]:
    """Find the state dict in what a checkpoint file holds.

    Args:
        content: A state dict, or a dict that has one under ``net``, ``model`` or ``state_dict``.

    Raises:
        ValueError: There is none, or not all its values are tensors.
    """
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise ValueError(
            f'expected a state dict, alone or under one of {WRAPPERS}, but got '
            f'{type(content).__name__}'
        )
    wrong = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if wrong:
        raise ValueError(f'expected tensors only, but these entries are not: {listing(wrong)}')
    return dict(content)


def drop_common_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop ``module.`` and ``net.`` if every key has it."""
    for prefix in ('module.', 'net.', 'module.'):
        if state and all(key.startswith(prefix) for key in state):
            state = {key[len(prefix) :]: value for key, value in state.items()}
    return dict(state)


def name_errors(
    keys: Collection[str], known: Mapping[str, str], optional: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Keys of a state dict that are unknown, and known keys of weights that are missing.

    ``known`` says which weight a key stands for, of which there may be copies; ``optional`` are weights
    that may be missing, beside the batch counters.
    """
    leftovers = [key for key in keys if key not in known]
    present = {known[key] for key in keys if key in known}
    missing: dict[str, str] = {}
    for key, name in known.items():
        # Files older than torch 0.4.1 have no batch counters, and loading does without.
        if name not in present and name not in optional and not key.endswith('num_batches_tracked'):
            missing.setdefault(name, key)
    return leftovers, list(missing.values())


def check_names(leftovers: Sequence[str], missing: Sequence[str], what: str) -> None:
    """Raise ValueError, naming them, if names are left over or missing."""
    if leftovers or missing:
        raise ValueError(
            f'this is no {what}: keys left over: {listing(leftovers)}; missing: {listing(missing)}'
        )


def listing(names: Collection[str]) -> str:
    """The first names in quotes, and how many more there are; ``none`` for none."""
    return name_some([*map(repr, names)]) or 'none'

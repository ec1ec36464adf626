"""Names in messages: some of many, and the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

__all__ = ['check_known', 'closest_name', 'name_some', 'near_miss']

ALIKE = 0.85  # ratio of difflib from which a new name is probably a known one, misspelt


def name_some(names: Collection[str], shown: int = 10) -> str:
    """Join the first ``shown`` names by commas; say how many more there are."""
    text = ', '.join(list(names)[:shown])
    more = len(names) - shown
    return f'{text} and {more} more' if more > 0 else text


def near_miss(name: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The known name that ``name`` nearly, but not quite, is.

    Args:
        name: The name.
        known: The valid ones.
        alike: Ratio of ``difflib`` from which they are nearly the same, in 0..1.
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=alike)
    return None if name in known or not close else close[0]


def closest_name(name: str, valid: Iterable[str]) -> str:
    """Return a hint that names the valid name most like ``name``, or some of the valid names."""
    valid = list(valid)
    lowered = {candidate.lower(): candidate for candidate in reversed(valid)}
    closest = difflib.get_close_matches(name.lower(), list(lowered), n=1)
    if closest:
        return f'the closest valid name is {lowered[closest[0]]!r}'
    return f'valid names are {name_some(valid, shown=20)}'


def check_known(what: str, name: object, known: Iterable[str]) -> None:
    """Refuse an unknown name.

    Args:
        what: What the name is of, for the message.
        name: The name.
        known: The valid ones.

    Raises:
        ValueError: Names the closest valid one.
    """
    known = list(known)
    if name not in known:
        raise ValueError(f'{what} {name!r} is unknown; {closest_name(str(name), known)}')

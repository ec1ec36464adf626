"""Names of classes, and names in messages: some of many, and the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence

__all__ = [
    'BACKGROUND',
    'check_known',
    'closest_name',
    'has_background',
    'name_some',
    'names_by_number',
    'near_miss',
]

BACKGROUND = 'background'

ALIKE = 0.85  # ratio of difflib from which a new name is probably a known one, misspelt


def has_background(classes: Sequence[str]) -> bool:
    """Whether id 0 of masks is the background, which the first of the class names says, and nothing else."""
    return len(classes) > 0 and classes[0] == BACKGROUND


def names_by_number(classes: Sequence[str]) -> list[str]:
    """Names by the number that a class has in labels and class maps: 1..K, and 0 for a background.

    In masks a class has its place in ``classes``, which is its number, or, without background, one less.
    """
    return list(classes) if has_background(classes) else [BACKGROUND, *classes]


def name_some(names: Collection[str], shown: int = 10) -> str:
    """Join the first ``shown`` names by commas; say how many more there are."""
    text = ', '.join(list(names)[:shown])
    more = len(names) - shown
    return f'{text} and {more} more' if more > 0 else text


def near_miss(name: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The known name that ``name`` nearly, but not quite, is; capitals do not count.

    Args:
        name: The name.
        known: The valid ones.
        alike: Ratio of ``difflib`` from which they are nearly the same, in 0..1.
    """
    lowered = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), lowered, n=1, cutoff=alike)
    return lowered[close[0]] if close and lowered[close[0]] != name else None


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

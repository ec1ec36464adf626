"""Walks over nested dicts and lists, such as configs: one way down for everybody."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

__all__ = ['dicts_in', 'map_texts', 'rebuilt', 'texts_in', 'walk']


def walk(node: Any) -> Iterator[Any]:
    """Yield ``node`` and everything below it, parents first."""
    yield node
    below = node.values() if isinstance(node, Mapping) else node
    if isinstance(node, (Mapping, list, tuple)):
        for value in below:
            yield from walk(value)


def dicts_in(node: Any) -> Iterator[Any]:
    """Yield every dict at or below ``node``."""
    return (found for found in walk(node) if isinstance(found, Mapping))


def texts_in(node: Any) -> Iterator[str]:
    """Yield every text at or below ``node``; keys are not looked at."""
    return (found for found in walk(node) if isinstance(found, str))


def rebuilt(node: Any, change: Callable[[Any], Any], without: Collection[str] = ()) -> Any:
    """A copy of ``node`` in plain dicts and lists, whose keys are texts.

    Args:
        node: Dicts, lists and tuples of anything.
        change: Applied to everything that is none of them.
        without: Keys that are left out, on every level.
    """
    if isinstance(node, Mapping):
        kept = ((key, value) for key, value in node.items() if key not in without)
        return {str(key): rebuilt(value, change, without) for key, value in kept}
    if isinstance(node, (list, tuple)):
        return [rebuilt(value, change, without) for value in node]
    return change(node)


def map_texts(node: Any, change: Callable[[str], str]) -> Any:
    """:func:`rebuilt` with ``change`` applied to every text."""
    return rebuilt(node, lambda leaf: change(leaf) if isinstance(leaf, str) else leaf)

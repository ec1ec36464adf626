"""Walks over nested dicts and lists, such as configs: one way down for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ['dicts_in', 'map_texts', 'texts_in', 'walk']


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


def map_texts(node: Any, function: Callable[[str], str]) -> Any:
    """A copy of ``node`` with ``function`` applied to every text; tuples become lists."""
    if isinstance(node, str):
        return function(node)
    if isinstance(node, Mapping):
        return {key: map_texts(value, function) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [map_texts(value, function) for value in node]
    return node

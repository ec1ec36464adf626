"""Small text files that appear whole or not at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from mmengine.logging import print_log

from mmwsss.io.atomic import atomic_path

__all__ = ['warn_count', 'write_lines']


def write_lines(path: str | os.PathLike[str], lines: Iterable[str]) -> None:
    """Write one line each to ``path``, in UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')


def warn_count(what: str, count: int, expected: int) -> None:
    """Warn with both numbers if they differ."""
    if count != expected:
        print_log(
            f'{what}: expected {expected} images, but found {count}',
            logger='current',
            level=logging.WARNING,
        )

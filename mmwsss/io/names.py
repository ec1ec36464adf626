"""Image ids: from list files, and to paths inside a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

__all__ = ['read_id_list', 'safe_join', 'shard']


def safe_join(root: str | os.PathLike[str], name: str, suffix: str = '') -> Path:
    """Join ``root`` and an image id, refusing ids that would leave ``root``.

    Args:
        root: The folder.
        name: The image id; it may hold subfolders (``'a/b'``).
        suffix: Appended to the name, e.g. ``'.png'``.

    Raises:
        TypeError: ``name`` is not a string.
        ValueError: ``name`` is empty, absolute, or has a part that leaves ``root``.
    """
    if not isinstance(name, str):
        raise TypeError(f'an image id must be a string, but got {type(name).__name__} {name!r}')
    if not name.strip() or '\0' in name or name.endswith('/'):
        raise ValueError(f'an image id must be a non-empty file name, but got {name!r}')
    parts = name.replace('\\', '/').split('/')
    if (
        PurePosixPath(name).is_absolute()
        or PureWindowsPath(name).drive
        or PureWindowsPath(name).root
        or not {'', '.', '..'}.isdisjoint(parts)
    ):
        raise ValueError(f'image id {name!r} must be a relative path that stays inside {root}')
    return Path(root, name + suffix)


def read_id_list(path: str | os.PathLike[str]) -> list[str]:
    """Read a list of image ids from a text file in UTF-8, one per line; blank lines are skipped.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The list is empty, not text, or names an id twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'list of image ids not found: {path}')
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not a text file in UTF-8: {error}') from error
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise ValueError(f'{path} names no image: expected one image id per line')
    repeated = [name for name, count in Counter(ids).items() if count > 1]
    if repeated:
        raise ValueError(f'{path} names {len(repeated)} ids more than once, e.g. {repeated[:3]}')
    return ids


def shard(ids: Sequence[str], rank: int, world_size: int) -> list[str]:
    """Return the share of one rank: every ``world_size``-th id from ``rank`` on.

    The shares of all ranks are disjoint, cover ``ids`` and differ by at most one in length.

    Raises:
        ValueError: ``rank`` does not lie in 0 .. ``world_size`` - 1.
    """
    if not 0 <= rank < world_size:
        raise ValueError(f'rank must lie in 0 .. world_size - 1, but got {rank} of {world_size}')
    return list(ids[rank::world_size])

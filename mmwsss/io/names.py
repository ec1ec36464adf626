"""Image ids, from list files and to paths inside a folder, and paths that must be there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from mmwsss.io.damage import parsing

__all__ = ['read_id_list', 'require_file', 'require_folder', 'safe_join', 'shard']


def require_file(what: str, path: str | os.PathLike[str]) -> Path:
    """The path of a file; ``FileNotFoundError`` where there is none says ``what`` it should be."""
    if not Path(path).is_file():
        raise FileNotFoundError(f'{what} not found: {path}')
    return Path(path)


def require_folder(what: str, path: str | os.PathLike[str]) -> Path:
    """The path of a folder; ``FileNotFoundError`` where there is none says ``what`` it should be."""
    if not Path(path).is_dir():
        raise FileNotFoundError(f'{what} must be a folder, but there is none at {str(path)!r}')
    return Path(path)


def safe_join(root: str | os.PathLike[str], name: str, suffix: str = '') -> Path:
    """Join ``root`` and an image id, refusing ids that would leave ``root``.

    Args:
        root: The folder.
        name: The image id; it may hold subfolders (``'a/b'``).
        suffix: Appended to the name, e.g. ``'.png'``.

    Raises:
        ValueError: ``name`` is empty, absolute, or has a part that leaves ``root``.
    """
    parts = {part.strip() for part in name.replace('\\', '/').split('/')}
    if parts & {'', '.', '..'} or PureWindowsPath(name).drive or '\0' in name:
        raise ValueError(f'image id {name!r} must be a relative path that stays inside {root}')
    return Path(root, name + suffix)


def read_id_list(path: str | os.PathLike[str]) -> list[str]:
    """Read a list of image ids from a text file in UTF-8, one per line; blank lines are skipped.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The list is empty, not text, or names an id twice.
    """
    with parsing(f'{path} is not a text file in UTF-8'):
        lines = require_file('list of image ids', path).read_text('utf-8-sig').splitlines()
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
    """
    return list(ids[rank::world_size])

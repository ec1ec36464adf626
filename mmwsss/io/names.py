"""Paths inside a folder, paths that must be there, and files of names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath

from mmwsss.io.damage import parsing

__all__ = ['read_lines', 'require_file', 'require_folder', 'safe_join', 'shard', 'walk_files']


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


def walk_files(folder: str | os.PathLike[str], above: Sequence[str] = ()) -> Iterator[Path]:
    """Files of a folder and its sub-folders, linked ones too; none where there is no folder.

    A link to a folder that it is in itself is not followed.

    Args:
        folder: The folder.
        above: Real paths of the folders that it is in.

    Raises:
        OSError: A folder cannot be read.
    """
    real = os.path.realpath(folder)
    if real not in above and os.path.isdir(real):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    yield from walk_files(entry.path, (*above, real))
                else:
                    yield Path(entry.path)


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a text file in UTF-8 without surrounding blanks; empty ones are left out.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is not text, or has no line.
    """
    with parsing(f'{path} is not a text file in UTF-8'):
        lines = require_file('text file', path).read_text('utf-8-sig').splitlines()
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise ValueError(f'{path} is empty: expected one name per line')
    return found


def shard(ids: Sequence[str], rank: int, world_size: int) -> list[str]:
    """Return the share of one rank: every ``world_size``-th id from ``rank`` on.

    The shares of all ranks are disjoint, cover ``ids`` and differ by at most one in length.
    """
    return list(ids[rank::world_size])

"""What each converted mask was made from, so that another run keeps only what is still right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmwsss.io.atomic import write_json
from mmwsss.io.names import safe_join
from mmwsss.io.record import read_json

__all__ = ['remove_changed']


def remove_changed(folder: Path, sources: Mapping[str, str]) -> None:
    """Remove masks ``<id>.png`` that were made from something else, and note what all are made from.

    Args:
        folder: The masks; ``sources.json`` is kept beside them.
        sources: Hash of what a mask is made from, by id.

    Raises:
        ValueError: The folder holds masks without ``sources.json``.
    """
    path = folder / 'sources.json'
    if not path.is_file() and any(folder.glob('*.png')):
        raise ValueError(
            f'{folder} holds masks of unknown origin (no {path.name}), which are not touched: choose '
            'another folder'
        )
    known = read_json(path) if path.is_file() else {}
    for name, source in sources.items():
        if known.get(name) != source:
            safe_join(folder, name, '.png').unlink(missing_ok=True)
    write_json(path, {**known, **sources})

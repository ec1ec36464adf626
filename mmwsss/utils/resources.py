"""What comes with the package beside its modules: configs and tools."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ['ROOT', 'find_config']

PACKAGE = Path(__file__).resolve().parents[1]
# Folder of configs/ and tools/: the checkout, or what setup.py puts into a wheel.
ROOT = PACKAGE.parent if (PACKAGE.parent / 'model-index.yml').is_file() else PACKAGE / '.mim'
PREFIX = 'mmwsss::'  # as MMEngine names configs of packages


def find_config(what: str, name: str | Path, folders: Iterable[Path] = ()) -> Path:
    """The file of a config.

    Args:
        what: What it is, for the message.
        name: A path, from the working directory, one of ``folders`` or the package (``configs/...``), in this
            order; or ``mmwsss::FILE`` for a file in the package's ``configs/``.
        folders: Where else to look.

    Raises:
        FileNotFoundError: There is none.
    """
    text = str(name)
    if text.startswith(PREFIX):
        places = [ROOT / 'configs' / text.removeprefix(PREFIX)]
    else:
        places = [folder / text for folder in (Path(), *folders, ROOT)]
    for path in places:
        if path.is_file():
            return path
    hint = '; `mmwsss configs` lists those of the package' if 'configs/' in text else ''
    raise FileNotFoundError(f'{what} not found: {name}{hint}')

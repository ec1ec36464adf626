"""Anyone's image files: found in folders and patterns, and named by where they lie."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmwsss.io.ids import IMAGE_SUFFIXES
from mmwsss.io.names import walk_files
from mmwsss.utils.names import name_some

__all__ = ['by_name', 'find_images', 'outside']


def find_images(paths: str | Path | Sequence[str | Path]) -> list[tuple[str, Path]]:
    """Name and path of image files, of those of folders and their sub-folders, and of those of patterns.

    A name is the path without suffix below the folder, below the part of a pattern that is none, or,
    of files, below the folder that they have in common.

    Args:
        paths: A file, a folder or a pattern such as ``'photos/**/*.jpg'``; or several.

    Raises:
        FileNotFoundError: There is no such file or folder, or no image in the folder or of the pattern.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    files = [Path(os.path.abspath(path)) for path in given if Path(path).is_file()]
    common = Path(os.path.commonpath([file.parent for file in files])) if files else Path()
    found = []
    for path in map(Path, given):
        if path.is_file():
            found.append((image_name(Path(os.path.abspath(path)), common), path))
        elif path.is_dir():
            found += images_below(path, walk_files(path))
        elif glob.has_magic(str(path)):
            matches = map(Path, glob.iglob(str(path), recursive=True))
            found += images_below(fixed_part(path), matches, f'{path} matches no image')
        else:
            raise FileNotFoundError(f'image or folder of images not found: {path}')
    return found


def by_name(images: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Paths by name; ``ValueError`` if several files have one name, since outputs are named by it."""
    counts = Counter(name for name, _ in {(name, os.path.abspath(path)) for name, path in images})
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(
            f'{len(repeated)} names belong to several images (names leave suffixes out): '
            f'{name_some(sorted(repeated), shown=3)}'
        )
    return dict(images)


def images_below(
    root: Path, paths: Iterable[Path], nothing: str | None = None
) -> list[tuple[str, Path]]:
    """The images among paths, hidden ones left out, sorted and named by where they lie below ``root``."""
    files = sorted(
        path
        for path in paths
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith('.') for part in path.relative_to(root).parts)
        and not path.is_dir()
    )
    if not files:
        nothing = nothing or f'{root} holds no image'
        raise FileNotFoundError(f'{nothing} ({", ".join(IMAGE_SUFFIXES)})')
    return [(image_name(file, root), file) for file in files]


def fixed_part(pattern: Path) -> Path:
    """The folder above the first part of a path that is a pattern."""
    while glob.has_magic(str(pattern)):
        pattern = pattern.parent
    return pattern


def image_name(path: Path, root: Path) -> str:
    """Path below a folder without suffix, with slashes."""
    return path.relative_to(root).with_suffix('').as_posix()


def outside(paths: dict[str, Path], out: Path) -> dict[str, Path]:
    """The images that do not lie in the output folder, where earlier predictions are."""
    kept = {n: p for n, p in paths.items() if not p.resolve().is_relative_to(out.resolve())}
    if not kept:
        raise ValueError(f'all images lie in the output folder {out}: choose another one')
    return kept

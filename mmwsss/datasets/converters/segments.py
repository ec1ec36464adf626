"""Segments of images, of superpixels or of other programs' masks, in the form that refiners read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from mmwsss.functional.checks import check_range
from mmwsss.io import (
    BatchReport,
    load_segments,
    parsing,
    process_items,
    require_folder,
    safe_join,
    save_segments,
)

from ..images import image_size
from ..splits import FileIndex, ids_of_folder
from ..transforms.loading import load_rgb

__all__ = ['Superpixels', 'convert_segments', 'mask_folder', 'segment_file']

MAX_FILES = 10_000  # masks of one image


def convert_segments(
    images: str,
    out: str | os.PathLike[str],
    source: Callable[[str, str], Iterable[np.ndarray]],
    ids: Sequence[str] | None = None,
    overwrite: bool = False,
    workers: int = 0,
) -> BatchReport:
    """Write ``out/<id>.json``, the segments of each image, for ``SegmentVote``.

    Files that are there already are kept, so the tool may be run again.

    Args:
        images: Folder of images, also in subfolders.
        out: Folder for the files.
        source: Returns the segments, bool (H, W) each, of an image from its id and path.
        ids: Only these images. None: all.
        overwrite: Make files that are there anew.
        workers: Number of processes; 0 works in this one.

    Returns:
        What became of every image.

    Raises:
        FileNotFoundError: ``images`` does not exist.
        ValueError: It holds no images.
    """
    return process_items(
        ids_of_folder(images) if ids is None else ids,
        partial(_write, index=FileIndex(images, None), source=source, out=Path(out)),
        is_done=None if overwrite else lambda name: safe_join(out, name, '.json').is_file(),
        description='segments',
        workers=workers,
    )


def _write(
    name: str, index: FileIndex, source: Callable[[str, str], Iterable[np.ndarray]], out: Path
) -> None:
    save_segments(safe_join(out, name, '.json'), source(name, index.path(name)))


@dataclass(frozen=True)
class Superpixels:
    """SLIC superpixels of an image (Achanta et al., PAMI 2012), by scikit-image.

    Args:
        count: How many, roughly.
        compactness: Weight of nearness against likeness in colour, > 0.

    Raises:
        ValueError: A number is out of range.
    """

    count: int = 200
    compactness: float = 10.0

    def __post_init__(self) -> None:
        check_range('count', self.count, '[1, inf)')
        check_range('compactness', self.compactness, '(0, inf)')

    def __call__(self, name: str, path: str) -> Iterable[np.ndarray]:
        """Segments of the image at ``path``, bool (H, W) each."""
        from skimage.segmentation import slic  # slow to import

        found = slic(
            load_rgb(path, name),
            n_segments=self.count,
            compactness=self.compactness,
            start_label=0,
        )
        return (found == i for i in range(found.max() + 1))


def segment_file(folder: str, name: str, path: str) -> Iterable[np.ndarray]:
    """Segments of the image ``name`` from ``<folder>/<name>.json``, such as SAM's automatic masks."""
    return load_segments(safe_join(folder, name, '.json'), image_size(path))


def mask_folder(folder: str, name: str, path: str) -> Iterable[np.ndarray]:
    """Segments of the image ``name``, one per PNG of ``<folder>/<name>/``: all pixels that are not 0.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A PNG is damaged or of another size than the image, or there is none, or too many.
    """
    inside = require_folder('masks', safe_join(folder, name))
    files = sorted(file for file in inside.iterdir() if file.suffix.lower() == '.png')
    size = image_size(path)
    if not 1 <= len(files) <= MAX_FILES:
        raise ValueError(f'{inside} holds {len(files)} masks (.png), expected 1 to {MAX_FILES}')
    return (_read_mask(file, size) for file in files)


def _read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    with parsing(f'{path} is not a whole PNG'), Image.open(path, formats=['PNG']) as image:
        if (image.height, image.width) != size:  # before a huge one is decoded
            raise ValueError(f'{path} is {image.height} x {image.width}, expected {size}')
        is_plain = image.mode != 'P' and len(image.getbands()) == 1
        pixels = np.asarray(image if is_plain else image.convert('RGB'))  # without alpha
        return np.asarray(pixels.reshape(*size, -1).any(-1))

"""Reading masks and class maps that other programs wrote."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from mmwsss.datasets.label_sources.safe_unpickler import load_npy
from mmwsss.io import (
    IGNORE_INDEX,
    ClassMaps,
    check_mask,
    foreground_ids,
    hash_file,
    load_class_maps,
    load_mask,
    parsing,
    require_folder,
    walk_files,
)
from mmwsss.refine.base import MapsOrLabels
from mmwsss.utils.names import check_known, name_some

__all__ = ['KEY_MEANINGS', 'ForeignFolder', 'read_foreign']

SUFFIXES = ('.png', '.npy', '.npz')
#: What an entry k of a dictionary's ``keys`` means: class id k + 1, or class id k.
KEY_MEANINGS = ('foreground', 'ids')
# Arrays of the dictionaries of IRN and of what is built on it, the finest first.
KNOWN_FIELDS = ('high_res', 'rw_pred', 'cam')


class ForeignFolder:
    """Files ``<id>.png``, ``<id>.npy`` or ``<id>.npz`` of any origin; ids may have subfolders.

    The other arguments are those of :func:`read_foreign`.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds several files of one id.
    """

    def __init__(
        self,
        folder: str | Path,
        num_classes: int,
        keys: str = 'foreground',
        field: str | None = None,
        background: bool = True,
    ) -> None:
        self.folder, self.num_classes = require_folder('imported masks', folder), num_classes
        self.reading: dict[str, Any] = {'keys': keys, 'field': field, 'background': background}
        self.files: dict[str, Path] = {}
        for path in sorted(walk_files(self.folder)):
            if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith('.'):
                name = path.relative_to(self.folder).with_suffix('').as_posix()
                if name in self.files:
                    raise ValueError(f'{folder} holds {self.files[name].name} and {path.name}')
                self.files[name] = path

    def hashes(self) -> dict[str, str]:
        """Suffix and hash of the content of each file by id; masks in ``.npy`` are all of one size."""
        return {name: f'{path.suffix} {hash_file(path)}' for name, path in self.files.items()}

    def kind(self, names: Sequence[str]) -> str:
        """Tell by the first readable file of ``names`` what the folder holds, ``'masks'`` or ``'maps'``.

        Raises:
            ValueError: None of them can be read; carries the first error.
        """
        errors = []
        for name in names:
            if name not in self.files:
                continue
            try:
                return 'maps' if isinstance(self.read(name), ClassMaps) else 'masks'
            except ValueError as error:
                errors.append(str(error))
        if errors:
            raise ValueError(f'none of {len(errors)} files can be read; the first: {errors[0]}')
        raise ValueError(
            f'{self.folder} has no file {", ".join(SUFFIXES)} of the {len(names)} images, but '
            f'others: {name_some([path.name for path in self.files.values()]) or "none"}'
        )

    def read(self, name: str, image_size: tuple[int, int] | None = None) -> MapsOrLabels:
        """Read the file of an image, see :func:`read_foreign`.

        Raises:
            FileNotFoundError: The folder has none.
            ValueError: It does not fit.
        """
        if name not in self.files:
            raise FileNotFoundError(f'{self.folder} holds no file of this image')
        return read_foreign(self.files[name], self.num_classes, image_size, **self.reading)


def read_foreign(
    path: str | os.PathLike[str],
    num_classes: int,
    image_size: tuple[int, int] | None = None,
    *,
    keys: str = 'foreground',
    field: str | None = None,
    background: bool = True,
) -> MapsOrLabels:
    """Read a mask or class maps of any of the formats in use; nothing in the file is executed.

    Masks: palette or grey 8-bit PNG (16-bit grey beyond 255 classes), an integer array (H, W) in
    ``.npy`` or, alone or under the name ``field``, in ``.npz``. Class maps: ours, and dictionaries
    with ``keys`` (n,) and an array (n, h, w), pickled in ``.npy`` as IRN writes them (with torch
    tensors, too) or in ``.npz``, and dictionaries key -> map (h, w)
    as SEAM writes them. One map more than keys means that the first is the background's.

    Args:
        path: The file.
        num_classes: Number of classes, a background counted.
        image_size: (H, W) of the image. None: not checked.
        keys: ``'foreground'``: entry k of ``keys`` is the k-th foreground class from 0, id k + 1 (k + 2
            from 255 on, which is no class), as IRN counts them; ``'ids'``: it is the class id.
        field: Name of the array to take. None: the first of ``high_res``, ``rw_pred``, ``cam``, or
            the only one.
        background: Whether id 0 of masks is background. If not, class maps number the classes from 1 all the
            same, and ``keys='ids'`` are those of masks, from 0.

    Returns:
        uint8 labels (H, W), uint16 if ``num_classes`` exceeds 255, or class maps.

    Raises:
        ValueError: The file is damaged, of another format or size, or has ids outside the list; the
            message names it.
    """
    path = Path(path)
    check_known('keys: meaning', keys, KEY_MEANINGS)
    if path.suffix.lower() == '.png':
        return load_mask(path, num_classes, image_size=image_size)
    with parsing(str(path)):
        content = load_npy(path.read_bytes()) if path.suffix.lower() == '.npy' else _read_npz(path)
        if isinstance(content, dict) and content and all(isinstance(k, Integral) for k in content):
            maps = np.stack([np.asarray(content[k]) for k in content])
            content = {'keys': np.array(list(content)), 'maps': maps}
        numbers = num_classes + (not background)
        if isinstance(content, dict) and {'keys', 'scores', 'image_size'} <= set(content):
            return _fit(load_class_maps(path, numbers), image_size)
        array = content if isinstance(content, np.ndarray) else _choose(content, field)
        is_labels = array.ndim == 2 and np.issubdtype(array.dtype, np.integer)
        if isinstance(content, dict) and 'keys' in content and not is_labels:
            given = np.asarray(content['keys'])
            if keys == 'ids' and not background:
                given = given + 1
            return _maps(given, array, keys == 'foreground', numbers, image_size)
        return check_mask(array, path, num_classes, image_size=image_size)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _choose(content: dict[str, np.ndarray], field: str | None) -> np.ndarray:
    """The array of a file with several that holds the labels or the maps."""
    arrays = {name: array for name, array in content.items() if name != 'keys'}
    known = [name for name in KNOWN_FIELDS if name in arrays]
    if field is None and (known or len(arrays) == 1):
        field = (known or list(arrays))[0]
    if field not in arrays:
        wanted = 'several arrays, one of which must be named (--field)' if field is None else field
        raise ValueError(f'expected {wanted}, but the file holds {sorted(map(str, content))}')
    return arrays[field]


def _maps(
    keys: np.ndarray,
    scores: np.ndarray,
    foreground: bool,
    num_classes: int,
    image_size: tuple[int, int] | None,
) -> ClassMaps:
    """Keys of another program and its maps -> class maps."""
    keys = np.asarray(keys).reshape(-1)
    ids = foreground_ids(keys) if foreground else keys.astype(np.int64)
    if scores.ndim == 3 and len(scores) == len(ids) + 1:
        ids = np.append(0, ids)
    fits = (ids >= 0) & (ids < num_classes) & (ids != IGNORE_INDEX)
    whole = keys.size == 0 or np.issubdtype(keys.dtype, np.integer)
    if not (whole and fits.all() and len(np.unique(ids)) == len(ids)):
        exception = f' without {IGNORE_INDEX}' if num_classes > IGNORE_INDEX else ''
        raise ValueError(
            f'the keys {keys.tolist()} stand for class ids {ids.tolist()}, expected different '
            f'integers in 0 .. {num_classes - 1}{exception}; is --keys right?'
        )
    if len(scores) != len(ids):
        raise ValueError(
            f'expected one map (h, w) for each of {len(keys)} keys, or one more for the background, '
            f'but got {scores.shape}'
        )
    order = np.argsort(ids)
    scores = scores[order].astype(np.float32)
    return _fit(ClassMaps(ids[order], scores, image_size or scores.shape[1:]), image_size)


def _fit(maps: ClassMaps, image_size: tuple[int, int] | None) -> ClassMaps:
    """Check that maps are of an image: their own size, or the proportions of their grid."""
    (height, width), (h, w) = image_size or maps.image_size, maps.scores.shape[1:]
    cells = max(h, w) / max(height, width)  # of the grid per pixel
    fits = abs(height * cells - h) <= 1 and abs(width * cells - w) <= 1
    if maps.image_size != (height, width) or not fits:
        raise ValueError(
            f'maps of {h} x {w} for a {maps.image_size} image do not have the size or the proportions '
            f'of the image, {(height, width)}'
        )
    return maps

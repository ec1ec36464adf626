"""Reading masks and class maps that other programs wrote."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

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
)
from mmwsss.refine.base import MapsOrLabels

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
        ValueError: It holds no such file, or several files of one id.
    """

    def __init__(
        self,
        folder: str | Path,
        num_classes: int,
        keys: str = 'foreground',
        field: str | None = None,
    ) -> None:
        if not Path(folder).is_dir():
            raise FileNotFoundError(f'folder not found: {folder}')
        self.folder, self.num_classes = Path(folder), num_classes
        self.keys, self.field = keys, field
        self.files: dict[str, Path] = {}
        for path in sorted(self.folder.rglob('*')):
            if path.suffix in SUFFIXES and path.is_file() and not path.name.startswith('.'):
                name = path.relative_to(self.folder).with_suffix('').as_posix()
                if name in self.files:
                    raise ValueError(f'{folder} holds {self.files[name].name} and {path.name}')
                self.files[name] = path
        if not self.files:
            raise ValueError(f'{folder} holds no files {", ".join(SUFFIXES)}')

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
            f'{self.folder} has no file of the {len(names)} images, but e.g. '
            f'{[path.name for path in list(self.files.values())[:3]]}'
        )

    def read(self, name: str, image_size: tuple[int, int] | None = None) -> MapsOrLabels:
        """Read the file of an image, see :func:`read_foreign`.

        Raises:
            FileNotFoundError: The folder has none.
            ValueError: It does not fit.
        """
        if name not in self.files:
            raise FileNotFoundError(f'{self.folder} holds no file of this image')
        return read_foreign(
            self.files[name], self.num_classes, image_size, keys=self.keys, field=self.field
        )


def read_foreign(
    path: str | os.PathLike[str],
    num_classes: int,
    image_size: tuple[int, int] | None = None,
    *,
    keys: str = 'foreground',
    field: str | None = None,
) -> MapsOrLabels:
    """Read a mask or class maps of any of the formats in use; nothing in the file is executed.

    Masks: palette or grey 8-bit PNG (16-bit grey beyond 255 classes), an integer array (H, W) in
    ``.npy`` or, alone or under the name ``field``, in ``.npz``. Class maps: ours, and dictionaries
    with ``keys`` (n,) and an array (n, h, w), pickled in ``.npy`` as IRN writes them (with torch
    tensors, too) or in ``.npz``. One map more than keys means that the first is the background's.

    Args:
        path: The file.
        num_classes: Number of classes with background.
        image_size: (H, W) of the image. None: not checked.
        keys: ``'foreground'``: entry k of ``keys`` is the k-th foreground class from 0, id k + 1 (k + 2
            from 255 on, which is no class), as IRN counts them; ``'ids'``: it is the class id.
        field: Name of the array to take. None: the first of ``high_res``, ``rw_pred``, ``cam``, or
            the only one.

    Returns:
        uint8 labels (H, W), uint16 if ``num_classes`` exceeds 255, or class maps.

    Raises:
        ValueError: The file is damaged, of another format or size, or has ids outside the list; the
            message names it.
    """
    path = Path(path)
    if keys not in KEY_MEANINGS:
        raise ValueError(f'keys must be one of {KEY_MEANINGS}, but got {keys!r}')
    if path.suffix == '.png':
        return load_mask(path, num_classes, image_size=image_size)
    with parsing(str(path)):
        content = load_npy(path.read_bytes()) if path.suffix == '.npy' else _read_npz(path)
    try:
        if isinstance(content, dict) and {'keys', 'scores', 'image_size'} <= set(content):
            return _fit(load_class_maps(path, num_classes), image_size)
        labels, maps = _choose(content, field)
        if labels is not None:
            return check_mask(labels, path, num_classes, image_size=image_size)
        return _maps(content['keys'], maps, keys == 'foreground', num_classes, image_size)
    except ValueError as error:
        known = str(error).startswith(str(path))
        raise error if known else ValueError(f'{path}: {error}') from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _choose(
    content: np.ndarray | dict[str, np.ndarray], field: str | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The labels or else the maps among the arrays of a file."""
    if isinstance(content, np.ndarray):
        return content, None
    arrays = {name: array for name, array in content.items() if name != 'keys'}
    known = [name for name in KNOWN_FIELDS if name in arrays]
    if field is None and (known or len(arrays) == 1):
        field = (known or list(arrays))[0]
    if field not in arrays:
        wanted = 'several arrays, one of which must be named (--field)' if field is None else field
        raise ValueError(f'expected {wanted}, but the file holds {sorted(map(str, content))}')
    array = arrays[field]
    if array.ndim == 2 and np.issubdtype(array.dtype, np.integer):
        return array, None
    if 'keys' not in content:
        raise ValueError(
            f'{field!r} is {array.dtype} {array.shape}: class maps need the array `keys` beside '
            'them, and labels must be integers (H, W)'
        )
    return None, array


def _maps(
    keys: np.ndarray,
    scores: np.ndarray,
    foreground: bool,
    num_classes: int,
    image_size: tuple[int, int] | None,
) -> ClassMaps:
    """Keys of another program and its maps -> class maps."""
    keys = np.asarray(keys).reshape(-1)
    if not (np.issubdtype(keys.dtype, np.integer) or not keys.size):
        raise ValueError(f'keys must be integers, but got {keys.dtype}')
    ids = foreground_ids(keys) if foreground else keys.astype(np.int64)
    if scores.ndim == 3 and len(scores) == len(ids) + 1:
        ids = np.append(0, ids)
    if scores.ndim != 3 or len(scores) != len(ids):
        raise ValueError(
            f'expected one map (h, w) for each of {len(keys)} keys, or one more for the background, '
            f'but got {scores.shape}'
        )
    outside = ids[(ids < 0) | (ids >= num_classes) | (ids == IGNORE_INDEX)]
    exception = f' without {IGNORE_INDEX}' if num_classes > IGNORE_INDEX else ''
    if len(outside) or len(np.unique(ids)) < len(ids):
        raise ValueError(
            f'the keys {keys.tolist()} stand for class ids {ids.tolist()}, expected different ones '
            f'in 0 .. {num_classes - 1}{exception}; is --keys right?'
        )
    order = np.argsort(ids)
    scores = scores[order].astype(np.float32)
    return _fit(ClassMaps(ids[order], scores, image_size or scores.shape[1:]), image_size)


def _fit(maps: ClassMaps, image_size: tuple[int, int] | None) -> ClassMaps:
    """Check that maps are of an image: their own size, or the proportions of their grid."""
    if image_size is None:
        return maps
    (height, width), (h, w) = image_size, maps.scores.shape[1:]
    if tuple(maps.image_size) != tuple(image_size):
        raise ValueError(
            f'the maps are of a {maps.image_size} image, but the image is {tuple(image_size)}'
        )
    cells = max(h, w) / max(height, width)  # of the grid per pixel
    if abs(height * cells - h) > 1 or abs(width * cells - w) > 1:
        raise ValueError(
            f'maps of {h} x {w} do not have the proportions of the image, {height} x {width}'
        )
    return maps

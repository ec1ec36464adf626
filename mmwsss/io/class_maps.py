"""Class maps of one image, and their ``.npz`` file."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from mmwsss.io.atomic import atomic_path
from mmwsss.io.damage import parsing
from mmwsss.io.mask_io import Array
from mmwsss.io.names import require_file

__all__ = ['ClassMaps', 'is_class_map_file', 'load_class_maps', 'save_class_maps']

_FIELDS = ('keys', 'scores', 'image_size')


@dataclass(frozen=True)
class ClassMaps:
    """Score maps of the classes that an image may hold.

    Attributes:
        keys: int64 (n,), strictly increasing class ids; 0 is background. ``n`` may be 0: an image
            without any class and without a background map.
        scores: float32 (n, h, w), finite; row ``i`` belongs to class ``keys[i]``. The grid may be
            coarser than the image.
        image_size: (H, W) of the image in pixels.
        no_background: Whether every pixel has one of the classes. The file does not say so.

    Raises:
        ValueError: A field has the wrong shape, type or range.
    """

    keys: Array
    scores: Array
    image_size: tuple[int, int]
    no_background: bool = False

    def __post_init__(self) -> None:
        keys, scores, size = (np.asarray(getattr(self, field)) for field in _FIELDS)
        fits = (
            keys.ndim == 1
            and (np.issubdtype(keys.dtype, np.integer) or not keys.size)
            and scores.ndim == 3
            and len(scores) == len(keys)
            and 0 not in scores.shape[1:]
            and np.issubdtype(scores.dtype, np.floating)
            and size.shape == (2,)
            and np.issubdtype(size.dtype, np.integer)
            and (size >= 1).all()
        )
        if not fits:
            raise ValueError(
                'expected integer keys (n,), floating-point scores (n, h, w) with h, w >= 1 and two '
                f'integers >= 1 as image_size (H, W), but got {keys.dtype} {keys.shape}, '
                f'{scores.dtype} {scores.shape} and {size.tolist()}'
            )
        if (keys < 0).any() or (np.diff(keys.astype(np.int64)) <= 0).any():
            raise ValueError(f'keys must be >= 0 and strictly increasing, but got {keys.tolist()}')
        if not np.isfinite(scores).all():
            raise ValueError('scores must be finite, but hold NaN or infinity')
        object.__setattr__(self, 'keys', keys.astype(np.int64))
        object.__setattr__(self, 'scores', scores.astype(np.float32, copy=False))
        object.__setattr__(self, 'image_size', (int(size[0]), int(size[1])))

    @property
    def has_background(self) -> bool:
        """Whether there is a map for the background (class id 0)."""
        return bool(len(self.keys) and self.keys[0] == 0)

    @property
    def is_complete(self) -> bool:
        """Whether the largest score of a pixel decides about it: nothing is missing to compare with."""
        return self.has_background or self.no_background

    def foreground(self) -> ClassMaps:
        """The maps without the background's."""
        first = int(self.has_background)
        return replace(self, keys=self.keys[first:], scores=self.scores[first:])

    def full_size_scores(self) -> Array:
        """Return the scores at image size, float32 (n, H, W), bilinear where the grid differs."""
        if not len(self.keys):
            return np.zeros((0, *self.image_size), np.float32)
        if self.scores.shape[1:] == self.image_size:
            return self.scores.copy()
        scores = torch.from_numpy(np.require(self.scores, requirements=('C', 'W')))[None]
        full = F.interpolate(scores, size=self.image_size, mode='bilinear', align_corners=False)
        return full[0].numpy()


def save_class_maps(path: str | os.PathLike[str], maps: ClassMaps) -> None:
    """Write ``maps`` to a compressed file ``*.npz``: ``keys``, float16 ``scores``, ``image_size``.

    The file appears whole or not at all, and holds no pickled object.

    Raises:
        ValueError: A score does not fit float16.
    """
    with np.errstate(over='ignore'):
        scores = maps.scores.astype(np.float16)
    if not np.isfinite(scores).all():
        raise ValueError(
            f'{path}: scores must fit float16, but reach {float(np.abs(maps.scores).max()):g}'
        )
    arrays: tuple[np.ndarray, ...] = (
        maps.keys,
        scores,
        np.asarray(maps.image_size, dtype=np.int64),
    )
    # Level 1 takes two thirds of the time of numpy's level 6; the files are as large.
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for field, array in zip(_FIELDS, arrays):
            with archive.open(f'{field}.npy', 'w', force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def load_class_maps(path: str | os.PathLike[str], num_classes: int | None = None) -> ClassMaps:
    """Read the file of :func:`save_class_maps`; nothing in it is executed.

    Args:
        path: The ``.npz`` file.
        num_classes: Number of classes with background; larger keys are refused. None: no check.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged or does not hold class maps; the message names it.
    """
    path = require_file('class map', path)
    what = f'{path} is not a readable class map (.npz)'
    with parsing(what), np.load(path, allow_pickle=False) as archive:
        maps = ClassMaps(*(archive[field] for field in _FIELDS))
    if num_classes is not None and len(maps.keys) and maps.keys[-1] >= num_classes:
        raise ValueError(
            f'{path} holds class ids {maps.keys.tolist()}, '
            f'expected ids 0 .. {num_classes - 1} ({num_classes} classes with background)'
        )
    return maps


def is_class_map_file(path: str | os.PathLike[str]) -> bool:
    """Tell cheaply whether ``path`` is a complete class map file.

    Reads the directory at the end of the archive, which a truncated file lacks; not the scores.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {f'{field}.npy' for field in _FIELDS} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return False

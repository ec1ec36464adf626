"""Image-level labels from the ``cls_labels.npy`` files of other repositories, or from an ``.npz``."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine import fileio
from numpy.lib import format as npy_format

from mmwsss.io.damage import parsing
from mmwsss.io.mask_io import foreground_ids

from .class_table import ClassTable
from .files import collect_labels
from .safe_unpickler import UnsafePickleError, loads_plain

__all__ = ['load_vectors', 'read_npy']


def read_npy(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read 0/1 vectors over the K foreground classes; nothing in the file is executed.

    Two kinds of file are read: an ``.npy`` that holds a pickled dictionary id -> vector (K,), and
    an ``.npz`` with the arrays ``ids`` (n,) and ``labels`` (n, K). Ids that were stored as
    integers (``2007000032`` for ``'2007_000032'``, ``9`` for ``'COCO_train2014_000000000009'``)
    are found as well.

    Args:
        ids: Image ids.
        table: The dataset's classes; entry k - 1 of a vector belongs to class id k, or to k + 1 from
            255 on, which is no class.
        path: The file.
        backend_args: File backend of mmengine; None is the local disk.

    Returns:
        Image id -> sorted class ids.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        UnsafePickleError: The file holds anything but numbers, strings, dictionaries and arrays.
        ValueError: The file is damaged, lacks an image, or a vector is not 0/1 of length K.
    """
    vectors = load_vectors(path, backend_args)

    def label_of(image_id: str) -> list[int] | None:
        vector = _find(vectors, image_id)
        where = f'{path}, id {image_id!r}'
        return None if vector is None else _class_ids(vector, len(table.names), where)

    return collect_labels(ids, label_of, path)


def load_vectors(path: str, backend_args: dict[str, Any] | None = None) -> dict[Any, np.ndarray]:
    """Read the dictionary id -> vector of :func:`read_npy`; ids are strings or integers.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        UnsafePickleError: The file holds anything but numbers, strings, dictionaries and arrays.
        ValueError: The file is damaged or holds something else; the message names it.
    """
    content = fileio.get(path, backend_args=backend_args)
    read = _from_npz if zipfile.is_zipfile(io.BytesIO(content)) else _from_pickled_npy
    with parsing(path):
        try:
            return read(content)
        except UnsafePickleError as error:
            unsafe = error
    raise UnsafePickleError(f'{path}: {unsafe}') from unsafe


def _from_npz(content: bytes) -> dict[Any, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        if not {'ids', 'labels'} <= set(archive.files):
            raise ValueError(f"expected the arrays 'ids' and 'labels', but got {archive.files}")
        ids, labels = archive['ids'], archive['labels']
    if ids.ndim != 1 or labels.ndim != 2 or len(ids) != len(labels):
        raise ValueError(f'expected ids (n,) and labels (n, K), got {ids.shape} and {labels.shape}')
    return dict(zip(ids.tolist(), labels))


def _from_pickled_npy(content: bytes) -> dict[Any, np.ndarray]:
    stream = io.BytesIO(content)
    old = npy_format.read_magic(stream) == (1, 0)
    read = npy_format.read_array_header_1_0 if old else npy_format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if not dtype.hasobject:
        raise ValueError(
            f'holds a plain array {dtype} {shape} without image ids; '
            "save an .npz with the arrays 'ids' and 'labels' instead"
        )
    value = loads_plain(stream.read())
    if not isinstance(value, dict):
        raise ValueError(f'expected a dictionary id -> vector, but got a {type(value).__name__}')
    return {
        key.decode('utf-8') if isinstance(key, bytes) else key: np.asarray(vector)
        for key, vector in value.items()
    }


def _find(vectors: Mapping[Any, np.ndarray], image_id: str) -> np.ndarray | None:
    if image_id in vectors:
        return vectors[image_id]
    digits = re.findall(r'\d+', image_id)
    for number in (''.join(digits), digits[-1] if digits else ''):
        if number and int(number) in vectors:
            return vectors[int(number)]
    return None


def _class_ids(vector: np.ndarray, num_classes: int, where: str) -> list[int]:
    if vector.shape != (num_classes,) or vector.dtype.kind not in 'biuf':
        raise ValueError(
            f'{where}: expected {num_classes} numbers, one per foreground class, '
            f'but got {vector.dtype} {vector.shape}'
        )
    if not np.isin(vector, (0, 1)).all():
        raise ValueError(f'{where}: expected entries 0 and 1, but got {vector.tolist()}')
    return foreground_ids(np.flatnonzero(vector)).tolist()

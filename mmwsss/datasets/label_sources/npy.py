"""Image-level labels from the ``cls_labels.npy`` files of other repositories, or from an ``.npz``."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine import fileio

from mmwsss.io.damage import parsing
from mmwsss.io.mask_io import foreground_ids

from .class_table import ClassTable
from .coco import load_instances
from .files import collect_labels
from .safe_unpickler import load_npy

__all__ = ['load_vectors', 'read_npy']


def read_npy(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    columns: Sequence[str] | str | None = None,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read 0/1 vectors over the K foreground classes; nothing in the file is executed.

    Two kinds of file are read: an ``.npy`` that holds a pickled dictionary id -> vector (K,), and
    an ``.npz`` with the arrays ``ids`` (n,) and ``labels`` (n, K). Ids that were stored as
    integers (``2007000032`` for ``'2007_000032'``, ``9`` for ``'COCO_train2014_000000000009'``)
    are found as well. Entry k - 1 of a vector belongs to class id k, or to k + 1 from 255 on, which is no
    class. With ``columns`` classes are found by name, and vectors may be longer: ``columns`` are the names,
    or a COCO file, whose category of number k is that of entry k - 1 (90 entries for 80 classes). An entry
    may be 1 only where its name is a class. Arguments, result and errors are those of
    ``read_image_labels``.
    """
    vectors = load_vectors(path, backend_args)
    names = None if columns is None else _column_names(columns, backend_args)
    asked: dict[Any, str] = {}

    def label_of(image_id: str) -> list[int] | None:
        key = _find(vectors, image_id)
        where = f'{path}, id {image_id!r}'
        if key is None:
            return None
        other = asked.setdefault(key, image_id)
        if other != image_id:
            raise ValueError(f'{path}: the id {key} may be that of {other!r} or of {image_id!r}')
        vector = vectors[key]
        if names is None:
            return _class_ids(vector, len(table.names), where)
        _check_vector(vector, len(names), 'one per column', where)
        return table.ids_of([names[i] for i in np.flatnonzero(vector).tolist()], where)

    return collect_labels(ids, label_of, path)


def load_vectors(path: str, backend_args: dict[str, Any] | None = None) -> dict[Any, np.ndarray]:
    """Read the dictionary id -> vector of :func:`read_npy`; ids are strings or integers."""
    content = fileio.get(path, backend_args=backend_args)
    with parsing(path):
        if not zipfile.is_zipfile(io.BytesIO(content)):
            vectors = load_npy(content)
            if isinstance(vectors, dict):
                return vectors
            raise ValueError(
                f'expected a dictionary id -> vector, but got an array {vectors.shape} without ids; '
                "an .npz with the arrays 'ids' and 'labels' has both"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            ids, labels = archive['ids'], archive['labels']
        if ids.shape != labels.shape[:1]:  # the vectors are checked where they are used
            raise ValueError(f'expected ids (n,), labels (n, K), got {ids.shape}, {labels.shape}')
        return dict(zip(ids.tolist(), labels))


def _find(vectors: Mapping[Any, np.ndarray], image_id: str) -> str | int | None:
    """The key of an image."""
    if image_id in vectors:
        return image_id
    digits = re.findall(r'\d+', image_id)
    for number in (''.join(digits), digits[-1] if digits else ''):
        if number and int(number) in vectors:
            return int(number)
    return None


def _class_ids(vector: np.ndarray, num_classes: int, where: str) -> list[int]:
    _check_vector(vector, num_classes, 'one per foreground class', where)
    return foreground_ids(np.flatnonzero(vector)).tolist()


def _check_vector(vector: np.ndarray, length: int, of_what: str, where: str) -> None:
    if vector.shape != (length,) or not np.isin(vector, (0, 1)).all():
        raise ValueError(
            f'{where}: expected {length} entries 0 or 1, {of_what}, but got {vector.shape} '
            f'{vector.tolist()}'
        )


def _column_names(
    columns: Sequence[str] | str, backend_args: dict[str, Any] | None
) -> Sequence[str]:
    """The name of each column; of numbers that no category has, an empty one."""
    if not isinstance(columns, str):
        return columns
    categories = {
        item['id']: item['name'] for item in load_instances(columns, backend_args)['categories']
    }
    return [categories.get(number, '') for number in range(1, max(categories) + 1)]

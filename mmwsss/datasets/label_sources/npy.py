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
from .files import collect_labels
from .safe_unpickler import load_npy

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
    are found as well. Entry k - 1 of a vector belongs to class id k, or to k + 1 from 255 on, which is no
    class. Arguments, result and errors are those of ``read_image_labels``.
    """
    vectors = load_vectors(path, backend_args)

    def label_of(image_id: str) -> list[int] | None:
        vector = _find(vectors, image_id)
        where = f'{path}, id {image_id!r}'
        return None if vector is None else _class_ids(vector, len(table.names), where)

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


def _find(vectors: Mapping[Any, np.ndarray], image_id: str) -> np.ndarray | None:
    if image_id in vectors:
        return vectors[image_id]
    digits = re.findall(r'\d+', image_id)
    for number in (''.join(digits), digits[-1] if digits else ''):
        if number and int(number) in vectors:
            return vectors[int(number)]
    return None


def _class_ids(vector: np.ndarray, num_classes: int, where: str) -> list[int]:
    if vector.shape != (num_classes,) or not np.isin(vector, (0, 1)).all():
        raise ValueError(
            f'{where}: expected {num_classes} entries 0 or 1, one per foreground class, but got '
            f'{vector.shape} {vector.tolist()}'
        )
    return foreground_ids(np.flatnonzero(vector)).tolist()

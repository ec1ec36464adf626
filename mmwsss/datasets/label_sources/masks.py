"""Image-level labels from masks: the classes present in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine import fileio

from mmwsss.io import load_mask, safe_join

from .class_table import ClassTable
from .files import collect_labels

__all__ = ['present_classes', 'read_masks']


def read_masks(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    suffix: str = '.png',
    ignore_index: int = 255,
    min_pixels: int = 1,
    background: bool = True,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read which classes the masks ``path/<id><suffix>`` hold.

    Every mask is decoded (a few milliseconds each), so for a large split it pays to do it once:
    ``tools/dataset_converters/generic.py --masks`` writes a CSV that loads at once.

    ``ignore_index`` is the id that is no class, a class counts from ``min_pixels`` pixels on, and without
    ``background`` id 0 is the first class, as ``WSSSDataset`` says. The other arguments, the result and the
    errors are those of ``read_image_labels``.
    """
    backend = fileio.get_file_backend(path, backend_args=backend_args)

    def label_of(image_id: str) -> list[int]:
        with backend.get_local_path(str(safe_join(path, image_id, suffix))) as local:
            mask = load_mask(local, len(table.classes) - (not background), ignore_index)
        return present_classes(mask, ignore_index, min_pixels, background)

    return collect_labels(ids, label_of, path, 'masks')


def present_classes(
    mask: np.ndarray, ignore_index: int = 255, min_pixels: int = 1, background: bool = True
) -> list[int]:
    """Return the sorted numbers (1..K) of the foreground classes in a mask (H, W)."""
    counts = np.bincount(mask.ravel(), minlength=256)
    found = np.flatnonzero(counts >= min_pixels).tolist()
    if not background:
        return [i + 1 for i in found if i != ignore_index]
    return [i for i in found if i not in (0, ignore_index)]

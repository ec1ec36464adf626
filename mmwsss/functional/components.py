"""Connected components of label maps, by OpenCV: one class at a time, within the class's bounding box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ['class_components', 'label_components', 'runs_of']


def class_components(
    labels: NDArray[Any],
) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.int32], int]]:
    """Find the 8-connected components of every class of a label map but 0.

    Args:
        labels: Integer (H, W), 0 or more, 0 = nothing.

    Yields:
        For each class in ascending order: its id; its bounding box (rows, columns); int32 (h, w) of the
        box, 0 or a component 1 .. n; n.
    """
    start, _ = runs_of(labels)
    for c in np.unique(labels.ravel()[start]):
        if c == 0:
            continue
        mask = (labels == c).view(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        box = (slice(y, y + height), slice(x, x + width))
        n, components = cv2.connectedComponents(mask[box], connectivity=8, ltype=cv2.CV_32S)
        yield int(c), box, components, n - 1


def label_components(labels: NDArray[Any]) -> NDArray[np.int32]:
    """Number the 8-connected regions of equal value of integers (H, W) 1 .. n; 0 stays 0. int32 (H, W)."""
    regions = np.zeros(labels.shape, dtype=np.int32)
    count = 0
    for _, box, components, n in class_components(labels):
        regions[box] += components
        if count:
            regions[box] += (components > 0) * np.int32(count)
        count += n
    return regions


def runs_of(*maps: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut maps (H, W) of one shape into runs of flat pixels, in each of which every map is constant.

    Returns:
        First flat index (R,) and length (R,) of the runs, in order; together they cover the maps.
    """
    changes = np.zeros(maps[0].size, dtype=bool)
    changes[:1] = True
    for flat in (labels.ravel() for labels in maps):
        changes[1:] |= flat[1:] != flat[:-1]
    start = np.flatnonzero(changes)
    return start, np.diff(start, append=len(changes))

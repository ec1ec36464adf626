"""Connected components of label maps, by OpenCV: one class at a time, within the class's bounding box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ['class_components', 'label_components']


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
    for c in np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1:
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

"""Boxes around objects as constraints of class maps and labels.

Source: Khoreva et al., *Simple Does It: Weakly Supervised Instance and Semantic Segmentation*, CVPR 2017,
section 3.1: what lies outside the boxes is background; where a segment is small beside its box, the box is
the label again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmwsss.functional.checks import check_label_map, check_range, check_shapes, to_numpy

__all__ = ['Box', 'box_slices', 'constrain_labels', 'constrain_maps']

UNDECIDED = 255


class Box(NamedTuple):
    """A box around an object of class ``class_id``; edges in pixels, ``x0 <= x < x1``."""

    class_id: int
    x0: float
    y0: float
    x1: float
    y1: float


def box_slices(box: Box, image_size: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns whose pixel centres lie in a box; what lies outside the image is cut off."""
    edges = ((box.y0, box.y1, image_size[0]), (box.x0, box.x1, image_size[1]))
    rows, columns = (
        slice(*(int(np.clip(np.ceil(edge - 0.5), 0, size)) for edge in (low, high)))
        for low, high, size in edges
    )
    return rows, columns


def constrain_maps(scores: np.ndarray, keys: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Set the scores of a class outside of its boxes to 0, or leave them where they are less.

    Args:
        scores: Floating point (n, H, W).
        keys: Integer (n,), the class id of each map; 0 is background, which stays.
        boxes: Of the image.

    Returns:
        As ``scores``, a copy.

    Raises:
        ValueError: Shapes do not fit.
    """
    scores, keys = to_numpy(scores), to_numpy(keys)
    check_shapes(keys=(keys, 'n'), scores=(scores, 'n H W'))
    result: np.ndarray = np.minimum(scores, 0)
    result[keys == 0] = scores[keys == 0]
    for box in boxes:
        place = (keys == box.class_id, *box_slices(box, scores.shape[1:]))
        result[place] = scores[place]
    return result


def constrain_labels(
    labels: np.ndarray, boxes: Sequence[Box], min_fill: float = 0.5, inner: float = 0.2
) -> np.ndarray:
    """Bring labels into agreement with boxes.

    1. Pixels outside of all boxes become background. A pixel whose class has no box there, but another class
       has, becomes undecided (255).
    2. From the largest box to the smallest: if less than ``min_fill`` of a box has its class, the box is
       labelled anew: its middle, a share ``inner`` of its area and at least a pixel, gets the class, and the
       rest is undecided;
       if not, its pixels of the class are as before, also where a larger box was labelled anew.

    Args:
        labels: Integer (H, W), 255 = undecided.
        boxes: Of the image; what lies outside of it is cut off.
        min_fill: In [0, 1]; 0 leaves rule 2 out. The paper has 0.5.
        inner: In (0, 1]; 0.2 is the paper's "Box^i", 1 its "Box".

    Returns:
        As ``labels``, a copy.

    Raises:
        TypeError: ``labels`` are no integers.
        ValueError: A number lies outside its range.
    """
    labels = to_numpy(labels)
    check_label_map('labels', labels)
    check_range('min_fill', min_fill, '[0, 1]')
    check_range('inner', inner, '(0, 1]')
    boxes = [_inside(box, labels.shape) for box in boxes]
    any_box, own_box = np.zeros(labels.shape, bool), np.zeros(labels.shape, bool)
    for box in boxes:
        place = box_slices(box, labels.shape)
        any_box[place] = True
        own_box[place] |= labels[place] == box.class_id
    result = np.where(any_box, labels, 0).astype(labels.dtype)
    result[any_box & ~own_box & (labels != 0)] = UNDECIDED
    kept = result.copy()
    for box in sorted(boxes, key=lambda b: -_size(b, labels.shape)):
        place = box_slices(box, labels.shape)
        own = kept[place] == box.class_id
        if own.size and own.mean() < min_fill:
            result[place] = UNDECIDED
            result[box_slices(_middle(box, inner), labels.shape)] = box.class_id
        else:
            result[place][own] = box.class_id
    return result


def _size(box: Box, image_size: tuple[int, ...]) -> int:
    rows, columns = box_slices(box, image_size)
    height, width = (int(part.stop - part.start) for part in (rows, columns))
    return max(height, 0) * max(width, 0)


def _inside(box: Box, image_size: tuple[int, ...]) -> Box:
    """The part of a box that lies in the image."""
    height, width = image_size
    x0, x1 = np.clip((box.x0, box.x1), 0, width)
    y0, y1 = np.clip((box.y0, box.y1), 0, height)
    return Box(box.class_id, x0, y0, x1, y1)


def _middle(box: Box, share: float) -> Box:
    """The box around the same centre with a share of the area, at least a pixel high and wide."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    half_width, half_height = (
        max((high - low) * share**0.5, 1) / 2 for low, high in ((box.x0, box.x1), (box.y0, box.y1))
    )
    return Box(box.class_id, x - half_width, y - half_height, x + half_width, y + half_height)

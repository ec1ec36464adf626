"""Where the image lies on its canvas.

The valid box travels through the pipeline twice: as the only row of ``gt_bboxes`` and, drawn, among the maps
of ``seg_fields``. mmseg's ``RandomFlip`` and ``Resize`` move both with the image; a step that moves only one,
such as ``RandomRotate``, is noticed at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ['get_valid_box', 'set_valid_box']

_TOLERANCE = 1e-3
_DRAWN = 'valid_map'


def set_valid_box(results: dict[str, Any], box: tuple[int, int, int, int]) -> None:
    """Record the valid box (x1, y1, x2, y2) of ``results['img']`` in pixels; x2 and y2 are exclusive.

    Raises:
        ValueError: There are boxes already: the step ran twice, or the data has boxes.
    """
    if results.get('gt_bboxes') is not None:
        raise ValueError(
            'gt_bboxes must not be there before the padded crop, which keeps the valid box in '
            'them: use one padded crop, and no annotation of boxes'
        )
    results['gt_bboxes'] = np.array([box], dtype=np.float64)
    left, top, right, bottom = box
    drawn = np.zeros(results['img'].shape[:2], np.uint8)
    drawn[top:bottom, left:right] = 1
    results[_DRAWN] = drawn
    results.setdefault('seg_fields', []).append(_DRAWN)


def get_valid_box(results: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return the valid box (x1, y1, x2, y2), the whole image when there was no padded crop.

    After a resize, pixels that the box covers only in part do not belong to it.

    Raises:
        ValueError: The box is not where the image is: a step moved pixels and not the box.
    """
    height, width = results['img'].shape[:2]
    boxes = results.get('gt_bboxes')
    if boxes is None:
        return 0, 0, width, height
    start, stop = np.asarray(boxes, dtype=np.float64)[0].reshape(2, 2)
    start, stop = np.ceil(start - _TOLERANCE), np.floor(stop + _TOLERANCE)
    box = (int(start[0]), int(start[1]), int(stop[0]), int(stop[1]))
    inside = 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height
    drawn = _extent(results[_DRAWN])
    # Resizing rounds the drawing to the nearest pixels, and the box to those that are covered.
    if not inside or max(abs(a - b) for a, b in zip(box, drawn)) > 1:
        raise ValueError(
            f'valid_box must lie in the image of {height} x {width} (height x width) where the image is, '
            f'{drawn}, but is {box}: a transform after the padded crop moved the image alone; behind it only '
            "mmseg's RandomFlip and Resize may move pixels, others (rotations) belong before it"
        )
    return box


def _extent(drawn: np.ndarray) -> tuple[int, int, int, int]:
    """Smallest box (x1, y1, x2, y2) around the ones of a map; empty if there are none."""
    rows, columns = (np.flatnonzero((drawn == 1).any(axis)) for axis in (1, 0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

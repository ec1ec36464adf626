"""Where the image lies on its canvas.

The valid box travels through the pipeline as the only row of ``gt_bboxes``, because every mmcv and
mmseg transform that moves pixels (``RandomFlip``, ``Resize``, ...) moves the boxes there with them:
a flip after the crop mirrors the valid box without any code of ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ['get_valid_box', 'set_valid_box']

_TOLERANCE = 1e-3


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


def get_valid_box(results: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return the valid box (x1, y1, x2, y2), the whole image when there was no padded crop.

    After a resize, pixels that the box covers only in part do not belong to it.

    Raises:
        ValueError: The box does not lie in the image: a step moved pixels and not the box.
    """
    height, width = results['img'].shape[:2]
    boxes = results.get('gt_bboxes')
    if boxes is None:
        return 0, 0, width, height
    start, stop = np.asarray(boxes, dtype=np.float64)[0].reshape(2, 2)
    start, stop = np.ceil(start - _TOLERANCE), np.floor(stop + _TOLERANCE)
    box = (int(start[0]), int(start[1]), int(stop[0]), int(stop[1]))
    if not (0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
        raise ValueError(
            f'valid_box must lie in the image of {height} x {width} (height x width), but is {box}: '
            'a transform after the padded crop moved the image alone'
        )
    return box

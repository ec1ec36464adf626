"""Where class scores may stand: the image's classes inside its unpadded area."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmwsss.functional.checks import check_choice, check_shapes

__all__ = ['valid_mask']


def valid_mask(
    labels: Tensor,
    boxes: Tensor,
    image_size: tuple[int, int],
    feature_size: Sequence[int],
    cell: str = 'centre',
) -> Tensor:
    """Mark the feature cells and classes that image labels and padding allow.

    Cell (i, j) of a feature map (h, w) covers ``H / h`` x ``W / w`` pixels of the padded image. One of
    its points decides whether it lies in the image's box. The background is allowed in every valid cell.

    Args:
        labels: Multi-hot labels (N, K); positive means that the class is present.
        boxes: Unpadded area of each image (N, 4) as (x1, y1, x2, y2) in pixels of the padded image,
            half-open.
        image_size: Height and width (H, W) of the padded images in pixels.
        feature_size: Height and width (h, w) of the result.
        cell: The point that decides: ``'centre'``, ``((j + 0.5) W / w, (i + 0.5) H / h)``, or
            ``'nearest'``, the top-left pixel ``(floor(j W / w), floor(i H / h))``, as a nearest resize
            has it. A mirrored box gives the mirrored mask with ``'centre'`` only.

    Returns:
        Ones and zeros (N, K + 1, h, w), background first, on the labels' device; the labels' dtype if
        that is floating point, else float32.

    Raises:
        ValueError: Shapes do not fit or ``cell`` is unknown.
    """
    check_shapes(labels=(labels, 'N K'), boxes=(boxes, 'N 4'))
    check_choice('cell', cell, ('centre', 'nearest'))
    dtype = labels.dtype if labels.is_floating_point() else torch.float32
    boxes = boxes.to(device=labels.device, dtype=torch.float64)
    left, top, right, bottom = boxes.T[:, :, None]  # (N, 1) each
    rows = _points(image_size[0], feature_size[0], cell, boxes)
    columns = _points(image_size[1], feature_size[1], cell, boxes)
    inside = ((rows >= top) & (rows < bottom))[:, :, None]  # (N, h, 1)
    inside = inside & ((columns >= left) & (columns < right))[:, None, :]  # (N, h, w)
    present = torch.cat([torch.ones_like(labels[:, :1], dtype=torch.bool), labels > 0], dim=1)
    allowed: Tensor = present[:, :, None, None] & inside[:, None]
    return allowed.to(dtype)


def _points(length: int, cells: int, cell: str, like: Tensor) -> Tensor:
    """The deciding point of each cell along one axis, in pixels: (cells,)."""
    index = torch.arange(cells, device=like.device, dtype=like.dtype)
    return (index * length / cells).floor() if cell == 'nearest' else (index + 0.5) * length / cells

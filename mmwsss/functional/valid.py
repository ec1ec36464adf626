"""Where class scores may stand: the image's classes inside its unpadded area."""

from __future__ import annotations

import torch
from torch import Tensor

from mmwsss.functional.checks import check_ndim

__all__ = ['valid_mask']


def valid_mask(
    labels: Tensor,
    boxes: Tensor,
    image_size: tuple[int, int],
    feature_size: tuple[int, int],
) -> Tensor:
    """Mark the feature cells and classes that image labels and padding allow.

    Cell (i, j) of a feature map (h, w) covers ``H / h`` x ``W / w`` pixels of the padded image; it is
    valid if its centre ``((j + 0.5) W / w, (i + 0.5) H / h)`` lies in the image's box, whose right and
    lower edges do not belong to it. The background is allowed in every valid cell.

    Args:
        labels: Multi-hot labels (N, K); positive means that the class is present.
        boxes: Unpadded area of each image (N, 4) as (x1, y1, x2, y2) in pixels of the padded image,
            half-open.
        image_size: Height and width (H, W) of the padded images in pixels.
        feature_size: Height and width (h, w) of the result.

    Returns:
        Ones and zeros (N, K + 1, h, w), background first, on the labels' device; the labels' dtype if
        that is floating point, else float32.

    Raises:
        ValueError: Shapes do not fit or a size is not positive.
    """
    check_ndim('labels', labels, 2)
    if tuple(boxes.shape) != (len(labels), 4):
        raise ValueError(
            f'boxes must have shape ({len(labels)}, 4) as labels, but got {tuple(boxes.shape)}'
        )
    if min(*image_size, *feature_size) < 1:
        raise ValueError(
            f'image_size and feature_size must be positive, but got {image_size} and {feature_size}'
        )
    dtype = labels.dtype if labels.is_floating_point() else torch.float32
    boxes = boxes.to(device=labels.device, dtype=torch.float64)
    rows = _centres_inside(boxes[:, 1], boxes[:, 3], image_size[0], feature_size[0])  # (N, h)
    columns = _centres_inside(boxes[:, 0], boxes[:, 2], image_size[1], feature_size[1])  # (N, w)
    inside = rows[:, :, None] & columns[:, None, :]  # (N, h, w)
    present = torch.cat([torch.ones_like(labels[:, :1], dtype=torch.bool), labels > 0], dim=1)
    return (present[:, :, None, None] & inside[:, None]).to(dtype)


def _centres_inside(start: Tensor, stop: Tensor, length: int, cells: int) -> Tensor:
    """Which cell centres along one axis lie in [start, stop): (N,), (N,) -> bool (N, cells)."""
    index = torch.arange(cells, device=start.device, dtype=start.dtype)
    centres = (index + 0.5) * length / cells
    return (centres >= start[:, None]) & (centres < stop[:, None])

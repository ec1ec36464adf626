"""Instance masks of COCO-style annotations, without further packages.

Format: the COCO data description, https://cocodataset.org/#format-data. LVIS uses the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from skimage.draw import polygon as polygon_pixels

__all__ = ['decode_rle', 'rasterize_polygons', 'segmentation_to_mask']


def segmentation_to_mask(segmentation: Any, image_size: tuple[int, int]) -> np.ndarray:
    """Turn the ``segmentation`` field of an annotation into a mask.

    Args:
        segmentation: A list of polygons ``[x0, y0, x1, y1, ...]`` in pixels, or run lengths: a dict with
            ``size`` (H, W) and ``counts``, a list or COCO's compressed string.
        image_size: (H, W) of the image.

    Returns:
        bool (H, W).

    Raises:
        ValueError: The field is malformed or of another size.
    """
    if isinstance(segmentation, Mapping):
        mask = decode_rle(segmentation)
        if mask.shape != tuple(image_size):
            raise ValueError(f'run lengths must be of size {image_size}, but are {mask.shape}')
        return mask
    return rasterize_polygons(segmentation, image_size)


def rasterize_polygons(
    polygons: Sequence[Sequence[float]], image_size: tuple[int, int]
) -> np.ndarray:
    """Fill polygons: a pixel belongs to a polygon if its centre lies inside.

    Pixel (row, column) has its centre at (column + 0.5, row + 0.5). The COCO API uses a finer grid and
    differs by single pixels along the border.

    Args:
        polygons: Flat coordinate lists ``[x0, y0, x1, y1, ...]``; their union is filled.
        image_size: (H, W).

    Returns:
        bool (H, W).

    Raises:
        ValueError: A polygon has an odd number of coordinates or fewer than three corners.
    """
    mask = np.zeros(tuple(image_size), dtype=bool)
    for coordinates in polygons:
        points = np.asarray(coordinates, dtype=np.float64)
        if points.ndim != 1 or len(points) % 2 or len(points) < 6:
            raise ValueError(
                'a polygon must be [x0, y0, x1, y1, x2, y2, ...] with at least three corners, '
                f'but has shape {points.shape}'
            )
        rows, columns = polygon_pixels(points[1::2] - 0.5, points[0::2] - 0.5, shape=mask.shape)
        mask[rows, columns] = True
    return mask


def decode_rle(rle: Mapping[str, Any]) -> np.ndarray:
    """Decode run lengths: alternately zeros and ones, down the columns.

    Args:
        rle: ``size`` (H, W) and ``counts``, a list of run lengths or COCO's compressed string.

    Returns:
        bool (H, W).

    Raises:
        ValueError: A key is missing, or the runs do not add up to H x W.

    Example:
        >>> decode_rle({'size': [2, 3], 'counts': [1, 2, 3]}).astype(int)
        array([[0, 1, 0],
               [1, 0, 0]])
    """
    if 'size' not in rle or 'counts' not in rle:
        raise ValueError(f"run lengths need 'size' and 'counts', but have {sorted(rle)}")
    height, width = (int(n) for n in rle['size'])
    counts = rle['counts']
    if isinstance(counts, (str, bytes)):
        counts = _uncompress(counts.encode() if isinstance(counts, str) else counts)
    runs = np.asarray(counts, dtype=np.int64)
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(
            f'run lengths must be >= 0 and add up to {height} x {width} = {height * width}, '
            f'but add up to {int(runs.sum())}'
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(width, height).T


def _uncompress(text: bytes) -> list[int]:
    """COCO's string: 6-bit characters (offset 48), low bits first, bit 5 = more follow, bit 4 = sign.

    From the third run on, the string holds the difference to the run two places before.
    """
    runs: list[int] = []
    value = shift = 0
    for byte in text:
        digit = byte - 48
        if not 0 <= digit < 64:
            raise ValueError(f'compressed run lengths hold an unknown character {chr(byte)!r}')
        value |= (digit & 0x1F) << shift
        shift += 5
        if digit & 0x20:
            continue
        if digit & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError('compressed run lengths end in the middle of a number')
    return runs

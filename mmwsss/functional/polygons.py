"""Objects as polygons and run lengths, as COCO-style annotations have them.

Format: the COCO data description, https://cocodataset.org/#format-data. LVIS uses the same. Polygons are
filled by COCO's own library, so that masks, instances and sizes made of one file agree in every pixel.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    'decode_rle',
    'encode_rle',
    'import_mask_api',
    'mask_to_polygon',
    'rasterize_polygons',
    'segmentation_to_mask',
]

# Times the image's longer side: the library reserves memory for every pixel of the outline.
MAX_OUTSIDE = 10
Mask = NDArray[np.bool_]


def segmentation_to_mask(segmentation: Any, image_size: tuple[int, int]) -> Mask:
    """Turn the ``segmentation`` field of an annotation into a mask.

    Args:
        segmentation: A list of polygons, as :func:`rasterize_polygons` takes it, or run lengths, as
            :func:`decode_rle` does.
        image_size: (H, W) of the image.

    Returns:
        bool (H, W).

    Raises:
        ImportError: There are polygons, and pycocotools is missing.
        ValueError: The field is malformed or of another size.
    """
    if isinstance(segmentation, (list, tuple)):
        return rasterize_polygons(segmentation, image_size)
    if not isinstance(segmentation, Mapping):
        raise ValueError(
            f'a segmentation must be polygons or run lengths, but is a {type(segmentation).__name__}'
        )
    size = segmentation.get('size')  # looked at first, for a wrong one may be enormous
    if size not in ([*image_size], (*image_size,)):
        raise ValueError(f"'size' of run lengths must be {image_size}, but is {size!r}")
    return decode_rle(segmentation)


def rasterize_polygons(polygons: Sequence[Sequence[float]], image_size: tuple[int, int]) -> Mask:
    """Fill polygons as the COCO API does; what lies outside the image is cut off.

    Args:
        polygons: Flat coordinate lists ``[x0, y0, x1, y1, ...]`` in pixels; their union is filled.
        image_size: (H, W).

    Returns:
        bool (H, W).

    Raises:
        ImportError: pycocotools is missing.
        ValueError: A polygon has an odd number of coordinates or fewer than three corners, or one that
            is not finite or further than ten image sides away.
    """
    height, width = image_size
    api = import_mask_api()
    shapes = [_corners(coordinates, max(height, width)) for coordinates in polygons]
    if not shapes:
        return np.zeros((height, width), dtype=bool)
    return np.array(api.decode(api.merge(api.frPyObjects(shapes, height, width))), dtype=bool)


def import_mask_api() -> ModuleType:
    """Return ``pycocotools.mask``.

    Raises:
        ImportError: pycocotools is missing; the message says how to install it.
    """
    try:
        import pycocotools.mask as module
    except ImportError as error:
        raise ImportError(
            "COCO's polygons need pycocotools: pip install pycocotools, or the extra 'coco' of this "
            'package'
        ) from error
    api: ModuleType = module
    return api


def _corners(coordinates: Any, side: int) -> Any:
    """Coordinates that are safe to hand to the library, which checks nothing."""
    try:
        points = np.asarray(coordinates, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f'a polygon must be a list of numbers: {error}') from error
    if points.ndim != 1 or len(points) % 2 or len(points) < 6:
        raise ValueError(
            'a polygon must be [x0, y0, x1, y1, x2, y2, ...] with at least three corners, '
            f'but has shape {points.shape}'
        )
    limit = MAX_OUTSIDE * side
    far = points[~(np.abs(points) <= limit)]  # NaN included
    if len(far):
        raise ValueError(
            f'coordinates of a polygon must lie in -{limit}..{limit}, but one is {far[0]:g}'
        )
    return points.tolist()


def decode_rle(rle: Mapping[str, Any]) -> Mask:
    """Decode run lengths: alternately zeros and ones, down the columns.

    Args:
        rle: ``size`` (H, W) and ``counts``, a list of run lengths or COCO's compressed string.

    Returns:
        bool (H, W).

    Raises:
        ValueError: The runs are no integers, or do not add up to H x W.
    """
    height, width = rle['size']
    counts: Any = rle.get('counts')
    if isinstance(counts, (str, bytes)):
        counts = _uncompress(counts.encode() if isinstance(counts, str) else counts)
    try:
        runs = np.array([operator.index(count) for count in counts], np.int64)
    except (TypeError, OverflowError) as error:
        raise ValueError(f'run lengths must be integers: {error}') from error
    total = sum(runs.tolist())  # Python's integers do not wrap around
    if (runs < 0).any() or total != height * width:
        raise ValueError(
            f'run lengths must be >= 0 and add up to {height} x {width} = {height * width}, '
            f'but add up to {total}'
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(width, height).T


def encode_rle(mask: Mask) -> dict[str, list[int]]:
    """Run lengths ``{"size", "counts"}`` of a mask (H, W), as :func:`decode_rle` reads them."""
    flat = mask.T.ravel().astype(bool)
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff([0, *borders, flat.size]).tolist()
    return {'size': list(mask.shape), 'counts': [0, *runs] if flat[0] else runs}


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


def mask_to_polygon(mask: NDArray[Any], tolerance: float = 0.0) -> NDArray[np.float64]:
    """Draw the outline of an object so that the centres of its pixels, and no others, lie inside.

    Lines run a quarter of a pixel inside the edges of the object's pixels. A hole is joined to the
    outline by a line there and back, for most formats know no holes: fill the polygon by the even-odd or
    the non-zero rule.

    Args:
        mask: bool or 0/1 (H, W), one 8-connected object.
        tolerance: How far corners that are left out may lie off the line, in pixels. 0: exact.

    Returns:
        float64 (n, 2), x and y in pixels; the upper left corner of the image is (0, 0).

    Raises:
        ValueError: The mask is empty or holds several objects.
    """
    doubled = np.repeat(np.repeat(np.asarray(mask, dtype=np.uint8), 2, axis=0), 2, axis=1)
    rings, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = (
        [] if tree is None else np.flatnonzero(tree[0, :, 3] < 0)
    )  # those that no other surrounds
    if len(outer) != 1:
        raise ValueError(f'the mask must hold one object, but holds {len(outer)}')
    polygon, *holes = (
        _without_corners(rings[i], 2 * tolerance)[:, 0]
        for i in sorted(range(len(rings)), key=lambda i: i != outer[0])
    )
    for hole in holes:
        distances = ((polygon[:, None] - hole[None]) ** 2).sum(axis=2)
        i, j = np.unravel_index(distances.argmin(), distances.shape)
        way = np.concatenate([hole[j:], hole[: j + 1]])
        polygon = np.concatenate([polygon[: i + 1], way, polygon[i:]])
    points: NDArray[np.float64] = (polygon.astype(np.float64) + 0.5) / 2
    return points


def _without_corners(ring: NDArray[Any], tolerance: float) -> NDArray[Any]:
    """Fewer points, but three at least."""
    fewer = cv2.approxPolyDP(ring, tolerance, closed=True) if tolerance > 0 else ring
    return fewer if len(fewer) > 2 else ring

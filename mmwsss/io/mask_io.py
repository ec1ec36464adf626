"""Masks on disk: 8-bit palette PNG, 16-bit grey PNG beyond 255 classes; 255 = ignore."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mmwsss.io.atomic import atomic_path
from mmwsss.io.damage import parsing
from mmwsss.io.names import require_file

__all__ = [
    'IGNORE_INDEX',
    'Array',
    'check_mask',
    'compact_labels',
    'foreground_ids',
    'is_mask_file',
    'load_mask',
    'save_mask',
    'voc_palette',
]

Array = npt.NDArray[Any]
IGNORE_INDEX = 255
MAX_ID = 65535
_PNG_START = b'\x89PNG\r\n\x1a\n'
_PNG_KIND = 24  # place of bit depth and colour type
_PNG_END = b'IEND\xaeB`\x82'
_GREY, _PALETTE = 0, 3  # PNG colour types
_COLOUR_TYPES = {_GREY: 'grey', 2: 'RGB', 4: 'grey with alpha', 6: 'RGBA'}


def compact_labels(labels: Array) -> Array:
    """Non-negative labels in the smallest type that mask files have: uint8, or uint16 for ids above 255."""
    dtype = np.uint8 if labels.max(initial=0) <= IGNORE_INDEX else np.uint16
    return labels.astype(dtype, copy=False)


def foreground_ids(places: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Class ids of foreground classes that are counted from 0: 1, 2, ..., and 256 after 254."""
    ids = np.asarray(places, np.int64) + 1
    return ids + (ids >= IGNORE_INDEX)


def voc_palette(n: int) -> list[list[int]]:
    """Return the first ``n`` (up to 65536) colours of PASCAL VOC's palette as [R, G, B] in 0..255.

    Bit ``3 i + c`` of a class id becomes bit ``7 - i`` of its colour channel ``c``, which keeps
    neighbouring ids far apart in colour. The colour of 255 is the cream of ignored pixels.
    """
    colours = np.zeros((n, 3), np.int64)
    for bit in range(24):
        colours[:, bit % 3] |= ((np.arange(n) >> bit) & 1) << (7 - bit // 3)
    rows: list[list[int]] = colours.tolist()
    return rows


def save_mask(
    path: str | os.PathLike[str],
    labels: Array,
    palette: Sequence[Sequence[int]] | None = None,
) -> None:
    """Write a label map as an 8-bit palette PNG; the file appears whole or not at all.

    Args:
        path: The file to write, ending in ``.png``.
        labels: Integer (H, W), class ids; 255 = ignore. Ids above 255, which need a ``palette`` of as
            many colours, make the file a 16-bit grey PNG.
        palette: One [R, G, B] per class id. Missing colours come from :func:`voc_palette`.

    Raises:
        ValueError: ``labels`` or ``palette`` has the wrong shape, type or range.
    """
    many = palette is not None and len(palette) > IGNORE_INDEX + 1
    labels = _compact(np.asarray(labels), path, MAX_ID if many else IGNORE_INDEX)
    image = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        with parsing('palette must be (n, 3) in 0..255'):
            image.putpalette(_full_palette(palette))
    with atomic_path(path) as temporary:
        image.save(temporary, format='PNG')


def load_mask(
    path: str | os.PathLike[str],
    num_classes: int | None = None,
    ignore_index: int | None = IGNORE_INDEX,
    image_size: tuple[int, ...] | None = None,
) -> Array:
    """Read a label map from a palette or grey PNG or from an ``.npy`` array.

    Args:
        path: The file; ``.npy`` arrays are read without executing anything in them.
        num_classes: Number of classes with background; other ids are refused. None: no check.
        ignore_index: The id that is allowed beside the classes. None: there is none.
        image_size: The (H, W) that the mask must have. None: no check.

    Returns:
        uint8 (H, W); uint16 if ``num_classes`` exceeds 255.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged, in colour, deeper than ``num_classes`` asks for, of another size than
            ``image_size``, or holds a class id outside the list; the message names the file.
    """
    path = require_file('mask', path)
    if path.suffix.lower() == '.npy':
        with parsing(f'{path} is not a readable .npy array'):
            labels: Array = np.load(path, allow_pickle=False)
    else:
        labels = _read_png(path, num_classes is not None and num_classes > IGNORE_INDEX)
    return check_mask(labels, path, num_classes, ignore_index, image_size)


def check_mask(
    labels: Array,
    path: str | os.PathLike[str],
    num_classes: int | None = None,
    ignore_index: int | None = IGNORE_INDEX,
    image_size: tuple[int, ...] | None = None,
) -> Array:
    """Check labels that were read from ``path`` as :func:`load_mask` does, and return what it returns."""
    deep = num_classes is not None and num_classes > IGNORE_INDEX
    labels = _compact(labels, path, MAX_ID if deep else IGNORE_INDEX)
    if image_size is not None and labels.shape != tuple(image_size):
        have, want = (f'{size[0]} x {size[1]}' for size in (labels.shape, image_size))
        raise ValueError(f'{path}: the mask is {have} (height x width), expected {want}')
    if num_classes is not None:
        present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
        wrong = [str(i) for i in present if i >= num_classes and i != ignore_index]
        if wrong:
            raise ValueError(
                f'{path} holds class ids outside the list: {", ".join(wrong[:10])}'
                f'{", ..." if len(wrong) > 10 else ""}; expected 0 .. {num_classes - 1}'
                f'{"" if ignore_index is None else f" and {ignore_index} (ignore)"}'
            )
    return labels.astype(np.uint16) if deep else labels


def is_mask_file(path: str | os.PathLike[str]) -> bool:
    """Tell cheaply whether ``path`` is a complete PNG: its first and its last bytes are there."""
    try:
        with Path(path).open('rb') as file:
            start = file.read(len(_PNG_START))
            file.seek(-len(_PNG_END), os.SEEK_END)
            return start == _PNG_START and file.read() == _PNG_END
    except OSError:
        return False


def _read_png(path: Path, deep: bool) -> Array:
    whole = parsing(f'{path} is not a whole PNG')
    with whole, path.open('rb') as file, Image.open(file, formats=['PNG']) as image:
        labels = np.array(image)
        file.seek(_PNG_KIND)
        depth, colour_type = file.read(2)
    depths = (8, 16) if deep else (8,)
    if colour_type != _PALETTE and not (colour_type == _GREY and depth in depths):
        raise ValueError(
            f'{path} is a PNG of colour type {colour_type} '
            f'({_COLOUR_TYPES.get(colour_type, "unknown")}) with {depth} bit, expected class ids as '
            f'8-bit palette or {" or ".join(map(str, depths))}-bit grey'
        )
    return labels


def _compact(labels: Array, path: object, highest: int) -> Array:
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    is_map = labels.ndim == 2 and labels.size and np.issubdtype(labels.dtype, np.integer)
    if not is_map or low < 0 or high > highest:
        raise ValueError(
            f'{path}: labels must be integers (H, W) in 0..{highest}, but got {labels.dtype} '
            f'{labels.shape} in {low}..{high}'
        )
    return compact_labels(labels)


def _full_palette(palette: Sequence[Sequence[int]] | None) -> list[int]:
    colours = np.array(voc_palette(256))
    if palette is not None:
        own = np.asarray(palette)
        own = own[: 256 if len(own) <= 256 else IGNORE_INDEX]
        colours[: len(own)] = own
    flat: list[int] = colours.ravel().tolist()
    return flat

"""Masks on disk: 8-bit palette PNG, 16-bit grey PNG beyond 255 classes; 255 = ignore."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmwsss.io.atomic import atomic_path
from mmwsss.io.damage import parsing

__all__ = [
    'IGNORE_INDEX',
    'check_mask',
    'compact_labels',
    'foreground_ids',
    'is_mask_file',
    'load_mask',
    'save_mask',
    'voc_palette',
]

IGNORE_INDEX = 255
MAX_ID = 65535
_IGNORE_COLOUR = [224, 224, 192]
_PNG_START = b'\x89PNG\r\n\x1a\n'
_PNG_END = b'IEND\xaeB`\x82'
_GREY, _PALETTE = 0, 3  # PNG colour types


def compact_labels(labels: np.ndarray) -> np.ndarray:
    """Non-negative labels in the smallest type that mask files have: uint8, or uint16 for ids above 255."""
    dtype = np.uint8 if labels.max(initial=0) <= IGNORE_INDEX else np.uint16
    return labels.astype(dtype, copy=False)


def foreground_ids(places: np.ndarray) -> np.ndarray:
    """Class ids of foreground classes that are counted from 0: 1, 2, ..., and 256 after 254."""
    ids = np.asarray(places, np.int64) + 1
    return ids + (ids >= IGNORE_INDEX)


def voc_palette(n: int) -> list[list[int]]:
    """Return the first ``n`` colours of PASCAL VOC's palette as [R, G, B] in 0..255.

    Bit ``3 i + c`` of a class id becomes bit ``7 - i`` of its colour channel ``c``, which keeps
    neighbouring ids far apart in colour.

    Raises:
        ValueError: ``n`` does not lie in 0..65536.
    """
    if not 0 <= n <= MAX_ID + 1:
        raise ValueError(f'n must lie in 0..{MAX_ID + 1}, but got {n}')
    ids = np.arange(n)
    channels = [
        sum(((ids >> (3 * i + c)) & 1) << (7 - i) for i in range(8)) + 0 * ids for c in range(3)
    ]
    return np.stack(channels, axis=1).tolist()


def save_mask(
    path: str | os.PathLike[str],
    labels: np.ndarray,
    palette: Sequence[Sequence[int]] | None = None,
) -> None:
    """Write a label map as an 8-bit palette PNG; the file appears whole or not at all.

    Args:
        path: The file to write, ending in ``.png``.
        labels: Integer (H, W), class ids; 255 = ignore. Ids above 255, which need a ``palette`` of as
            many colours, make the file a 16-bit grey PNG.
        palette: One [R, G, B] per class id. Missing colours come from :func:`voc_palette`, the
            colour of 255 is VOC's cream unless ``palette`` reaches that far.

    Raises:
        ValueError: ``path`` has another suffix, or ``labels`` or ``palette`` has the wrong shape,
            type or range.
    """
    path, labels = Path(path), np.asarray(labels)
    if path.suffix != '.png':
        raise ValueError(f'masks are written to .png files, but got {path}')
    many = palette is not None and len(palette) > IGNORE_INDEX + 1
    labels = _checked_labels(labels, str(path), MAX_ID if many else IGNORE_INDEX)
    image = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        image.putpalette(_full_palette(palette))
    with atomic_path(path) as temporary:
        image.save(temporary, format='PNG')


def load_mask(
    path: str | os.PathLike[str],
    num_classes: int | None = None,
    ignore_index: int | None = IGNORE_INDEX,
    image_size: tuple[int, int] | None = None,
) -> np.ndarray:
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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'mask not found: {path}')
    deep = num_classes is not None and num_classes > IGNORE_INDEX
    labels = _read_npy(path) if path.suffix == '.npy' else _read_png(path, deep)
    return check_mask(labels, path, num_classes, ignore_index, image_size)


def check_mask(
    labels: np.ndarray,
    path: str | os.PathLike[str],
    num_classes: int | None = None,
    ignore_index: int | None = IGNORE_INDEX,
    image_size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Check a label map as :func:`load_mask` does.

    Args:
        labels: What was read.
        path: Named in messages.
        num_classes: See :func:`load_mask`, as the others.
        ignore_index: See there.
        image_size: See there.

    Returns:
        uint8 (H, W), or uint16; see there.

    Raises:
        ValueError: See there.
    """
    deep = num_classes is not None and num_classes > IGNORE_INDEX
    labels = _checked_labels(labels, str(path), MAX_ID if deep else IGNORE_INDEX)
    labels = labels.astype(np.uint16) if deep else labels
    if image_size is not None and labels.shape != tuple(image_size):
        raise ValueError(
            f'{path}: the mask is {_size_text(labels.shape)}, expected {_size_text(image_size)}'
        )
    if num_classes is not None:
        _check_ids(labels, num_classes, ignore_index, path)
    return labels


def is_mask_file(path: str | os.PathLike[str]) -> bool:
    """Tell cheaply whether ``path`` is a complete PNG: its first and its last bytes are there."""
    try:
        with Path(path).open('rb') as file:
            start = file.read(len(_PNG_START))
            file.seek(-len(_PNG_END), os.SEEK_END)
            return start == _PNG_START and file.read() == _PNG_END
    except OSError:
        return False


def _read_npy(path: Path) -> np.ndarray:
    with parsing(f'{path} is not a readable .npy array'):
        return np.load(path, allow_pickle=False)


def _read_png(path: Path, deep: bool = False) -> np.ndarray:
    with path.open('rb') as file:
        header = file.read(26)
    if len(header) < 26 or not header.startswith(_PNG_START):
        raise ValueError(f'{path} is not a PNG: masks are palette or grey PNG, or .npy')
    depth, colour_type = struct.unpack('BB', header[24:26])
    depths = (8, 16) if deep else (8,)
    grey, indexed = colour_type == _GREY and depth in depths, colour_type == _PALETTE
    if not (grey or indexed):
        raise ValueError(
            f'{path} is a PNG of colour type {colour_type} ({_colour_text(colour_type)}) '
            f'with {depth} bit, expected class ids as 8-bit palette or '
            f'{" or ".join(map(str, depths))}-bit grey'
        )
    with parsing(f'{path} is a damaged PNG'), Image.open(path) as image:
        return np.array(image)


def _checked_labels(labels: np.ndarray, name: str, highest: int) -> np.ndarray:
    if labels.ndim != 2 or 0 in labels.shape or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f'{name}: labels must be integers (H, W), but got {labels.dtype} {labels.shape}'
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > highest:
        raise ValueError(f'{name}: labels must lie in 0..{highest}, but span {low}..{high}')
    return compact_labels(labels)


def _check_ids(
    labels: np.ndarray, num_classes: int, ignore_index: int | None, path: object
) -> None:
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    wrong = [int(i) for i in present if i >= num_classes and i != ignore_index]
    if wrong:
        ignore = '' if ignore_index is None else f' and {ignore_index} (ignore)'
        shown = ', '.join(map(str, wrong[:10])) + (', ...' if len(wrong) > 10 else '')
        raise ValueError(
            f'{path} holds class ids outside the list: {shown}; '
            f'expected 0 .. {num_classes - 1}{ignore}'
        )


def _full_palette(palette: Sequence[Sequence[int]] | None) -> list[int]:
    colours = voc_palette(256)
    colours[IGNORE_INDEX] = _IGNORE_COLOUR
    if palette is not None:
        given = np.asarray(palette)
        if given.ndim != 2 or given.shape[1] != 3:
            raise ValueError(f'palette must be (n, 3), but got {given.shape}')
        if given.min() < 0 or given.max() > 255:
            raise ValueError(f'palette must lie in 0..255, but got {given.min()}..{given.max()}')
        given = given[: 256 if len(given) <= 256 else IGNORE_INDEX]
        colours[: len(given)] = given.astype(int).tolist()
    return [value for colour in colours for value in colour]


def _colour_text(colour_type: int) -> str:
    return {0: 'grey', 2: 'RGB', 4: 'grey with alpha', 6: 'RGBA'}.get(colour_type, 'unknown')


def _size_text(size: tuple[int, ...]) -> str:
    return f'{size[0]} x {size[1]} (height x width)'

"""Class-agnostic segments of an image on disk: a JSON list of COCO's run lengths."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwsss.functional.polygons import encode_rle, segmentation_to_mask
from mmwsss.io.atomic import write_text
from mmwsss.io.damage import parsing
from mmwsss.io.names import require_file

__all__ = ['load_segments', 'save_segments']

MAX_PIXELS = 2**31  # of all segments of an image together, a byte each


def save_segments(path: str | os.PathLike[str], segments: Iterable[NDArray[np.bool_]]) -> None:
    """Write masks, bool (H, W) each, as a JSON list of ``{"size": [H, W], "counts": [...]}``."""
    write_text(path, json.dumps([encode_rle(mask) for mask in segments]) + '\n')


def load_segments(path: str | os.PathLike[str], image_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read segments of an image: what :func:`save_segments` writes, or SAM's automatic masks.

    Args:
        path: A JSON list, or one under ``annotations``, of run lengths ``{"size", "counts"}``, plain or
            compressed, or of dicts that hold such under ``segmentation``.
        image_size: (H, W) of the image.

    Returns:
        bool (S, H, W).

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is malformed, of another size or holds too many segments; names the file.
    """
    with parsing(f'{path} is no JSON of segments'):
        content: Any = json.loads(require_file('segments', path).read_bytes())
        entries = content['annotations'] if isinstance(content, dict) else content
        if not isinstance(entries, list):
            raise ValueError(f'expected a list, but got a {type(entries).__name__}')
        most = MAX_PIXELS // math.prod(image_size)
        if len(entries) > most:
            raise ValueError(f'{len(entries)} segments, expected at most {most} of {image_size}')
        masks = np.zeros((len(entries), *image_size), bool)
        for mask, entry in zip(masks, entries):
            outline = entry.get('segmentation', entry) if isinstance(entry, dict) else entry
            if isinstance(outline, list):
                raise ValueError('expected run lengths, but got a list')
            mask[:] = segmentation_to_mask(outline, image_size)
    return masks

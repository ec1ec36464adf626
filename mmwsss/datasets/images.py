"""Images as people see them: upright, 8-bit RGB, whatever the file holds."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image, ImageOps

from mmwsss.functional.checks import check_range

__all__ = ['image_size', 'upright_rgb']

ORIENTATION = 0x0112  # EXIF tag; 5 to 8 exchange rows and columns
BEHIND_TRANSPARENT = (124, 117, 104)  # ImageNet's mean colour, as mmcv has it
MAX_16_BIT = 65535
SAMPLES_PER_PIXEL, WIDTH, HEIGHT = 277, 256, 257  # TIFF tags


def upright_rgb(image: Image.Image) -> np.ndarray:
    """Turn a Pillow image into an array.

    - The rotation that EXIF asks for is applied: that is how viewers and drawing programs show it.
    - 16-bit grey keeps its high byte, as Pillow does with 16-bit colour, so 65535 becomes 255. A file
      that uses a part of the range comes out dark: rescale such files before.
    - Transparent pixels show a mean colour.
    - Of an MPO file of a camera the first picture counts.

    Args:
        image: Of any mode.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        OSError: The image is damaged.
        ValueError: It cannot be shown as it is: grey with values outside 0..65535, floating-point numbers,
            several pages or frames, or more than four bands.
    """
    frames = getattr(image, 'n_frames', 1)
    if frames > 1 and image.format != 'MPO':
        raise ValueError(
            f'it has {frames} pages or frames, expected one: give each a file of its own'
        )
    bands = getattr(image, 'tag_v2', {}).get(SAMPLES_PER_PIXEL, 1)
    if bands > 4:
        raise ValueError(f'it has {bands} bands, expected at most 4: choose three of them')
    if image.mode == 'F':
        raise ValueError(
            'its pixels are floating-point numbers, whose black and white nobody knows: save it with 8 bits'
        )
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith('I'):
        grey = np.asarray(image)
        for extreme in (int(grey.min()), int(grey.max())):
            check_range('grey values', extreme, f'[0, {MAX_16_BIT}]')
        return np.repeat((grey.astype(np.int64) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ('LA', 'RGBA', 'PA', 'La', 'RGBa') or 'transparency' in image.info:
        opaque = Image.new('RGBA', image.size, (*BEHIND_TRANSPARENT, 255))
        image = Image.alpha_composite(opaque, image.convert('RGBA'))
    return np.array(image.convert('RGB'))


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of the upright image, from the head of its file.

    Raises:
        OSError: The file is missing or no image.
    """
    with Image.open(path) as image:
        # Some versions of Pillow turn the size of TIFF files themselves.
        tags = getattr(image, 'tag_v2', {})
        width, height = tags.get(WIDTH, image.width), tags.get(HEIGHT, image.height)
        turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
        return (width, height) if turned else (height, width)

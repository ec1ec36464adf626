"""A crop that pads where the image is smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from mmwsss.functional.checks import check_shapes

from .valid_box import set_valid_box

__all__ = ['PaddedRandomCrop']


@TRANSFORMS.register_module()
class PaddedRandomCrop(BaseTransform):
    """Bring the image to a fixed size: crop where it is larger, pad where it is smaller.

    Per axis, independently and uniformly: of a larger image a random window is kept; a smaller
    one is pasted at a random place of a zero canvas. The part of the canvas that shows the image
    becomes ``valid_box`` in the metainfo of the packed sample (see :class:`PackWSSSInputs`; a flip
    or resize after this step moves the box along, other moves are refused there). Segmentation maps
    are cut with the image and padded with ``seg_pad_val``. The canvas is zero *before* normalisation;
    ``WSSSDataPreProcessor`` zeroes it again afterwards.

    Args:
        crop_size: Height and width in pixels, or one number for both.
        pad_val: Value of the canvas, 0..255.
        seg_pad_val: Value of padding in segmentation maps.

    Raises:
        ValueError: ``crop_size`` is smaller than 1.
    """

    def __init__(
        self, crop_size: int | tuple[int, int] = 512, pad_val: int = 0, seg_pad_val: int = 255
    ) -> None:
        size = (crop_size, crop_size) if isinstance(crop_size, int) else tuple(crop_size)
        if len(size) != 2 or min(size) < 1:
            raise ValueError(
                f'crop_size must be one or two integers (height, width) >= 1, but got {crop_size}'
            )
        self.crop_size = size
        self.pad_val = pad_val
        self.seg_pad_val = seg_pad_val

    @cache_randomness
    def _draw_offsets(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return (y, x) of the image's corner on the canvas; negative where it is cropped."""
        offsets = []
        for crop, length in zip(self.crop_size, image_size):
            space = crop - length
            shift = int(np.random.randint(abs(space) + 1))  # noqa: NPY002
            offsets.append(shift if space > 0 else -shift)
        return offsets[0], offsets[1]

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut ``results['img']`` and the maps of ``results['seg_fields']``."""
        maps = {key: (results[key], 'H W') for key in results.get('seg_fields', [])}
        check_shapes(img=(results['img'], 'H W C'), **maps)
        size = results['img'].shape[:2]
        overlaps = map(_overlap, self.crop_size, size, self._draw_offsets(size))
        target, source = zip(*overlaps)

        def paste(array: np.ndarray, fill: int) -> np.ndarray:
            canvas = np.full((*self.crop_size, *array.shape[2:]), fill, dtype=array.dtype)
            canvas[target] = array[source]
            return canvas

        for key in maps:
            results[key] = paste(results[key], self.seg_pad_val)
        results['img'] = paste(results['img'], self.pad_val)
        rows, columns = target
        set_valid_box(results, (columns.start, rows.start, columns.stop, rows.stop))
        results['img_shape'] = results['pad_shape'] = self.crop_size
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(crop_size={self.crop_size})'


def _overlap(crop: int, length: int, offset: int) -> tuple[slice, slice]:
    """Return where the image lies on the canvas, and which part of the image that is."""
    start, stop = max(offset, 0), min(offset + length, crop)
    return slice(start, stop), slice(start - offset, stop - offset)

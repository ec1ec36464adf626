"""Resizing by the long side."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmseg.datasets.transforms import Resize
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmwsss.functional.checks import check_range

__all__ = ['RandomResizeLongSide']


@TRANSFORMS.register_module()
class RandomResizeLongSide(BaseTransform):
    """Resize the image so that its long side has a random length; the aspect ratio stays.

    The length is drawn uniformly from the integers ``min_size .. max_size``; the short side is
    rounded and at least one pixel. Maps in ``gt_seg_map`` are resized by nearest neighbour. mmseg's
    ``Resize`` does the work. Defaults are the localizers' recipe (SIPE, CVPR 2022:
    U{320..640}); the cubic filter of Pillow is what the released code uses.

    Args:
        min_size: Smallest long side, in pixels.
        max_size: Largest long side, in pixels.
        interpolation: Filter for the image.
        backend: ``'pillow'`` (smooths when shrinking) or ``'cv2'`` (does not; faster).

    Raises:
        ValueError: Not 1 <= min_size <= max_size.
    """

    def __init__(
        self,
        min_size: int = 320,
        max_size: int = 640,
        interpolation: str = 'bicubic',
        backend: str = 'pillow',
    ) -> None:
        check_range('min_size', min_size, f'[1, {max_size}]')
        self.min_size = min_size
        self.max_size = max_size
        self.resize = _Resize(
            scale=(1, 1), keep_ratio=False, interpolation=interpolation, backend=backend
        )

    @cache_randomness
    def _draw_long_side(self) -> int:
        return int(np.random.randint(self.min_size, self.max_size + 1))  # noqa: NPY002

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize ``results['img']`` and what belongs to it."""
        height, width = results['img'].shape[:2]
        factor = self._draw_long_side() / max(height, width)
        self.resize.scale = (max(1, round(width * factor)), max(1, round(height * factor)))
        return self.resize(results)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(min_size={self.min_size}, max_size={self.max_size})'


class _Resize(Resize):
    """``Resize`` of masks with ids above 255, which mmcv's Pillow backend refuses."""

    def _resize_seg(self, results: dict[str, Any]) -> None:
        if self.backend != 'pillow':
            super()._resize_seg(results)
            return
        for key in results.get('seg_fields', []):
            labels = Image.fromarray(results[key].astype(np.int32))
            resized = labels.resize(self.scale, Image.Resampling.NEAREST)
            results[key] = np.asarray(resized, dtype=results[key].dtype)

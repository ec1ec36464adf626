"""Loading that names the image when something is wrong with it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmwsss.datasets.images import upright_rgb
from mmwsss.io.mask_io import IGNORE_INDEX, compact_labels, load_mask

__all__ = ['LoadImage', 'LoadMask', 'load_rgb']


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """``LoadImageFromFile`` by Pillow, which refuses truncated files; errors name the image.

    OpenCV, the default of mmcv, fills what a truncated JPEG lacks with grey and goes on.
    Images are turned upright as EXIF says, and 16-bit grey becomes 8-bit; see
    :func:`~mmwsss.datasets.images.upright_rgb`.

    Adds ``img`` (BGR uint8 (H, W, 3), contiguous), ``img_shape`` and ``ori_shape``.

    Args:
        imdecode_backend: Decoder of mmcv.
        **kwargs: Further arguments of ``LoadImageFromFile``.

    Raises:
        FileNotFoundError: The image does not exist.
        OSError: The image cannot be decoded.
    """

    def __init__(self, imdecode_backend: str = 'pillow', **kwargs: Any) -> None:
        super().__init__(imdecode_backend=imdecode_backend, **kwargs)

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Load ``results['img_path']``."""
        path = results['img_path']
        plain = (self.color_type, self.imdecode_backend) == ('color', 'pillow')
        try:
            loaded = self._load_upright(results) if plain else super().transform(results)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{_name(results)} does not exist: {path}') from error
        except Exception as error:
            raise OSError(f'{_name(results)} cannot be read ({path}): {error}') from error
        if loaded is not None:
            loaded['img'] = np.ascontiguousarray(loaded['img'])
        return loaded

    def _load_upright(self, results: dict[str, Any]) -> dict[str, Any]:
        """Do what ``LoadImageFromFile`` does, for every kind of grey and colour."""
        content = fileio.get(results['img_path'], backend_args=self.backend_args)
        with Image.open(io.BytesIO(content)) as image:
            pixels = upright_rgb(image)[..., ::-1]
        results['img'] = pixels.astype(np.float32) if self.to_float32 else pixels
        results['img_shape'] = results['ori_shape'] = pixels.shape[:2]
        return results


def load_rgb(path: str | Path, image_id: str = '') -> np.ndarray:
    """Read an image as the datasets do, as RGB uint8 (H, W, 3).

    Raises:
        FileNotFoundError: The image does not exist.
        OSError: It cannot be decoded.
    """
    loaded = LoadImage()({'img_path': str(path), 'img_id': image_id})
    return np.ascontiguousarray(loaded['img'][..., ::-1])


@TRANSFORMS.register_module()
class LoadMask(LoadAnnotations):
    """``LoadAnnotations`` that checks the mask's class ids and its size.

    Reads ``seg_map_path`` (palette or grey PNG, or ``.npy``), adds ``gt_seg_map`` ((H, W) uint8, or
    uint16 beyond 255 classes; 255 = ignore) and applies ``label_map`` as mmseg does. The number of
    classes comes from the dataset (``label_map`` or ``num_fg_classes``).

    Raises:
        FileNotFoundError: The mask does not exist.
        ValueError: The mask is damaged, holds ids outside the class list, or differs in size from
            the image (``ori_shape``, when that is loaded before).
    """

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        label_map = results.get('label_map')
        num_fg_classes = results.get('num_fg_classes')
        num_classes = None if num_fg_classes is None else num_fg_classes + 1
        if label_map:
            num_classes = len(label_map)
        mask = self._read(results, num_classes)
        results['gt_seg_map'] = _relabelled(mask, label_map) if label_map else mask
        results.setdefault('seg_fields', []).append('gt_seg_map')

    def _read(self, results: dict[str, Any], num_classes: int | None) -> np.ndarray:
        path = results['seg_map_path']
        backend = fileio.get_file_backend(path, backend_args=self.backend_args)
        size = results.get('ori_shape')
        try:
            with backend.get_local_path(path) as local:
                return load_mask(local, num_classes, image_size=None if size is None else size[:2])
        except FileNotFoundError as error:
            raise FileNotFoundError(f'mask of {_name(results)} not found: {path}') from error
        except ValueError as error:
            raise ValueError(f'mask of {_name(results)}: {error}') from error


def _relabelled(mask: np.ndarray, label_map: dict[int, int]) -> np.ndarray:
    table = np.arange(max(IGNORE_INDEX, *label_map, *label_map.values()) + 1)
    for old, new in label_map.items():
        table[old] = new
    return compact_labels(table)[mask]


def _name(results: dict[str, Any]) -> str:
    return f'image {results.get("img_id", "without id")!r}'

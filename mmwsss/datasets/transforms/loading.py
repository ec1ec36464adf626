"""Loading that names the image when something is wrong with it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from PIL import Image, UnidentifiedImageError

from mmwsss.datasets.images import upright_rgb
from mmwsss.io.mask_io import IGNORE_INDEX, compact_labels, load_mask

__all__ = ['LoadImage', 'LoadMask', 'load_rgb']


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """``LoadImageFromFile`` by Pillow, which refuses truncated files; errors name the image.

    OpenCV, the default of mmcv, fills what a truncated JPEG lacks with grey and goes on.
    Images are turned upright as EXIF says, and 16-bit grey becomes 8-bit; see
    :func:`~mmwsss.datasets.images.upright_rgb`.

    Adds ``img`` (BGR uint8 (H, W, 3), contiguous), ``img_shape`` and ``ori_shape``.

    Args:
        backend_args: File backend of mmengine; None is the local disk.

    Raises:
        FileNotFoundError: The image does not exist.
        OSError: The image cannot be decoded.
    """

    def __init__(self, backend_args: dict[str, Any] | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load ``results['img_path']``."""
        path = results['img_path']
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            with Image.open(io.BytesIO(content)) as image:
                pixels = upright_rgb(image)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{_name(results)} does not exist: {path}') from error
        except UnidentifiedImageError as error:  # its message shows an address in memory
            text = 'it is no image of a known kind'
            raise OSError(f'{_name(results)} cannot be read ({path}): {text}') from error
        except Exception as error:
            raise OSError(f'{_name(results)} cannot be read ({path}): {error}') from error
        results['img'] = np.ascontiguousarray(pixels[..., ::-1])
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
    classes comes from the dataset (``label_map``, or ``num_fg_classes`` and ``has_background``).

    Raises:
        FileNotFoundError: The mask does not exist.
        ValueError: The dataset has no masks, or this one is damaged, holds ids outside the class list, or
            differs in size from the image (``ori_shape``, when that is loaded before).
    """

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        label_map, num_classes = results.get('label_map'), None
        if label_map:
            num_classes = len(label_map)
        elif 'num_fg_classes' in results:
            num_classes = results['num_fg_classes'] + results.get('has_background', True)
        path = results.get('seg_map_path')
        if path is None:
            raise ValueError(
                f'{_name(results)} has no mask: set pseudo_mask_dir, or data_prefix.seg_map_path of its '
                'dataset'
            )
        backend = fileio.get_file_backend(path, backend_args=self.backend_args)
        try:
            with backend.get_local_path(path) as local:
                mask = load_mask(local, num_classes, image_size=results.get('ori_shape'))
        except FileNotFoundError as error:
            raise FileNotFoundError(f'mask of {_name(results)} not found: {path}') from error
        except ValueError as error:
            raise ValueError(f'mask of {_name(results)}: {error}') from error
        if label_map:
            table = np.arange(max(IGNORE_INDEX, *label_map, *label_map.values()) + 1)
            table[list(label_map)] = list(label_map.values())
            mask = compact_labels(table)[mask]
        results['gt_seg_map'] = mask
        results.setdefault('seg_fields', []).append('gt_seg_map')


def _name(results: dict[str, Any]) -> str:
    return f'image {results.get("img_id", "without id")!r}'

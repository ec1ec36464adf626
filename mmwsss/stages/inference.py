"""A localizer in a few lines of Python: class maps and masks of images and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate

from mmwsss.datasets.transforms.formatting import PackWSSSInputs
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import ClassMaps
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.refine.base import BaseRefiner
from mmwsss.refine.chain import RefinerChain
from mmwsss.stages.masks import mask_settings
from mmwsss.utils.names import check_known

__all__ = ['Segmented', 'class_maps', 'find_images', 'refine_maps', 'segment_images']

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
ImageSource = Union[str, Path, np.ndarray]


@dataclass(frozen=True)
class Segmented:
    """One image with its maps and its mask.

    Attributes:
        name: File name without suffix, below the folder if there is one.
        image: RGB uint8 (H, W, 3).
        maps: Its class maps.
        mask: Labels (H, W), uint8 or uint16; 0 = background, 255 = undecided.
    """

    name: str
    image: np.ndarray
    maps: ClassMaps
    mask: np.ndarray


def class_maps(
    localizer: ImageLevelClassifier,
    image: ImageSource,
    labels: Sequence[str] | None = None,
) -> ClassMaps:
    """Compute the class maps of one image, at the localizer's own scales.

    Args:
        localizer: From :func:`mmwsss.apis.load_localizer`.
        image: A file, or RGB uint8 (H, W, 3).
        labels: Names of the classes in the image. None: those that the localizer sees.

    Returns:
        Maps of these classes, and of the background where the method has one.

    Raises:
        FileNotFoundError, OSError: The image is missing or damaged.
        ValueError: A label is no class of the localizer, or ``image`` is no RGB image.
    """
    pixels = as_rgb(image)
    info: dict[str, Any] = {
        'img': np.ascontiguousarray(pixels[..., ::-1]),  # models take BGR, as datasets load it
        'img_id': '' if isinstance(image, np.ndarray) else Path(image).stem,
        'img_shape': pixels.shape[:2],
        'ori_shape': pixels.shape[:2],
        'num_fg_classes': localizer.head.num_classes,
    }
    if labels is not None:
        info['img_label'] = class_ids(localizer, labels)
    packed = Compose([PackWSSSInputs()])(info)
    batch = localizer.data_preprocessor(pseudo_collate([packed]))
    sample = batch['data_samples'][0]
    label = None if labels is None else sample.gt_label.to(batch['inputs'].device)
    with torch.no_grad():
        _, keys, maps = localizer.class_maps(batch['inputs'][0], label)
    return ClassMaps(keys.cpu().numpy(), maps.cpu().numpy(), pixels.shape[:2])


def refine_maps(
    maps: ClassMaps,
    refiners: Sequence[dict[str, Any] | BaseRefiner] = (),
    image: ImageSource | None = None,
) -> np.ndarray:
    """Turn class maps into labels by a chain of refiners.

    Args:
        maps: Class maps of one image.
        refiners: Configs such as ``dict(type='BackgroundThreshold', threshold=0.3)``, or refiners. None
            at all: the argmax, for maps with a background.
        image: The image, a file or RGB uint8 (H, W, 3), for refiners that look at it.

    Returns:
        Labels (H, W), uint8 or uint16; 0 = background, 255 = undecided.

    Raises:
        ValueError, TypeError: A refiner does not fit the maps, or there is no background.
    """
    return RefinerChain(refiners)(maps, None if image is None else as_rgb(image))


def segment_images(
    localizer: ImageLevelClassifier,
    images: str | Path | Iterable[ImageSource],
    labels: Sequence[str] | None = None,
    refiners: Sequence[dict[str, Any] | BaseRefiner] | None = None,
) -> Iterator[Segmented]:
    """Yield maps and masks of an image, of several, or of all images of a folder, one at a time.

    Args:
        localizer: From :func:`mmwsss.apis.load_localizer`.
        images: An image file, a folder, or a sequence of files and RGB arrays.
        labels: Names of the classes in every image. None: those that the localizer sees in each.
        refiners: See :func:`refine_maps`. None: those of the localizer's config (``mask_cfg``).

    Yields:
        The images in order; those of a folder by name.

    Raises:
        FileNotFoundError, OSError: An image is missing or damaged.
        ValueError: A label is no class of the localizer, or a refiner does not fit.
    """
    chain = own_chain(localizer) if refiners is None else RefinerChain(refiners)
    sources = find_images(images) if isinstance(images, (str, Path)) else enumerate(images)
    for name, source in sources:
        if not isinstance(name, str):
            name = f'image_{name}' if isinstance(source, np.ndarray) else Path(source).stem
        yield segment_image(localizer, name, source, chain, labels)


def segment_image(
    localizer: ImageLevelClassifier,
    name: str,
    image: ImageSource,
    chain: RefinerChain,
    labels: Sequence[str] | None = None,
) -> Segmented:
    """Maps and mask of one image, which the refiners know by ``name``; see :func:`segment_images`."""
    pixels = as_rgb(image)
    maps = class_maps(localizer, pixels, labels)
    return Segmented(name, pixels, maps, chain(maps, pixels, name))


def own_chain(localizer: ImageLevelClassifier) -> RefinerChain:
    """The refiners of the localizer's config (``mask_cfg``)."""
    return RefinerChain(mask_settings(localizer.cfg)['refiners'])


def find_images(path: str | Path) -> list[tuple[str, Path]]:
    """Name and path of an image file, or of each image of a folder and its sub-folders.

    Raises:
        FileNotFoundError: There is no such file or folder, or the folder holds no image.
    """
    path = Path(path)
    if path.is_file():
        return [(path.stem, path)]
    if not path.is_dir():
        raise FileNotFoundError(f'image or folder of images not found: {path}')
    files = sorted(p for p in path.rglob('*') if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise FileNotFoundError(f'{path} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    return [(file.relative_to(path).with_suffix('').as_posix(), file) for file in files]


def as_rgb(image: ImageSource) -> np.ndarray:
    """An image as RGB uint8 (H, W, 3); ``ValueError`` for an array of another shape or type."""
    if not isinstance(image, np.ndarray):
        return load_rgb(image, Path(image).stem)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f'image must be RGB uint8 (H, W, 3), but got {image.dtype} {image.shape}')
    return image


def class_ids(localizer: ImageLevelClassifier, labels: Sequence[str]) -> list[int]:
    """Ids (1..K) of class names, sorted; ``ValueError`` for a name that is no class."""
    classes = list(localizer.dataset_meta['classes'])
    for name in labels:
        check_known('labels: class', name, classes[1:])
    return sorted({classes.index(name) for name in labels})

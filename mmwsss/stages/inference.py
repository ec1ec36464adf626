"""A model in a few lines of Python: class maps of a localizer, masks of any model, of images and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import TRANSFORMS

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import ClassMaps, compact_labels
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.refine.base import BaseRefiner
from mmwsss.refine.chain import RefinerChain
from mmwsss.stages.image_list import parts_of
from mmwsss.stages.maps import require_unmoved
from mmwsss.stages.masks import mask_settings, refiner_chain
from mmwsss.stages.photos import find_images
from mmwsss.utils.names import check_known, names_by_number

__all__ = ['Predictor', 'Segmented', 'class_maps', 'refine_maps', 'segment_images']

ImageSource = Union[str, Path, np.ndarray]


@dataclass(frozen=True)
class Segmented:
    """One image with its mask and, of a localizer, its maps.

    Attributes:
        name: File name without suffix, below the folder if there is one.
        image: RGB uint8 (H, W, 3).
        maps: Its class maps; None of a segmenter.
        mask: Labels (H, W), uint8 or uint16: the places of the classes in the model's list, in which a
            localizer's background, if there is one, is the first; 255 = undecided.
    """

    name: str
    image: np.ndarray
    maps: ClassMaps | None
    mask: np.ndarray


def class_maps(
    localizer: ImageLevelClassifier,
    image: ImageSource,
    labels: Sequence[str] | None = None,
) -> ClassMaps:
    """Compute the class maps of one image, at the localizer's own scales, in evaluation mode.

    Args:
        localizer: From :func:`mmwsss.apis.load_localizer`.
        image: A file, or RGB uint8 (H, W, 3).
        labels: Names of the classes in the image. None: those that the localizer sees.

    Returns:
        Maps of these classes, and of the background where the method has one.

    Raises:
        FileNotFoundError, OSError: The image is missing or damaged.
        TypeError: The model is no localizer, or ``image`` no image.
        ValueError: A label is no class of the localizer, ``image`` is not RGB, or the config's pipeline
            flips or crops.
    """
    if not isinstance(localizer, ImageLevelClassifier):
        raise TypeError(f'class maps are of a localizer, but got a {type(localizer).__name__}')
    localizer.eval()
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
    steps = [TRANSFORMS.build(step) for step in test_steps(localizer.cfg)]
    packed = Compose(steps)(info)
    batch = localizer.data_preprocessor(pseudo_collate([packed]))
    sample = batch['data_samples'][0]
    require_unmoved(sample)
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
        refiners: Configs such as ``dict(type='BackgroundThreshold', threshold=0.3)``, or refiners. Empty:
            the argmax, for maps with a background.
        image: The image, a file or RGB uint8 (H, W, 3), for refiners that look at it.

    Returns:
        Labels (H, W), uint8 or uint16; 0 = background, 255 = undecided.

    Raises:
        ValueError, TypeError: A refiner does not fit the maps, or there is no background.
    """
    return RefinerChain(refiners)(maps, None if image is None else as_rgb(image))


class Predictor:
    """Turn images into masks by a model: a segmenter, or a localizer with its refiners.

    The model is put into evaluation mode.

    Args:
        model: From :func:`mmwsss.apis.load_model`.
        labels: Of a localizer: names of the classes in every image. None: those that it sees in each.
        refiners: Of a localizer: see :func:`refine_maps`. None: those of its config (``mask_cfg``).
        precision: Of the backbones that ``refiners`` ask; without these that of the config.

    Raises:
        ValueError: A label is no class of the localizer, a refiner does not fit, or a segmenter is given
            labels or refiners.
    """

    def __init__(
        self,
        model: ImageLevelClassifier | BaseSegmentor,
        labels: Sequence[str] | None = None,
        refiners: Sequence[dict[str, Any] | BaseRefiner] | None = None,
        precision: str = 'float32',
    ) -> None:
        self.model, self.labels = model.eval(), labels
        if isinstance(model, ImageLevelClassifier):
            if labels is not None:
                class_ids(model, labels)
            own = {'refiners': refiners, 'precision': precision}
            own = mask_settings(model.cfg) if refiners is None else own
            self.chain = refiner_chain(own, model.dataset_meta['classes'])
        elif labels is not None or refiners is not None:
            raise ValueError(
                f'labels and refiners are for the class maps of a localizer; the model is a '
                f'{type(model).__name__}, which segments without them'
            )
        else:
            self.pipeline = Compose([TRANSFORMS.build(step) for step in test_steps(model.cfg)])

    def __call__(self, name: str, image: ImageSource) -> Segmented:
        """Mask of one image, which refiners and messages know by ``name``."""
        pixels = as_rgb(image)
        if isinstance(self.model, ImageLevelClassifier):
            maps = class_maps(self.model, pixels, self.labels)
            return Segmented(name, pixels, maps, self.chain(maps, pixels, name))
        return Segmented(name, pixels, None, self._segment(name, pixels))

    def _segment(self, name: str, pixels: np.ndarray) -> np.ndarray:
        info = {
            'img': np.ascontiguousarray(pixels[..., ::-1]),  # models take BGR, as datasets load it
            'img_id': name,
            'img_path': name,
            'img_shape': pixels.shape[:2],
            'ori_shape': pixels.shape[:2],
        }
        with torch.no_grad():
            (sample,) = self.model.test_step(pseudo_collate([self.pipeline(info)]))
        labels: np.ndarray = sample.pred_sem_seg.data[0].cpu().numpy()
        return compact_labels(labels)


def segment_images(
    model: ImageLevelClassifier | BaseSegmentor,
    images: ImageSource | Iterable[ImageSource],
    labels: Sequence[str] | None = None,
    refiners: Sequence[dict[str, Any] | BaseRefiner] | None = None,
) -> Iterator[Segmented]:
    """Yield the masks of an image, of several, or of all of a folder or pattern, one at a time.

    Args:
        model: See :class:`Predictor`.
        images: See :func:`mmwsss.apis.find_images`; or an RGB array, or a sequence of files and arrays.
        labels: See :class:`Predictor`.
        refiners: See :class:`Predictor`.

    Yields:
        The images in order, those of a folder by name, with the class maps of a localizer.

    Raises:
        FileNotFoundError, OSError: An image is missing or damaged.
        ValueError: See :class:`Predictor`.
    """
    predictor = Predictor(model, labels, refiners)
    images = [images] if isinstance(images, np.ndarray) else images
    sources = find_images(images) if isinstance(images, (str, Path)) else enumerate(images)
    for name, source in sources:
        if not isinstance(name, str):
            name = Path(source).stem if isinstance(source, (str, Path)) else f'image_{name}'
        yield predictor(name, source)


def test_steps(cfg: Any) -> list[dict[str, Any]]:
    """The steps of a segmenter's ``test_pipeline`` or a localizer's ``map_dataset`` behind loading.

    Else those of what the config tests on.
    """
    datasets = (cfg.get(key) for key in ('map_dataset', 'test_dataloader', 'val_dataloader'))
    tested = next(parts_of(next(filter(None, datasets), {}))).get('pipeline')
    steps = cfg.get('test_pipeline') or tested or [dict(type='PackWSSSInputs')]
    return [step for step in steps if not str(step['type']).startswith('Load')]


def as_rgb(image: ImageSource) -> np.ndarray:
    """An image as RGB uint8 (H, W, 3); ``ValueError`` for another array, ``TypeError`` for no image."""
    if isinstance(image, (str, Path)):
        return load_rgb(image, Path(image).stem)
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f'image must be a path or a NumPy array, but got a {type(image).__name__} '
            '(np.asarray(image.convert("RGB")) of a PIL image)'
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f'image must be RGB uint8 (H, W, 3), but got {image.dtype} {image.shape}')
    return image


def class_ids(localizer: ImageLevelClassifier, labels: Sequence[str]) -> list[int]:
    """Ids (1..K) of class names, sorted; ``ValueError`` for a name that is no class."""
    if isinstance(labels, str):
        raise ValueError(f'labels must be a list of class names, but got the text {labels!r}')
    classes = names_by_number(localizer.dataset_meta['classes'])
    for name in labels:
        check_known('labels: class', name, classes[1:])
    return sorted({classes.index(name) for name in labels})

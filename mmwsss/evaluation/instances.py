"""Where the ground-truth instances of an image come from: a folder of maps, or a COCO/LVIS file."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from mmwsss.functional.polygons import import_mask_api, segmentation_to_mask
from mmwsss.io import load_mask, parsing, safe_join

__all__ = ['InstanceFile', 'InstanceFolder', 'load_instance_map', 'open_instances']


def load_instance_map(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an instance map: 0 = no instance, 255 = ignored, every other number one instance.

    Args:
        path: An 8-bit palette or grey PNG, a 16-bit grey PNG, or an integer ``.npy`` array.

    Returns:
        Integer (H, W).

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is no such map; the message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'instance map not found: {path}')
    if path.suffix == '.npy':
        with parsing(f'{path} is not a readable .npy array'):
            found = np.load(path, allow_pickle=False)
    elif _is_16_bit(path):
        with parsing(f'{path} is a damaged image'), Image.open(path) as image:
            found = np.array(image).astype(np.int64)
    else:
        found = load_mask(path)
    if found.ndim != 2 or 0 in found.shape or found.dtype.kind not in 'iu':
        raise ValueError(
            f'{path}: an instance map must be integers (H, W), but is {found.dtype} {found.shape}'
        )
    return found


def _is_16_bit(path: Path) -> bool:
    with parsing(f'{path} is not a readable image'), Image.open(path) as image:
        return image.mode.startswith('I')


def open_instances(
    path: str | os.PathLike[str],
    classes: Sequence[str],
    category_map: Mapping[str, str] | None = None,
) -> InstanceFolder | InstanceFile:
    """Open what ``path`` is: a folder of instance maps, or a COCO or LVIS JSON.

    Args:
        path: Folder or ``.json`` file.
        classes: Class names with background first; only used with a JSON.
        category_map: Category name -> class name; only used with a JSON.

    Raises:
        FileNotFoundError: There is no such folder or file.
    """
    path = Path(path)
    if path.is_dir():
        return InstanceFolder(path)
    if path.is_file():
        return InstanceFile(path, classes, category_map)
    raise FileNotFoundError(f'instances: no such folder or file: {path}')


class InstanceFolder:
    """Instance maps in files ``<folder>/<image id><suffix>``.

    Args:
        folder: The folder.
        suffix: ``'.png'`` or ``'.npy'``.

    Raises:
        FileNotFoundError: The folder does not exist.
    """

    def __init__(self, folder: str | os.PathLike[str], suffix: str = '.png') -> None:
        if not Path(folder).is_dir():
            raise FileNotFoundError(f'folder of instance maps not found: {folder}')
        self.folder = Path(folder)
        self.suffix = suffix

    def __call__(self, image_id: str, image_size: tuple[int, int]) -> np.ndarray:
        """Return the map (H, W) of an image.

        Raises:
            FileNotFoundError: The image has no map.
            ValueError: The file is no instance map of this size.
        """
        path = safe_join(self.folder, image_id, self.suffix)
        found = load_instance_map(path)
        if found.shape != tuple(image_size):
            raise ValueError(f'{path}: the map is {found.shape}, expected {tuple(image_size)}')
        return found


class InstanceFile:
    """Instances of a COCO or LVIS annotation file, which may overlap.

    Crowd annotations are left out: they are no single objects. Their pixels should be ignored in the
    ground-truth mask, as the converters here do.

    Args:
        path: The JSON.
        classes: Class names with background first.
        category_map: Category name -> class name; categories that it does not name are left out.
            None: categories whose name is among ``classes``.

    Raises:
        ImportError: The file has polygons, and pycocotools is missing.
        ValueError: The file is no instances file, or none of its categories is used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        classes: Sequence[str],
        category_map: Mapping[str, str] | None = None,
    ) -> None:
        from mmwsss.datasets.label_sources.coco import image_name, load_instances

        self.path = Path(path)
        content = load_instances(str(path))
        class_ids = {name: i for i, name in enumerate(classes) if i > 0}
        if category_map is None:
            category_map = {name: name for name in class_ids}
        self._class_of: dict[Any, int] = {}
        for category in content['categories']:
            target = category_map.get(category['name'])
            if target is not None and target not in class_ids:
                raise ValueError(f'category_map names {target!r}, which is not among the classes')
            if target is not None:
                self._class_of[category['id']] = class_ids[target]
        if not self._class_of:
            raise ValueError(
                f'{path}: none of its categories is among the {len(class_ids)} classes'
            )
        self._annotations: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content['annotations']:
            if annotation['category_id'] in self._class_of and not annotation.get('iscrowd', 0):
                self._annotations[annotation['image_id']].append(annotation)
        if any(has_polygons(a) for found in self._annotations.values() for a in found):
            import_mask_api()  # now, and not with every image
        self._image_of: dict[str, Any] = {}
        for image in content['images']:
            name = image_name(image, str(path))
            self._image_of[name] = self._image_of[PurePosixPath(name).name] = image['id']

    def __call__(self, image_id: str, image_size: tuple[int, int]) -> list[tuple[np.ndarray, int]]:
        """Return the (mask (H, W), class id) of each instance of an image.

        Raises:
            ValueError: The file has no such image, or an annotation is malformed.
        """
        key = self._image_of.get(image_id, self._image_of.get(PurePosixPath(image_id).name))
        if key is None:
            raise ValueError(f'{self.path} has no image {image_id!r}')
        pairs = []
        for annotation in self._annotations[key]:
            try:
                mask = segmentation_to_mask(annotation['segmentation'], image_size)
            except ValueError as error:
                raise ValueError(
                    f'{self.path}: annotation {annotation.get("id")!r} of {image_id!r}: {error}'
                ) from error
            pairs.append((mask, self._class_of[annotation['category_id']]))
        return pairs


def has_polygons(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation is drawn as polygons, rather than given as run lengths."""
    return isinstance(annotation.get('segmentation'), list)

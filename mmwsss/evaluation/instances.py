"""Where the ground-truth instances of an image come from: a folder of maps, or a COCO/LVIS file."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwsss.functional.checks import check_label_map
from mmwsss.functional.polygons import import_mask_api, segmentation_to_mask
from mmwsss.io import find_mask, load_mask, parsing, require_folder
from mmwsss.utils.names import check_known

__all__ = ['InstanceFile', 'InstanceFolder', 'load_instance_map', 'open_instances']

IDS_OF_PNG = 2**16


def load_instance_map(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an instance map (H, W): 0 = no instance, 255 = ignored, every other number one instance.

    Args:
        path: An 8-bit palette or grey PNG, a 16-bit grey PNG, or an integer ``.npy`` array.

    Raises:
        FileNotFoundError: The file does not exist.
        TypeError, ValueError: It is no such map; the message names the file.
    """
    if Path(path).suffix.lower() != '.npy':
        return load_mask(path, IDS_OF_PNG, ignore_index=None)
    with parsing(f'{path} is not a readable .npy array'):
        instances: NDArray[Any] = np.load(path, allow_pickle=False)
    check_label_map(f'instance map {path}', instances)
    return instances


def open_instances(
    path: str | os.PathLike[str],
    classes: Sequence[str],
    category_map: Mapping[str, str] | None = None,
) -> InstanceFolder | InstanceFile:
    """Open what ``path`` is: a folder of instance maps, or a COCO or LVIS JSON with these classes.

    Raises:
        FileNotFoundError: There is no such folder or file.
    """
    if Path(path).is_file():
        return InstanceFile(path, classes, category_map)
    return InstanceFolder(path)


class InstanceFolder:
    """Instance maps in files ``<folder>/<image id>.png`` or ``.npy``, in this order.

    Args:
        folder: The folder.

    Raises:
        FileNotFoundError: The folder does not exist.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = require_folder('instance maps', folder)

    def __call__(self, image_id: str, image_size: tuple[int, int]) -> NDArray[Any]:
        """Return the map (H, W) of an image; errors are those of :func:`load_instance_map`."""
        return load_instance_map(find_mask(self.folder, image_id))


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
        from mmwsss.datasets.label_sources.coco import ImageNumbers, load_instances

        self.path = Path(path)
        content = load_instances(str(path))
        class_ids = {name: i for i, name in enumerate(classes) if i > 0}
        names = {name: name for name in class_ids} if category_map is None else category_map
        targets = {c['id']: names[c['name']] for c in content['categories'] if c['name'] in names}
        if not targets:
            raise ValueError(
                f'{path}: none of its categories is among the {len(class_ids)} classes'
            )
        for name in targets.values():
            check_known('category_map: class', name, class_ids)
        self._class_of = {category: class_ids[name] for category, name in targets.items()}
        self._annotations: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content['annotations']:
            if annotation['category_id'] in targets and not annotation.get('iscrowd', 0):
                self._annotations[annotation['image_id']].append(annotation)
                if isinstance(annotation.get('segmentation'), list):
                    import_mask_api()  # now, and not with the first image
        self._numbers = ImageNumbers(content['images'], str(path))

    def __call__(
        self, image_id: str, image_size: tuple[int, int]
    ) -> list[tuple[NDArray[np.bool_], int]]:
        """Return (mask (H, W), class id) of each instance; ``ValueError`` names what is wrong."""
        key = self._numbers.find(image_id)
        if key is None:
            raise ValueError(f'{self.path} has no image {image_id!r}')
        pairs = []
        for annotation in self._annotations[key]:
            try:
                mask = segmentation_to_mask(annotation.get('segmentation'), image_size)
            except ValueError as error:
                raise ValueError(
                    f'{self.path}: annotation {annotation.get("id")!r} of {image_id!r}: {error}'
                ) from error
            pairs.append((mask, self._class_of[annotation['category_id']]))
        return pairs

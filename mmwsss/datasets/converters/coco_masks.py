"""COCO instances -> masks of classes, labels and lists."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mmwsss.functional.polygons import import_mask_api, segmentation_to_mask
from mmwsss.io.atomic import write_text
from mmwsss.io.damage import parsing
from mmwsss.io.ids import line_of_id, write_ids
from mmwsss.io.mask_io import IGNORE_INDEX, compact_labels, is_mask_file, save_mask, voc_palette
from mmwsss.io.names import safe_join
from mmwsss.io.pool import BatchReport, process_items
from mmwsss.io.record import hash_text

from ..coco import COCO_CLASSES, COCO14WSSSDataset
from ..label_sources.class_table import ClassTable
from ..label_sources.coco import ImageNumbers, image_name, load_instances
from ..splits import warn_count
from .sources import remove_changed

__all__ = ['OutlineFile', 'convert_coco', 'draw_mask']


def convert_coco(
    annotations: str | os.PathLike[str],
    split: str,
    out: str | os.PathLike[str],
    mask_folder: str | None = None,
    expected_count: int | None = None,
    workers: int = 0,
) -> BatchReport:
    """Write masks, ``labels_<split>.json`` and ``<split>.txt`` of the images that carry labels.

    An image carries labels if it has any annotation, crowds included. Masks that are there already
    are kept, so the tool may be run again; those of images whose annotations have changed since are
    drawn anew. Labels and list are written once every mask is there.

    Args:
        annotations: ``instances_<split>2014.json``.
        split: Name of the split, for the file names.
        out: Folder that labels, list and ``mask_folder`` go to.
        mask_folder: Folder of the masks in ``out``; ``masks/<split>2014`` by default.
        expected_count: Number of images with labels; 0: not checked. None: that of COCO 2014's split.
            Another number is a warning.
        workers: Number of processes; 0 works in this one.

    Returns:
        What became of every image.

    Raises:
        FileNotFoundError: ``annotations`` does not exist.
        ImportError: pycocotools is missing.
        ValueError: ``annotations`` is not such a file or has no annotation, a category is not one of COCO's
            80, two images have the same file name, or the folder of masks holds some of unknown origin.
    """
    import_mask_api()
    path = str(annotations)
    content = load_instances(path)
    table = ClassTable(('background', *COCO_CLASSES))
    class_ids = {item['id']: table.id_of(item['name'], path) for item in content['categories']}
    images = _images_with_labels(content, path)
    masks = Path(out, mask_folder or f'masks/{split}2014')
    drawn_from = {
        name: hash_text(json.dumps([size, items, [class_ids[i['category_id']] for i in items]]))
        for name, (size, items) in images.items()
    }
    remove_changed(masks, drawn_from)
    report = process_items(
        list(images),
        partial(_write_mask, images=images, class_ids=class_ids, folder=masks),
        is_done=lambda name: is_mask_file(safe_join(masks, name, '.png')),
        description=f'masks of {split}',
        workers=workers,
    )
    if not report.failed:
        if expected_count is None:
            expected_count = COCO14WSSSDataset.EXPECTED_COUNTS.get(split, 0)
        warn_count(f'COCO {split}', len(images), expected_count or len(images))
        ids_of = {
            name: sorted({class_ids[item['category_id']] for item in items})
            for name, (_, items) in images.items()
        }
        labels = {line_of_id(name): [table.classes[i] for i in v] for name, v in ids_of.items()}
        write_text(Path(out, f'labels_{split}.json'), json.dumps(labels, indent=0) + '\n')
        write_ids(Path(out, f'{split}.txt'), images)
    return report


def draw_mask(
    size: tuple[int, int],
    annotations: Sequence[Mapping[str, Any]],
    class_ids: Mapping[int, int],
) -> np.ndarray:
    """Draw the annotations of one image.

    Objects are drawn from the largest to the smallest by their number of pixels, so that where two
    overlap the smaller one is on top (equal sizes: the later annotation). A crowd becomes 255 by
    the same rule: single objects inside it are smaller and stay visible.

    Args:
        size: (H, W) of the image.
        annotations: COCO's: polygons, or run-length codes, plain or compressed.
        class_ids: Category id -> class id.

    Returns:
        (H, W), uint8 or with ids above 255 uint16. 0 = background, 255 = crowd, or the box of an object
        without an outline (without a box all that no outline covers).

    Raises:
        ValueError: A segmentation or a box is malformed.
    """
    regions = []
    for item in annotations:
        try:
            outline = item.get('segmentation')
            region = segmentation_to_mask(outline, size) if outline else _box(item, size)
        except ValueError as error:
            raise ValueError(f'annotation {item.get("id")!r}: {error}') from error
        regions.append(region)
    order = sorted(range(len(regions)), key=lambda i: -int(regions[i].sum()))
    mask = np.zeros(size, np.uint16)
    for i in order:
        item = annotations[i]
        is_known = item.get('segmentation') and not item.get('iscrowd', 0)
        mask[regions[i]] = class_ids[item['category_id']] if is_known else IGNORE_INDEX
    return compact_labels(mask)


def _box(item: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """The pixels that an object without an outline may have: its box's, or all without one."""
    box = item.get('bbox')
    region = np.zeros(size, bool)
    if not box:
        return ~region
    if len(box) != 4 or not np.isfinite(box).all():
        raise ValueError(f'bbox must be x, y, width, height, but is {box!r}')
    left, top = (max(0, math.floor(edge)) for edge in box[:2])
    right, bottom = (max(0, math.ceil(start + length)) for start, length in zip(box, box[2:]))
    region[top:bottom, left:right] = True
    return region


class OutlineFile:
    """The masks of images that an instances file has, drawn when they are asked for.

    Args:
        path: COCO's JSON with polygons or run-length codes.
        table: Its classes. Categories without any annotation need not be among them.
        ids: The images that will be asked for.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ImportError: pycocotools is missing.
        ValueError: It is not such a file, a class is unknown, or an image cannot be told from another.
    """

    def __init__(self, path: str, table: ClassTable, ids: Iterable[str]) -> None:
        import_mask_api()
        content = load_instances(path)
        names = {item['id']: item['name'] for item in content['categories']}
        used = {item['category_id'] for item in content['annotations']}
        self.path, self.annotations = path, _by_image(content)
        self.class_ids = {number: table.id_of(names[number], path) for number in used}
        self.sizes = {i['id']: (i.get('height'), i.get('width')) for i in content['images']}
        numbers = ImageNumbers(content['images'], path)
        self.numbers = {name: numbers.find(name) for name in ids}

    def mask(self, name: str, size: tuple[int, int]) -> np.ndarray | None:
        """The mask of an image of (H, W), as of :func:`draw_mask`; None if the file lacks the image.

        Raises:
            ValueError: The file has the image with another size, or an outline is malformed.
        """
        number = self.numbers[name]
        if number is None:
            return None
        told = self.sizes[number]
        if None not in told and told != size:
            raise ValueError(
                f'{self.path}: expected the height and width of the image, {size}, but got {told}; were the '
                'outlines drawn on a photo that is not upright?'
            )
        with parsing(self.path):
            return draw_mask(size, self.annotations.get(number, ()), self.class_ids)


def _by_image(content: Mapping[str, Any]) -> dict[Any, list[dict[str, Any]]]:
    """The annotations of an instances file by the number of their image."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for item in content['annotations']:
        found.setdefault(item['image_id'], []).append(item)
    return found


def _images_with_labels(
    content: Mapping[str, Any], path: str
) -> dict[str, tuple[tuple[int, int], list[dict[str, Any]]]]:
    """Return name -> (size, annotations) of the images that have annotations, in the file's order."""
    by_image = _by_image(content)
    found: dict[str, tuple[tuple[int, int], list[dict[str, Any]]]] = {}
    for image in content['images']:
        if image['id'] not in by_image:
            continue
        name = PurePosixPath(image_name(image, path)).name
        if name in found:
            raise ValueError(f'{path}: two images are called {name!r}; expected names that differ')
        with parsing(f'{path}: image {image["id"]!r} must have a "height" and a "width" in pixels'):
            size = int(image['height']), int(image['width'])
        found[name] = size, by_image[image['id']]
    if not found:
        raise ValueError(f'{path}: no image has an annotation')
    return found


def _write_mask(
    name: str,
    images: Mapping[str, tuple[tuple[int, int], list[dict[str, Any]]]],
    class_ids: Mapping[int, int],
    folder: Path,
) -> None:
    size, annotations = images[name]
    palette = voc_palette(len(COCO_CLASSES) + 1)
    save_mask(safe_join(folder, name, '.png'), draw_mask(size, annotations, class_ids), palette)

"""Masks as files that annotation tools and other trainers read: what ``tools/export_masks.py`` runs.

Formats: COCO (https://cocodataset.org/#format-data), YOLO's segmentation labels, CVAT for images 1.1, Label
Studio's tasks with predictions, Pascal VOC with ``labelmap.txt``.
"""

from __future__ import annotations

import abc
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import numpy as np
from scipy import ndimage

from mmwsss.datasets.images import image_size
from mmwsss.functional.checks import check_choice, check_range
from mmwsss.functional.components import class_components
from mmwsss.functional.polygons import encode_rle, mask_to_polygon
from mmwsss.io import (
    IGNORE_INDEX,
    MASK_SUFFIXES,
    BatchReport,
    find_ids,
    find_mask,
    foreground_ids,
    load_mask,
    process_items,
    require_folder,
    safe_join,
    save_mask,
    voc_palette,
    write_ids,
    write_lines,
    write_text,
)
from mmwsss.stages.photos import by_name, find_images
from mmwsss.utils.names import has_background, name_some

__all__ = ['FORMATS', 'ExportOptions', 'Exported', 'MaskObject', 'export_masks', 'mask_objects']


@dataclass(frozen=True)
class ExportOptions:
    """How objects are drawn.

    Attributes:
        polygons: Outlines instead of run lengths, where a format has both.
        tolerance: Of outlines, in pixels: see :func:`mmwsss.functional.mask_to_polygon`.
        min_area: Objects of fewer pixels are left out.
        url: What stands before the file names in Label Studio's tasks.
    """

    polygons: bool = False
    tolerance: float = 0.0
    min_area: int = 1
    url: str = ''


@dataclass(frozen=True)
class MaskObject:
    """One 8-connected component of a class.

    Attributes:
        class_id: 1 or more.
        box: x, y, width, height in pixels.
        mask: bool (height, width), within the box.
        area: Number of pixels.
    """

    class_id: int
    box: tuple[int, int, int, int]
    mask: np.ndarray
    area: int

    def polygon(self, tolerance: float) -> np.ndarray:
        """Outline in the image, float64 (n, 2), x and y."""
        return mask_to_polygon(self.mask, tolerance) + self.box[:2]

    def whole(self, size: tuple[int, int]) -> np.ndarray:
        """The mask in the image: uint8 (H, W)."""
        x, y, width, height = self.box
        image = np.zeros(size, np.uint8)
        image[y : y + height, x : x + width] = self.mask
        return image


@dataclass(frozen=True)
class ImageObjects:
    """What is exported of one image: file name, (H, W), objects, and counts of what is not."""

    name: str
    file: str
    size: tuple[int, int]
    objects: list[MaskObject]
    ignored: np.ndarray
    small: int


@dataclass
class Exported:
    """What became of a folder of masks.

    Attributes:
        report: Of the images.
        file: The file that a reader opens.
        objects: Objects written, by class id.
        pixels: Pixels of all images.
        ignored: Pixels of 255 among them.
        small: Objects below ``min_area``, left out.
    """

    report: BatchReport = field(default_factory=BatchReport)
    file: Path = field(default_factory=Path)
    objects: dict[int, int] = field(default_factory=dict)
    pixels: int = 0
    ignored: int = 0
    small: int = 0


class Writer(abc.ABC):
    """A format. ``file``, below the output folder, is written last and marks a whole export."""

    file: str

    def __init__(self, out: Path, classes: Sequence[str], options: ExportOptions) -> None:
        self.out, self.classes, self.options = out, list(classes), options
        # 255 has a name where there are more classes than that, but is none.
        self.ids = [i for i in range(1, len(self.classes)) if i != IGNORE_INDEX]

    @abc.abstractmethod
    def add(self, image: ImageObjects) -> None:
        """Take the next image."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Write what belongs to all images."""


class COCO(Writer):
    """One JSON; ``category_id`` is the class id, ``iscrowd`` is 0."""

    file = 'annotations/instances_default.json'

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add(self, image: ImageObjects) -> None:
        height, width = image.size
        number = len(self.images) + 1
        entry = {'id': number, 'file_name': image.file, 'height': height, 'width': width}
        self.images.append(entry)
        for item in image.objects:
            self.annotations.append(
                {
                    'id': len(self.annotations) + 1,
                    'image_id': number,
                    'category_id': item.class_id,
                    'segmentation': self._segmentation(item, image.size),
                    'area': item.area,
                    'bbox': list(item.box),
                    'iscrowd': 0,
                }
            )

    def _segmentation(self, item: MaskObject, size: tuple[int, int]) -> Any:
        if self.options.polygons:
            return [item.polygon(self.options.tolerance).ravel().tolist()]
        return encode_rle(item.whole(size))

    def finish(self) -> None:
        categories = [{'id': i, 'name': self.classes[i], 'supercategory': ''} for i in self.ids]
        content = {
            'images': self.images,
            'categories': categories,
            'annotations': self.annotations,
        }
        write_text(self.out / self.file, json.dumps(content, allow_nan=False) + '\n')


class YOLO(Writer):
    """``labels/<image>.txt`` with outlines in 0..1; classes count from 0, without background.

    ``images.txt`` names the images of the masks: to YOLO, an image without labels has no object.
    """

    file = 'data.yaml'

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.images: list[str] = []

    def add(self, image: ImageObjects) -> None:
        self.images.append(f'./images/{image.file}')
        scale = np.asarray(image.size[::-1], np.float64)
        lines = []
        for item in image.objects:
            points = item.polygon(self.options.tolerance) / scale
            numbers = ' '.join(f'{value:.6f}' for value in points.ravel())
            lines.append(f'{self.ids.index(item.class_id)} {numbers}')
        write_lines(safe_join(self.out / 'labels', image.name, '.txt'), lines)

    def finish(self) -> None:
        names = [f'  {i}: {json.dumps(self.classes[c])}' for i, c in enumerate(self.ids)]
        head = ['# The images belong beside labels/, into images/.', 'path: .']
        lists = [f'{split}: images.txt' for split in ('train', 'val')]
        write_lines(self.out / 'images.txt', self.images)
        write_lines(self.out / self.file, [*head, *lists, 'names:', *names])


class CVAT(Writer):
    """CVAT for images 1.1: masks as run lengths along the rows of the box, or polygons."""

    file = 'annotations.xml'

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.images: list[ET.Element] = []

    def add(self, image: ImageObjects) -> None:
        height, width = (str(n) for n in image.size)
        element = ET.Element(
            'image', id=str(len(self.images)), name=image.file, width=width, height=height
        )
        for item in image.objects:
            same = {'label': self.classes[item.class_id], 'source': 'auto', 'occluded': '0'}
            if self.options.polygons:
                points = item.polygon(self.options.tolerance)
                text = ';'.join(f'{x:.2f},{y:.2f}' for x, y in points)
                ET.SubElement(element, 'polygon', same, points=text, z_order='0')
            else:
                place = dict(zip(('left', 'top', 'width', 'height'), map(str, item.box)))
                rle = ', '.join(map(str, encode_rle(item.mask.T)['counts']))
                ET.SubElement(element, 'mask', same, rle=rle, **place, z_order='0')
        self.images.append(element)

    def finish(self) -> None:
        root = ET.Element('annotations')
        ET.SubElement(root, 'version').text = '1.1'
        task = ET.SubElement(ET.SubElement(root, 'meta'), 'task')
        ET.SubElement(task, 'size').text = str(len(self.images))
        labels = ET.SubElement(task, 'labels')
        for i, colour in zip(self.ids, colours(self.ids)):
            label = ET.SubElement(labels, 'label')
            ET.SubElement(label, 'name').text = self.classes[i]
            ET.SubElement(label, 'color').text = colour
            ET.SubElement(label, 'attributes')
        root.extend(self.images)
        ET.indent(root)
        text = ET.tostring(root, encoding='unicode')
        write_text(self.out / self.file, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')


class LabelStudio(Writer):
    """Tasks whose ``predictions`` an annotator accepts or corrects, and the labelling interface for them."""

    file = 'tasks.json'

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.kind = 'polygonlabels' if self.options.polygons else 'brushlabels'
        self.tasks: list[dict[str, Any]] = []

    def add(self, image: ImageObjects) -> None:
        results = [self._result(item, i, image.size) for i, item in enumerate(image.objects)]
        source = self.options.url + quote(image.file)
        predictions = [{'model_version': 'mmwsss', 'result': results}]
        self.tasks.append({'data': {'image': source}, 'predictions': predictions})

    def _result(self, item: MaskObject, number: int, size: tuple[int, int]) -> dict[str, Any]:
        if self.options.polygons:
            scale = np.asarray(size[::-1], np.float64) / 100
            value = {'points': (item.polygon(self.options.tolerance) / scale).tolist()}
        else:
            value = {'format': 'rle', 'rle': brush_runs(item.whole(size))}
        return {
            'id': f'object{number}',
            'type': self.kind,
            'from_name': 'label',
            'to_name': 'image',
            'original_width': size[1],
            'original_height': size[0],
            'image_rotation': 0,
            'value': {**value, self.kind: [self.classes[item.class_id]]},
        }

    def finish(self) -> None:
        view = ET.Element('View')
        ET.SubElement(view, 'Image', name='image', value='$image', zoom='true')
        tag = {'polygonlabels': 'PolygonLabels', 'brushlabels': 'BrushLabels'}[self.kind]
        labels = ET.SubElement(view, tag, name='label', toName='image')
        for i, colour in zip(self.ids, colours(self.ids)):
            ET.SubElement(labels, 'Label', value=self.classes[i], background=colour)
        ET.indent(view)
        write_text(self.out / 'label_config.xml', ET.tostring(view, encoding='unicode') + '\n')
        write_text(self.out / self.file, json.dumps(self.tasks, allow_nan=False) + '\n')


class VOC(Writer):
    """``SegmentationClass``, ``SegmentationObject`` (255 is ``void``), a list, ``labelmap.txt``."""

    file = 'labelmap.txt'

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.names: list[str] = []

    def add(self, image: ImageObjects) -> None:
        classes = np.where(image.ignored, IGNORE_INDEX, np.zeros(image.size, np.int64))
        numbers = classes.copy()
        ids = foreground_ids(range(len(image.objects)))
        for item, number in zip(image.objects, ids):
            x, y, width, height = item.box
            box = (slice(y, y + height), slice(x, x + width))
            classes[box][item.mask], numbers[box][item.mask] = item.class_id, number
        palette = voc_palette(max(len(self.classes), int(ids.max(initial=0)) + 1))
        for folder, labels in (('SegmentationClass', classes), ('SegmentationObject', numbers)):
            save_mask(safe_join(self.out / folder, image.name, '.png'), labels, palette)
        self.names.append(image.name)

    def finish(self) -> None:
        write_ids(self.out / 'ImageSets' / 'Segmentation' / 'default.txt', self.names)
        palette = voc_palette(max(len(self.classes), IGNORE_INDEX + 1))
        names = {i: self.classes[i] for i in [0, *self.ids]} | {IGNORE_INDEX: 'void'}
        lines = [f'{name}:{",".join(map(str, palette[i]))}::' for i, name in names.items()]
        write_lines(self.out / self.file, ['# label:color_rgb:parts:actions', *lines])


FORMATS: dict[str, type[Writer]] = {
    'coco': COCO,
    'yolo-seg': YOLO,
    'cvat': CVAT,
    'label-studio': LabelStudio,
    'voc': VOC,
}


def export_masks(
    masks: str | os.PathLike[str],
    out: str | os.PathLike[str],
    format: str,
    classes: Sequence[str],
    *,
    images: str | os.PathLike[str] | None = None,
    ids: Sequence[str] | None = None,
    options: ExportOptions | None = None,
    overwrite: bool = False,
    workers: int = 0,
) -> Exported:
    """Write the objects of a folder of masks in a format of annotation tools.

    An object is an 8-connected component of a class: masks do not tell touching objects apart.
    Background is no object, and 255 is in none.

    Args:
        masks: Folder of ``.png`` or ``.npy``.
        out: Output folder.
        format: One of :data:`FORMATS`.
        classes: Names, background first.
        images: Folder of the images: file names are taken from it, and sizes compared. None: names are
            those of the masks with ``.jpg``.
        ids: Image ids; all of ``masks`` by default.
        options: How objects are drawn.
        overwrite: Replace an earlier export.
        workers: Processes that read masks and find objects.

    Returns:
        Counts and the report; masks that failed are in it, and not in the export.

    Raises:
        FileExistsError: There is an export in ``out``.
        FileNotFoundError: A folder is missing.
        ValueError: The format is unknown, an option out of its range, no mask is there, ``out`` lies in
            ``masks``, or the classes have no background.
    """
    options = options or ExportOptions()
    check_choice('format', format, tuple(FORMATS))
    check_range('min_area', options.min_area, '[1, inf)')
    check_range('tolerance', options.tolerance, '[0, inf)')
    if not has_background(classes):
        raise ValueError(
            'annotations are of objects before a background, but these classes have no background: '
            f'{name_some(classes)}'
        )
    masks, out = require_folder('masks', masks), Path(out)
    if out.resolve().is_relative_to(masks.resolve()):
        raise ValueError(f'the output folder {out} lies in that of the masks: choose another one')
    photos = None if images is None else by_name(find_images(require_folder('images', images)))
    names = find_ids(masks, MASK_SUFFIXES) if ids is None else list(ids)
    writer = FORMATS[format](out, classes, options)
    found = Exported(file=out / writer.file)
    if found.file.exists() and not overwrite:
        raise FileExistsError(f'{found.file} exists; --overwrite replaces it')

    def work(name: str) -> ImageObjects:
        labels = load_mask(find_mask(masks, name), len(classes))
        file = f'{name}.jpg'
        if photos is not None:
            file = photo_file(photos, name, labels.shape, Path(images or ''))
        objects, small = mask_objects(labels, options.min_area)
        return ImageObjects(name, file, labels.shape, objects, labels == IGNORE_INDEX, small)

    def take(name: str, image: ImageObjects) -> None:
        writer.add(image)
        for item in image.objects:
            found.objects[item.class_id] = found.objects.get(item.class_id, 0) + 1
        found.pixels += image.ignored.size
        found.ignored += int(image.ignored.sum())
        found.small += image.small

    found.report = process_items(names, work, None, 'exporting', workers, on_result=take)
    writer.finish()
    return found


def photo_file(photos: dict[str, Path], name: str, shape: tuple[int, ...], folder: Path) -> str:
    """File name of an image below its folder; its size must be that of the mask."""
    if name not in photos:
        raise FileNotFoundError(f'{folder} holds no image named {name}')
    size = image_size(photos[name])
    if size != shape:
        raise ValueError(f'the mask is {shape}, but {photos[name]} is {size} (height, width)')
    return photos[name].relative_to(folder).as_posix()


def mask_objects(labels: np.ndarray, min_area: int = 1) -> tuple[list[MaskObject], int]:
    """Find the objects of a mask: its 8-connected components, by class and then from top to bottom.

    Args:
        labels: Integer (H, W); 0 and 255 are no objects.
        min_area: In pixels; what is smaller is left out.

    Returns:
        The objects; the number of those that were left out.
    """
    objects, small = [], 0
    for c, (rows, columns), components, _ in class_components(
        np.where(labels == IGNORE_INDEX, 0, labels)
    ):
        for i, (down, right) in enumerate(ndimage.find_objects(components), start=1):
            mask = components[down, right] == i
            area = int(mask.sum())
            if area < min_area:
                small += 1
                continue
            box = (columns.start + right.start, rows.start + down.start, *mask.shape[::-1])
            objects.append(MaskObject(c, box, mask, area))
    return objects, small


def brush_runs(mask: np.ndarray) -> list[int]:
    """Label Studio's brush: bytes of the run-length code of thi.ng/rle-pack, of an RGBA image.

    The head says how many values follow (32 bits), how many bits one has less one (5), and four sizes of
    counts less one (4 bits each), here all 16. Then, for each run: 1 (equal values), which of the sizes (2
    bits), the count less one, the value.
    """
    bits = [f'{4 * mask.size:032b}', f'{8 - 1:05b}', 4 * f'{16 - 1:04b}']
    for i, length in enumerate(encode_rle(mask.T)['counts']):
        parts, rest = divmod(4 * length, 1 << 16)
        for count in [1 << 16] * parts + [rest] * bool(rest):
            bits.append(f'100{count - 1:016b}{255 * (i % 2):08b}')
    text = ''.join(bits)
    text += '0' * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, 'big'))


def colours(ids: Sequence[int]) -> list[str]:
    """Colours of classes as ``#rrggbb``."""
    palette = voc_palette(max(ids, default=0) + 1)
    return ['#{:02x}{:02x}{:02x}'.format(*palette[i]) for i in ids]

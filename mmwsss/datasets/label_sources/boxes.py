"""Boxes of objects by image, from COCO and CVAT files and from folders of VOC's and YOLO's."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsss.functional.boxes import Box
from mmwsss.io.damage import parsing
from mmwsss.io.ids import id_of_path
from mmwsss.io.names import safe_join

from .annotations import CVAT_SHAPES, read_xml, yolo_classes, yolo_rows
from .class_table import ClassTable
from .coco import image_name, load_instances

__all__ = ['BoxReader', 'open_boxes']

#: Image id and (H, W) -> the boxes of the image.
BoxReader = Callable[[str, tuple[int, int]], Sequence[Box]]
#: Class id, edges (or what is wrong with them) and place of the boxes by image, not checked: a wrong one
#: concerns its image only.
_Rows = dict[str, list[tuple[int, Sequence[Any], str]]]


def open_boxes(path: str | os.PathLike[str], classes: Sequence[str]) -> BoxReader:
    """Open a COCO or LVIS ``.json``, CVAT's ``.xml``, or a folder of VOC's ``.xml`` or YOLO's ``.txt``.

    Args:
        path: File or folder.
        classes: Class names, background first.

    Returns:
        A function that gives the boxes of an image. Its errors: ``FileNotFoundError`` for an image that VOC's
        folder or the file does not have (YOLO's folder: no box), ``ValueError`` for what is malformed.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: It is malformed, or a class is unknown.
    """
    path, table = Path(path), ClassTable(classes)
    if not path.exists():
        raise FileNotFoundError(f'boxes: there is no file or folder {path}')
    if path.is_dir():
        if any(path.rglob('*.xml')):
            return lambda name, size: _voc_boxes(safe_join(path, name, '.xml'), table)
        names = yolo_classes(path)
        return lambda name, size: _yolo_boxes(safe_join(path, name, '.txt'), names, table, size)
    found = _coco_boxes(path, table) if path.suffix.lower() == '.json' else _cvat_boxes(path, table)

    def boxes_of(name: str, size: tuple[int, int]) -> Sequence[Box]:
        if name not in found:
            raise FileNotFoundError(f'boxes: {path} does not name the image {name!r}')
        return [_box(*item) for item in found[name]]

    return boxes_of


def _box(class_id: int, edges: Sequence[Any], where: str) -> Box:
    if isinstance(edges, str):
        raise ValueError(f'{where}: {edges}')
    with parsing(f'{where}: the edges of a box must be numbers'):
        x0, y0, x1, y1 = (float(edge) for edge in edges)
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f'{where}: a box must have x0 < x1 and y0 < y1, but got {x0, y0, x1, y1}')
    return Box(class_id, x0, y0, x1, y1)


def _coco_boxes(path: Path, table: ClassTable) -> _Rows:
    content = load_instances(str(path))
    categories = {item['id']: item['name'] for item in content['categories']}
    names = {image['id']: image_name(image, str(path)) for image in content['images']}
    found: _Rows = {name: [] for name in names.values()}
    for item in content['annotations']:
        where = f'{path}, annotation {item.get("id")!r}'
        with parsing(f'{where}: expected "bbox": [x, y, width, height]'):
            x, y, width, height = (float(number) for number in item['bbox'])
        class_id = table.id_of(categories[item['category_id']], where)
        found[names[item['image_id']]].append((class_id, (x, y, x + width, y + height), where))
    return found


def _cvat_boxes(path: Path, table: ClassTable) -> _Rows:
    def edges(shape: ET.Element) -> Sequence[Any]:
        if shape.tag != 'box':
            return f'expected boxes only, but got a <{shape.tag}>'
        if shape.get('rotation', '').strip('+-0.'):
            return f'a box is rotated (by {shape.get("rotation")}), which cannot be read'
        return [shape.get(edge) for edge in ('xtl', 'ytl', 'xbr', 'ybr')]

    found: _Rows = {}
    for image in read_xml(path).findall('image'):
        name = image.get('name') or ''
        where = f'{path}, image {name!r}'
        if id_of_path(name) in found:
            raise ValueError(f'{where}: the image is there already')
        found[id_of_path(name)] = [
            (table.id_of(shape.get('label') or '', str(path)), edges(shape), where)
            for shape in image
            if shape.tag in CVAT_SHAPES and shape.tag != 'tag'
        ]
    return found


def _voc_boxes(path: Path, table: ClassTable) -> list[Box]:
    def edges(item: ET.Element) -> list[Any]:
        x0, y0, x1, y1 = (
            item.findtext(f'bndbox/{edge}', '') for edge in ('xmin', 'ymin', 'xmax', 'ymax')
        )
        with parsing(f'{path}: an <object> needs a <bndbox> of numbers'):
            return [float(x0) - 1, float(y0) - 1, x1, y1]  # VOC counts from 1, both ends included

    return [
        _box(table.id_of((item.findtext('name') or '').strip(), str(path)), edges(item), str(path))
        for item in read_xml(path).findall('object')
    ]


def _yolo_boxes(
    path: Path, names: Mapping[int, str], table: ClassTable, size: tuple[int, int]
) -> list[Box]:
    found = []
    for name, numbers, where in yolo_rows(path, names):
        with parsing(f'{where}: the edges of a box must be numbers'):
            values = [float(n) * size[1 - i % 2] for i, n in enumerate(numbers)]
        if len(values) > 5:  # an outline; a box has four numbers, and maybe a confidence
            columns, rows = values[::2], values[1::2]
            edges = min(columns), min(rows), max(columns), max(rows)
        else:
            x, y, width, height = values[:4]
            edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        found.append(_box(table.id_of(name, where), edges, where))
    return found

"""Class names per image as annotation tools and habits of folders say them: one loader per kind."""

from __future__ import annotations

import os
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from mmwsss.io.damage import parsing
from mmwsss.io.ids import files_by_id, id_of_path
from mmwsss.io.names import read_lines, require_file
from mmwsss.utils.names import name_some

from .coco import load_names_of_instances
from .files import load_json
from .table import Rows, load_csv_names, load_json_names
from .voc_xml import object_names, parse_xml

__all__ = [
    'CVAT_SHAPES',
    'load_names',
    'names_of_folders',
    'names_of_pattern',
    'read_xml',
    'stray_labels',
    'yolo_classes',
    'yolo_rows',
]

_YOLO_NAMES = ('data.yaml', 'dataset.yaml', 'obj.names', 'classes.txt')
CVAT_SHAPES = [
    'tag',
    'box',
    'polygon',
    'polyline',
    'points',
    'mask',
    'ellipse',
    'cuboid',
    'skeleton',
]
_UPLOAD = re.compile(r'[0-9a-f]{8}-(?=.)')  # Label Studio's, before the name of an uploaded file
_STUDIO_NAMES = re.compile(r'choices|\w*labels')


def load_names(path: str, ids: Sequence[str]) -> Rows:
    """Read the class names of images from whatever ``path`` is.

    - ``.csv``: :func:`~mmwsss.datasets.label_sources.table.load_csv_names`.
    - ``.json``: ``{id: [class name, ...]}``, a COCO or LVIS instances file, or an export of Label Studio
      (JSON or JSON-MIN: choices and labels of any shape).
    - ``.xml``: CVAT's "CVAT for images": tags and the labels of all shapes.
    - A folder of ``<id>.xml`` of VOC, or of YOLO's ``<id>.txt`` with ``data.yaml``, ``obj.names`` or
      ``classes.txt`` in it or above it; an image without YOLO file is a negative.

    Args:
        path: File or folder.
        ids: Ids of the images, to find those that a file names in another way.

    Returns:
        Image id -> class names, place in the file.

    Raises:
        FileNotFoundError: ``path``, or YOLO's file of names, does not exist.
        ValueError: It is none of these, or malformed; says where.
    """
    if os.path.isdir(path):
        return _folder_names(Path(path), ids)
    kind = require_file('labels', path).suffix.lower()
    if kind == '.xml':
        return _cvat_names(path)
    if kind == '.csv':
        return load_csv_names(path)
    if kind != '.json':
        raise ValueError(f'{path}: labels must be a .csv, .json or .xml file or a folder')
    content = load_json(path)
    if isinstance(content, list):
        return _studio_names(content, path, ids)
    if isinstance(content, dict) and {'images', 'annotations', 'categories'} <= set(content):
        return load_names_of_instances(path)
    return load_json_names(path)


def names_of_folders(ids: Iterable[str]) -> Rows:
    """The first folder of an image is its class, as in ImageNet; ``background`` is no class.

    Raises:
        ValueError: Images lie in no folder.
    """
    ids = list(ids)
    if loose := [name for name in ids if '/' not in name]:
        raise ValueError(
            f'{len(loose)} of {len(ids)} images lie in no folder of a class: {name_some(loose)}'
        )
    folders = {name: name.split('/')[0] for name in ids}
    return {n: ([] if f == 'background' else [f], f'folder {f}') for n, f in folders.items()}


def names_of_pattern(ids: Iterable[str], pattern: str) -> Rows:
    """The classes of an image stand in its name, where a regular expression says.

    Args:
        ids: Image ids.
        pattern: Is searched in the id. Its groups, or those called ``class``, ``class2`` ..., are names; a
            group without match, or an empty one, is none. ``(cat|dog)_`` finds ``cat`` in ``trip/cat_01``.

    Raises:
        ValueError: It is no regular expression with a group, or some ids do not match.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'pattern {pattern!r} is no regular expression: {error}') from error
    if not expression.groups:
        raise ValueError(f'pattern {pattern!r} needs a group (...) around the name of the class')
    matches = {name: expression.search(name) for name in ids}
    if missing := [name for name, match in matches.items() if match is None]:
        raise ValueError(
            f'pattern {pattern!r}: {len(missing)} of {len(matches)} names do not match: '
            f'{name_some(missing)} (a negative needs an empty group: "(cat|dog|)_")'
        )
    named = [i for name, i in expression.groupindex.items() if name.startswith('class')]
    groups = named or range(1, expression.groups + 1)
    return {
        name: ([match[i] for i in groups if match[i]], f'name {name!r}')
        for name, match in matches.items()
        if match
    }


def _folder_names(folder: Path, ids: Sequence[str]) -> Rows:
    files, others = _label_files(folder, ids)
    is_voc = _are_voc(files, others)
    classes = {} if is_voc else yolo_classes(folder)
    if not files:
        raise ValueError(
            f'{folder} holds no file <id>.txt of YOLO and no <id>.xml of VOC of an image'
        )
    if is_voc:
        return {n: (object_names(p.read_bytes(), str(p)), str(p)) for n, p in files.items()}
    rows = {n: ([row[0] for row in yolo_rows(p, classes)], str(p)) for n, p in files.items()}
    return {name: rows.get(name, ([], str(folder))) for name in ids}


def _are_voc(*files: Mapping[str, Path]) -> bool:
    """Whether files of labels are VOC's, else YOLO's."""
    return any(path.suffix.lower() == '.xml' for some in files for path in some.values())


def _label_files(folder: Path, ids: Sequence[str]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Files of images that have one, and those of no image.

    The name of a file counts first; some systems write an accent as a character of its own.
    """
    composed = partial(unicodedata.normalize, 'NFC')
    found = files_by_id(folder, ['.xml']) or files_by_id(folder, ['.txt'])
    known = {**{composed(name): path for name, path in found.items()}, **found}
    keys = ((name, key) for name in ids for key in (composed(name), name))
    files = {name: known[key] for name, key in keys if key in known}
    used = {*files.values()}
    return files, {name: path for name, path in found.items() if path not in used}


def stray_labels(folder: Path, ids: Sequence[str]) -> list[str]:
    """Names of the files in a folder of labels that are of none of the images ``ids``."""
    _, others = _label_files(folder, ids)
    if _are_voc(others):
        return sorted(others)
    classes = yolo_classes(folder)
    return sorted(name for name, path in others.items() if _is_yolo(path, classes))


def _is_yolo(path: Path, classes: Mapping[int, str]) -> bool:
    """Whether a text file may be of boxes, not of names or a list of images."""
    try:
        yolo_rows(path, classes)
    except ValueError:
        return False
    return path.name not in _YOLO_NAMES


def yolo_rows(path: Path, classes: Mapping[int, str]) -> list[tuple[str, list[str], str]]:
    """Name, numbers and place of an image's boxes: lines "class x y width height"; no file means no box.

    Raises:
        ValueError: A line is something else, or its class is not among ``classes``.
    """
    if not path.is_file():
        return []
    with parsing(f'{path} is not a text file in UTF-8'):
        lines = path.read_text('utf-8-sig').splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        cells, where = line.split(), f'{path}, line {number}'
        if not cells:
            continue
        index = int(cells[0]) if cells[0].isdecimal() else -1
        if index not in classes or len(cells) < 5:
            raise ValueError(
                f'{where}: expected "class x y width height" with a class of '
                f'0..{max(classes)}, but got {line!r}'
            )
        found.append((classes[index], cells[1:], where))
    return found


def yolo_classes(folder: Path) -> dict[int, str]:
    """Class names by number, from the first file of names in the folder, above it or above that.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is malformed.
    """
    places = [
        place / name for place in (folder, *folder.absolute().parents[:2]) for name in _YOLO_NAMES
    ]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise FileNotFoundError(f'{folder}: none of {", ".join(_YOLO_NAMES)} is in it or above it')
    if path.suffix != '.yaml':
        return dict(enumerate(read_lines(path)))
    with parsing(f'{path} is not YAML'):
        content = yaml.safe_load(path.read_text('utf-8'))
    names = content.get('names') if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names or not all(isinstance(i, int) for i in names):
        raise ValueError(
            f'{path}: expected "names", a list or numbers with names, but got {names!r}'
        )
    return {i: str(name) for i, name in names.items()}


def read_xml(path: str | Path) -> ET.Element:
    """The root of an XML file; :func:`~mmwsss.datasets.label_sources.voc_xml.parse_xml` has the errors."""
    return parse_xml(Path(path).read_bytes(), str(path))


def _cvat_names(path: str) -> Rows:
    images = read_xml(path).findall('image')
    if not images:
        raise ValueError(
            f'{path} has no <image>: expected an export "CVAT for images 1.1" (for VOC, give the folder of '
            'its files)'
        )
    rows: Rows = {}
    for image in images:
        name = id_of_path(image.get('name') or '')
        shapes = [shape for shape in image if shape.tag in CVAT_SHAPES]
        names = list(dict.fromkeys(shape.get('label') or '' for shape in shapes))
        where = f'{path}, image {name!r}'
        if not name or not all(names) or name in rows:
            raise ValueError(
                f'{where}: expected a new name, and a label of each shape, got {names}'
            )
        rows[name] = (names, where)
    return rows


def _studio_names(tasks: list[Any], path: str, ids: Sequence[str]) -> Rows:
    rows: Rows = {}
    finder, controls = _StudioImages(ids), _controls(tasks)
    for number, task in enumerate(tasks, start=1):
        where = f'{path}, task {number}'
        if not isinstance(task, dict):
            raise ValueError(
                f'{where}: expected an export of Label Studio, but got {str(task)[:80]}'
            )
        data = task.get('data', task)
        fields = data if isinstance(data, dict) else {}
        image = next((fields[key] for key in ('image', 'img', 'photo') if key in fields), None)
        if not isinstance(image, str):
            raise ValueError(f'{where}: expected an "image", but got {str(data)[:80]}')
        with parsing(f'{where}: the image {image!r} cannot be read'):
            name = finder.find(image)
        minimal = [] if 'data' in task else [task]
        annotations = task.get('annotations', task.get('completions', minimal)) or []
        if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
            raise ValueError(
                f'{where}: expected a list of annotations, but got {str(annotations)[:80]}'
            )
        done = [each for each in annotations if not each.get('was_cancelled')]
        if not done:
            continue  # nobody has looked at it: no negative
        if name in rows:
            raise ValueError(f'{where}: the image {name!r} is there already ({rows[name][1]})')
        rows[name] = (list(dict.fromkeys(n for a in done for n in _names_in(a, controls))), where)
    if rows and not any(names for names, _ in rows.values()) and 'data' not in tasks[0]:
        raise ValueError(
            f'{path}: no choice or label is found in any task; JSON-MIN writes a single choice under a '
            'name of its own: export JSON instead'
        )
    return rows


def _controls(tasks: Iterable[Any]) -> set[str]:
    """Names of the controls whose choices JSON-MIN writes: one as a text, several as an object."""
    items = (item for task in tasks if isinstance(task, dict) for item in task.items())
    several = (key for key, value in items if isinstance(value, dict) and 'choices' in value)
    return {'choice', *several}


def _names_in(annotation: Mapping[str, Any], controls: Container[str]) -> Iterable[str]:
    """Without those of the prediction that it began with."""
    return _studio_values(annotation.get('result', annotation), controls)


def _studio_values(node: Any, controls: Container[str]) -> Iterable[str]:
    """The names of all choices and labels below a part of an export, but for those of relations."""
    if isinstance(node, dict) and node.get('type') == 'relation':
        return
    if isinstance(node, list):
        for item in node:
            yield from _studio_values(item, controls)
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in controls and isinstance(value, str):
            yield from [value] if value else []
        elif _STUDIO_NAMES.fullmatch(key) and isinstance(value, list):
            yield from (name for name in value if isinstance(name, str))
        if isinstance(value, (list, dict)):
            yield from _studio_values(value, controls)


class _StudioImages:
    """Finds the image of a task: a path on the server, with what its upload put before the name."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = set(ids)
        self.by_name: dict[str, list[str]] = {}
        for image_id in ids:
            self.by_name.setdefault(image_id.rpartition('/')[2], []).append(image_id)

    def find(self, url: str) -> str:
        """The id of the image, or what would be one."""
        parts = urlsplit(url.replace('\\', '/'))
        path = parse_qs(parts.query).get('d', [unquote(parts.path)])[0]
        name = id_of_path(PurePosixPath(path).name)
        tail = id_of_path(path.lstrip('/'))
        while '/' in tail and tail not in self.ids:
            tail = tail.partition('/')[2]
        if tail in self.ids:
            return tail
        upload = _UPLOAD.match(name)
        short = name[upload.end() :] if upload else name
        found = self.by_name.get(name, self.by_name.get(short, []))
        return found[0] if len(found) == 1 else short

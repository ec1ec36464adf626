"""Image-level labels from a COCO or LVIS instances file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mmwsss.io.ids import id_of_path
from mmwsss.utils.names import check_known

from .class_table import ClassTable
from .files import collect_labels, load_json
from .table import Rows

# What every entry must have, a number or a text; images are checked where their names are read.
_FIELDS = {
    'images': ('id',),
    'annotations': ('image_id', 'category_id'),
    'categories': ('id', 'name'),
}

__all__ = ['image_name', 'load_instances', 'load_names_of_instances', 'read_coco']


def read_coco(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    category_map: Mapping[str, str] | str | None = None,
    include_crowd: bool = True,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read the categories of the annotations of each image; categories match classes by *name*.

    Image ids are the file names in the JSON without suffix, with or without the folder. An image without
    annotations has no class.
    ``category_map`` is a table category name -> class name, or a JSON file of one; categories that it does
    not name are left out. Without it every category that occurs must be a class. ``include_crowd`` counts
    annotations with ``iscrowd = 1``: a crowd of persons shows persons, and the 82,081 + 40,137 images of COCO
    2014 "with labels" are counted this way. The other arguments, the result and the errors are those of
    ``read_image_labels``.
    """
    content = load_instances(path, backend_args)
    categories = {item['id']: item['name'] for item in content['categories']}
    found = _names_by_image(content, categories, path, include_crowd)
    if category_map is None:
        used = sorted(set().union(*found.values()), key=str)
        class_ids = {name: table.id_of(name, path) for name in used}
    else:
        class_ids = _mapped_ids(category_map, categories.values(), table, path, backend_args)
    image_ids = _image_ids(content['images'], path)

    def label_of(name: str) -> list[int] | None:
        image_id = image_ids.get(name, image_ids.get(PurePosixPath(name).name))
        labels = {class_ids[n] for n in found.get(image_id, ()) if n in class_ids}
        return None if image_id is None else sorted(labels)

    return collect_labels(ids, label_of, path)


def load_names_of_instances(path: str) -> Rows:
    """Read the category names of each image: id -> (names, place in the file); see :func:`read_coco`."""
    content = load_instances(path)
    categories = {item['id']: item['name'] for item in content['categories']}
    found = _names_by_image(content, categories, path, include_crowd=True)
    return {
        image_name(image, path): (sorted(found[image['id']]), f'{path}, image {image["id"]!r}')
        for image in content['images']
    }


def _names_by_image(
    content: Mapping[str, Any], categories: Mapping[Any, str], path: str, include_crowd: bool
) -> dict[Any, set[str]]:
    """Names of the categories of each image's annotations, by its number."""
    found: dict[Any, set[str]] = defaultdict(set)
    for item in content['annotations']:
        if item['category_id'] not in categories:
            raise ValueError(
                f'{path}: annotation {item.get("id")!r} has category_id '
                f'{item["category_id"]!r}, which "categories" does not list'
            )
        if include_crowd or not item.get('iscrowd', 0):
            found[item['image_id']].add(categories[item['category_id']])
    return found


def load_instances(path: str, backend_args: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read an instances JSON and check that it has images, annotations and categories.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: It is not such a file.
    """
    content = load_json(path, backend_args)
    for key, fields in _FIELDS.items():
        items = content.get(key) if isinstance(content, dict) else None
        if not isinstance(items, list):
            raise ValueError(f'{path} is not an instances file: it has no list {key!r}')
        for item in items:
            is_entry = isinstance(item, dict)
            if not is_entry or not all(isinstance(item.get(name), (int, str)) for name in fields):
                raise ValueError(
                    f'{path}, {key!r}: expected objects with a number or text as '
                    f'{" and ".join(fields)}, but got {str(item)[:80]}'
                )
    return content


def image_name(image: Mapping[str, Any], path: str) -> str:
    """Return an image's file name without suffix: of ``file_name`` (COCO) or ``coco_url`` (LVIS).

    Raises:
        ValueError: The image has neither.
    """
    file_name, url = image.get('file_name'), image.get('coco_url')
    if isinstance(file_name, str) and PurePosixPath(file_name).name:
        return id_of_path(file_name)
    if isinstance(url, str) and PurePosixPath(url).name:
        return id_of_path(PurePosixPath(url).name)
    raise ValueError(f'{path}: image {image.get("id")!r} has neither file_name nor coco_url')


def _mapped_ids(
    category_map: Mapping[str, str] | str,
    categories: Iterable[str],
    table: ClassTable,
    path: str,
    backend_args: dict[str, Any] | None,
) -> dict[str, int]:
    """Return category name -> class id."""
    if isinstance(category_map, str):
        category_map = load_json(category_map, backend_args)
    if not isinstance(category_map, Mapping):
        raise ValueError(f'category_map must be {{category: class}}, but got {category_map!r}')
    for name in category_map:
        check_known(f'category_map: category of {path}', name, categories)
    return {name: table.id_of(target, 'category_map') for name, target in category_map.items()}


def _image_ids(images: list[dict[str, Any]], path: str) -> dict[str, Any]:
    """Return file name without suffix -> image id; also without the folder where that is unique."""
    full = {image_name(image, path): image['id'] for image in images}
    short: dict[str, Any] = {}
    for name, image_id in full.items():
        stem = PurePosixPath(name).name
        short[stem] = None if stem in short else image_id
    return {**{stem: i for stem, i in short.items() if i is not None}, **full}

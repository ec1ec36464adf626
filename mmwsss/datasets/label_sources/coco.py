"""Image-level labels from a COCO or LVIS instances file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mmwsss.utils.names import check_known

from .class_table import ClassTable
from .files import collect_labels, load_json

# What every entry must have; images are checked where their names are read.
_ID = (int, str)
_FIELDS = {
    'images': {'id': _ID},
    'annotations': {'image_id': _ID, 'category_id': _ID},
    'categories': {'id': _ID, 'name': str},
}

__all__ = ['image_name', 'load_instances', 'read_coco']


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

    Args:
        ids: Image ids: the file names in the JSON without suffix, with or without the folder.
        table: The dataset's classes.
        path: The instances JSON.
        category_map: Category name -> class name, or a JSON file of such a table; categories
            that it does not name are left out. None: every category that occurs must be a class.
        include_crowd: Count annotations with ``iscrowd = 1``: a crowd of persons shows persons,
            and the 82,081 + 40,137 images of COCO 2014 "with labels" are counted this way.
        backend_args: File backend of mmengine; None is the local disk.

    Returns:
        Image id -> sorted class ids. An image without annotations has an empty list.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: The JSON is no such file, lacks an image, or a category is no class.
    """
    content = load_instances(path, backend_args)
    names = {item['id']: item['name'] for item in content['categories']}
    if isinstance(category_map, str):
        category_map = _load_category_map(category_map, backend_args)
    found = _categories_of_images(content['annotations'], names, include_crowd, path)
    used = {name for names_of_image in found.values() for name in names_of_image}
    class_ids = _class_ids(used, list(names.values()), category_map, table, path)
    image_ids = _image_ids(content['images'], path)

    def label_of(name: str) -> list[int] | None:
        image_id = image_ids.get(name, image_ids.get(PurePosixPath(name).name))
        names = found.get(image_id, ())
        if image_id is None:
            return None
        return sorted({class_ids[n] for n in names if n in class_ids})

    return collect_labels(ids, label_of, path)


def load_instances(path: str, backend_args: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read an instances JSON and check that it has images, annotations and categories.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: It is not such a file.
    """
    content = load_json(path, backend_args)
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f'{path} is not an instances file: it has no list {key!r}')
        _check_items(content[key], _FIELDS[key], f'{path}, {key!r}')
    return content


def _check_items(items: list[Any], fields: Mapping[str, type | tuple], where: str) -> None:
    for item in items:
        if not isinstance(item, dict):
            raise ValueError(f'{where}: expected objects, but got {item!r}')
        for name, kind in fields.items():
            if not isinstance(item.get(name), kind):
                raise ValueError(
                    f'{where}: expected {name!r} to be a number or text, but got {item.get(name)!r} '
                    f'in {str(item)[:80]}'
                )


def _load_category_map(path: str, backend_args: dict[str, Any] | None) -> dict[str, str]:
    found = load_json(path, backend_args)
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise ValueError(f'category_map {path} must be an object {{category name: class name}}')
    return found


def image_name(image: Mapping[str, Any], path: str) -> str:
    """Return an image's file name without suffix: of ``file_name`` (COCO) or ``coco_url`` (LVIS).

    Raises:
        ValueError: The image has neither.
    """
    file_name, url = image.get('file_name'), image.get('coco_url')
    if isinstance(file_name, str) and PurePosixPath(file_name).name:
        return str(PurePosixPath(file_name).with_suffix(''))
    if isinstance(url, str) and PurePosixPath(url).name:
        return PurePosixPath(url).stem
    raise ValueError(f'{path}: image {image.get("id")!r} has neither file_name nor coco_url')


def _categories_of_images(
    annotations: list[dict[str, Any]], names: dict[int, str], include_crowd: bool, path: str
) -> dict[Any, set[str]]:
    found: dict[Any, set[str]] = {}
    for item in annotations:
        if item.get('iscrowd', 0) and not include_crowd:
            continue
        if item.get('category_id') not in names:
            raise ValueError(
                f'{path}: annotation {item.get("id")!r} has category_id '
                f'{item.get("category_id")!r}, which "categories" does not list'
            )
        found.setdefault(item.get('image_id'), set()).add(names[item['category_id']])
    return found


def _class_ids(
    used: set[str],
    categories: Sequence[str],
    category_map: Mapping[str, str] | None,
    table: ClassTable,
    path: str,
) -> dict[str, int]:
    """Return category name -> class id."""
    if category_map is None:
        return {name: table.id_of(name, path) for name in sorted(used)}
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

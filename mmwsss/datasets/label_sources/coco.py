"""Image-level labels from a COCO or LVIS instances file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mmwsss.io.ids import id_of_path
from mmwsss.utils.names import check_known

from .class_table import ClassTable
from .files import collect_labels, load_json
from .table import Rows

# What every entry must have, a number or a text.
_FIELDS = {
    'images': ('id',),
    'annotations': ('image_id', 'category_id'),
    'categories': ('id', 'name'),
}

__all__ = ['ImageNumbers', 'image_name', 'load_instances', 'load_names_of_instances', 'read_coco']


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

    Image ids are the file names in the JSON without suffix; a folder may stand in one of both only (see
    :class:`ImageNumbers`). An image without annotations has no class.
    ``category_map`` is a table category name -> class name, or a JSON file of one; categories that it does
    not name are left out. Without it every category that occurs must be a class. ``include_crowd`` counts
    annotations with ``iscrowd = 1``: a crowd of persons shows persons, and the 82,081 + 40,137 images of COCO
    2014 "with labels" are counted this way. The other arguments, the result and the errors are those of
    ``read_image_labels``.
    """
    content = load_instances(path, backend_args)
    categories = {item['id']: item['name'] for item in content['categories']}
    found = _names_by_image(content, categories, include_crowd)
    if category_map is None:
        used = sorted(set().union(*found.values()), key=str)
        class_ids = {name: table.id_of(name, path) for name in used}
    else:
        class_ids = _mapped_ids(category_map, categories.values(), table, path, backend_args)
    numbers = ImageNumbers(content['images'], path)

    def label_of(name: str) -> list[int] | None:
        number = numbers.find(name)
        labels = {class_ids[n] for n in found.get(number, ()) if n in class_ids}
        return None if number is None else sorted(labels)

    return collect_labels(ids, label_of, path)


def load_names_of_instances(path: str) -> Rows:
    """Read the category names of each image: id -> (names, place in the file); see :func:`read_coco`."""
    content = load_instances(path)
    categories = {item['id']: item['name'] for item in content['categories']}
    found = _names_by_image(content, categories, include_crowd=True)
    return {
        image_name(image, path): (sorted(found[image['id']]), f'{path}, image {image["id"]!r}')
        for image in content['images']
    }


def _names_by_image(
    content: Mapping[str, Any], categories: Mapping[Any, str], include_crowd: bool
) -> dict[Any, set[str]]:
    """Names of the categories of each image's annotations, by its number."""
    found: dict[Any, set[str]] = defaultdict(set)
    for item in content['annotations']:
        if include_crowd or not item.get('iscrowd', 0):
            found[item['image_id']].add(categories[item['category_id']])
    return found


def load_instances(path: str, backend_args: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read an instances JSON: images, annotations and categories, which fit each other.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: It is not such a file; two images or categories have the same number or name; a name is
            no single line of text; or an annotation is of an image or a category that the file does not have.
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
    _check_references(content, path)
    return content


def _check_references(content: Mapping[str, Any], path: str) -> None:
    """Refuse numbers and names that are there twice, and annotations of what is not there."""
    names = {
        'images': [image_name(image, path) for image in content['images']],
        'categories': [item['name'] for item in content['categories']],
    }
    for name in names['categories']:
        if not isinstance(name, str) or not name.strip() or len(name.splitlines()) > 1:
            raise ValueError(f'{path}: a category must have a name of one line, but got {name!r}')
    for key, of_key in names.items():
        _check_unique(f'{path}, {key!r}: the id', (item['id'] for item in content[key]))
        _check_unique(f'{path}, {key!r}: the name', of_key)
    for field, key in (('image_id', 'images'), ('category_id', 'categories')):
        known = {item['id'] for item in content[key]}
        wrong = [item for item in content['annotations'] if item[field] not in known]
        if wrong:
            raise ValueError(
                f'{path}: annotation {wrong[0].get("id")!r} has {field} {wrong[0][field]!r}, which is not '
                f'among the {key} ({len(wrong)} of {len(content["annotations"])} annotations)'
            )


def _check_unique(what: str, values: Iterable[Any]) -> None:
    """Refuse values that are there twice."""
    for value, count in Counter(values).most_common(1):
        if count > 1:
            raise ValueError(f'{what} {value!r} is there {count} times, expected once')


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


class ImageNumbers:
    """The number of each image of an instances file, by the image's id.

    Names are compared with their folders. Where only one of the two has folders, the file name decides, if
    one image has it.

    Args:
        images: The file's entries.
        path: The file, for messages.
    """

    def __init__(self, images: Sequence[Mapping[str, Any]], path: str) -> None:
        self.path = path
        self.full = {image_name(image, path): image['id'] for image in images}
        stems = {name: PurePosixPath(name).name for name in self.full}
        counts = Counter(stems.values())
        self.short = {stem: self.full[n] for n, stem in stems.items() if counts[stem] == 1}
        self.asked: dict[str, str] = {}

    def find(self, image_id: str) -> Any | None:
        """The number of an image; None if the file lacks it.

        Raises:
            ValueError: The file names an image without its folder, and images of two folders are asked for.
        """
        stem = PurePosixPath(image_id).name
        if image_id not in self.full and stem == image_id:
            return self.short.get(stem)
        name = image_id if image_id in self.full else stem
        if name not in self.full:
            return None
        other = self.asked.setdefault(name, image_id)
        if other != image_id:
            raise ValueError(
                f'{self.path}: its image {name!r} may be {other!r} or {image_id!r}; expected its folder in '
                'file_name'
            )
        return self.full[name]

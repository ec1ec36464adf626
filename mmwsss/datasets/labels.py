"""Image-level labels: which classes does an image show?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmwsss.utils.names import check_known

from .label_sources.class_table import ClassTable
from .label_sources.coco import image_name, read_coco
from .label_sources.files import load_json
from .label_sources.masks import read_masks
from .label_sources.npy import read_npy
from .label_sources.table import load_csv_names, load_json_names, read_csv, read_json
from .label_sources.voc_xml import read_voc_xml

__all__ = ['LABEL_SOURCES', 'read_image_ids', 'read_image_labels']

LABEL_SOURCES: dict[str, Callable[..., dict[str, list[int]]]] = {
    'voc_xml': read_voc_xml,
    'masks': read_masks,
    'coco': read_coco,
    'csv': read_csv,
    'json': read_json,
    'npy': read_npy,
}


def read_image_labels(
    labels: Mapping[str, Any],
    ids: Sequence[str],
    classes: Sequence[str],
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read the image-level labels of ``ids``.

    Args:
        labels: ``dict(source=..., path=..., **options)``; the sources and their options are those
            of the readers in :data:`LABEL_SOURCES`: ``voc_xml`` (``include_difficult``), ``masks``
            (``suffix``, ``ignore_index``, ``min_pixels``), ``coco`` (``category_map``,
            ``include_crowd``), ``csv``, ``json``, ``npy`` (``columns``).
        ids: Image ids.
        classes: Class names, ``'background'`` first.
        backend_args: File backend of mmengine; None is the local disk.

    Returns:
        Image id -> sorted list of class ids 1..K; empty for an image without any class.

    Raises:
        FileNotFoundError: A file of labels does not exist.
        ValueError: The source or an option is unknown, the file is malformed, an id is missing, or a
            class name is not one of the dataset's; the message says where.

    Example:
        >>> read_image_labels(  # doctest: +SKIP
        ...     dict(source='csv', path='labels.csv'), ['a'], ['background', 'cat', 'dog'])
        {'a': [1, 2]}
    """
    options = dict(labels)
    source = options.pop('source', None)
    check_known('labels: source', source, LABEL_SOURCES)
    reader = LABEL_SOURCES[source]
    parameters = inspect.signature(reader).parameters.values()
    valid = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != 'backend_args']
    for name in options:
        check_known(f'labels: option of source {source!r}', name, valid)
    if not options.get('path'):
        raise ValueError(f'labels: source {source!r} needs a path')
    return reader(list(ids), ClassTable(classes), backend_args=backend_args, **options)


def read_image_ids(path: str, backend_args: dict[str, Any] | None = None) -> list[str]:
    """Return the image ids that a CSV, a JSON ``{id: names}`` or an instances JSON lists.

    Args:
        path: The file; its suffix tells CSV from JSON.
        backend_args: File backend of mmengine; None is the local disk.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: The file is malformed.
    """
    if path.lower().endswith('.csv'):
        return list(load_csv_names(path, backend_args))
    content = load_json(path, backend_args)
    if isinstance(content, dict) and {'images', 'annotations', 'categories'} <= set(content):
        return [image_name(image, path) for image in content['images']]
    return list(load_json_names(path, backend_args))

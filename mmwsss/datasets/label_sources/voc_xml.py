"""Image-level labels from a folder of PASCAL VOC annotation files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from mmengine import fileio

from mmwsss.io.names import safe_join
from mmwsss.utils.names import name_some

from .class_table import ClassTable

__all__ = ['object_names', 'read_voc_xml']


def read_voc_xml(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    include_difficult: bool = True,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read the classes of the objects listed in ``path/<id>.xml``.

    Args:
        ids: Image ids.
        table: The dataset's classes.
        path: Folder of the XML files.
        include_difficult: Count objects marked ``difficult``, as the label files shared in this
            field do. False: only a class with an object that is not difficult counts.
        backend_args: File backend of mmengine; None is the local disk.

    Returns:
        Image id -> sorted class ids.

    Raises:
        FileNotFoundError: Files are missing; the message names the images.
        ValueError: A file is not such an annotation, or names a class the dataset does not have.
    """
    backend = fileio.get_file_backend(path, backend_args=backend_args)
    labels, missing = {}, []
    for image_id in ids:
        file = str(safe_join(path, image_id, '.xml'))
        try:
            content = backend.get(file)
        except FileNotFoundError:
            missing.append(image_id)
            continue
        labels[image_id] = table.ids_of(object_names(content, file, include_difficult), file)
    if missing:
        raise FileNotFoundError(
            f'{path} lacks the XML files of {len(missing)} of {len(ids)} images: '
            f'{name_some(missing)}'
        )
    return labels


def object_names(content: bytes, where: str, include_difficult: bool = True) -> list[str]:
    """Return the class names of the objects in one annotation; parts of objects do not count.

    Raises:
        ValueError: ``content`` is not well-formed, defines entities, or has a nameless object.
    """
    if b'<!DOCTYPE' in content or b'<!ENTITY' in content:
        raise ValueError(f'{where}: document type and entity definitions are refused')
    try:
        root = ET.fromstring(content)  # noqa: S314 - no entities, see above
    except ET.ParseError as error:
        raise ValueError(f'{where} is not well-formed XML: {error}') from error
    names = []
    for item in root.findall('object'):
        name = (item.findtext('name') or '').strip()
        if not name:
            raise ValueError(f'{where}: an <object> has no <name>')
        if include_difficult or (item.findtext('difficult') or '0').strip() != '1':
            names.append(name)
    return names

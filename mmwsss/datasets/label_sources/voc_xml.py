"""Image-level labels from a folder of PASCAL VOC annotation files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from mmengine import fileio

from mmwsss.io.damage import parsing
from mmwsss.io.names import safe_join

from .class_table import ClassTable
from .files import collect_labels

__all__ = ['object_names', 'parse_xml', 'read_voc_xml']


def read_voc_xml(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    include_difficult: bool = True,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read the classes of the objects listed in ``path/<id>.xml``.

    ``include_difficult`` counts objects marked ``difficult``, as the label files shared in this field do;
    without it only a class with an object that is not difficult counts. The other arguments, the result and
    the errors are those of ``read_image_labels``.
    """
    backend = fileio.get_file_backend(path, backend_args=backend_args)

    def label_of(image_id: str) -> list[int]:
        file = str(safe_join(path, image_id, '.xml'))
        return table.ids_of(object_names(backend.get(file), file, include_difficult), file)

    return collect_labels(ids, label_of, path, 'XML files')


def parse_xml(content: bytes, where: str) -> ET.Element:
    """Return the root of an XML file without document type and entities; ``ValueError`` otherwise."""
    text = content.replace(b'\x00', b'')  # of UTF-16, too
    if b'<!DOCTYPE' in text or b'<!ENTITY' in text:
        raise ValueError(f'{where}: document type and entity definitions are refused')
    with parsing(f'{where} is not well-formed XML'):
        return ET.fromstring(content)  # noqa: S314 - no entities, see above


def object_names(content: bytes, where: str, include_difficult: bool = True) -> list[str]:
    """Return the class names of the objects in one annotation; parts of objects do not count."""
    names = []
    for item in parse_xml(content, where).findall('object'):
        name = (item.findtext('name') or '').strip()
        if not name:
            raise ValueError(f'{where}: an <object> has no <name>')
        if include_difficult or (item.findtext('difficult') or '0').strip() != '1':
            names.append(name)
    return names

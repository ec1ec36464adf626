"""Image-level labels from a plain CSV or JSON of class names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from mmengine import fileio

from mmwsss.io.damage import parsing

from .class_table import ClassTable
from .files import collect_labels, load_json

__all__ = ['load_csv_names', 'load_json_names', 'read_csv', 'read_json']

_HEADER_NAMES = ('id', 'img_id', 'image_id', 'image')
SEPARATOR = ';'
Rows = dict[str, tuple[list[str], str]]  # image id -> class names, place in the file


def read_csv(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read a CSV with the columns ``id`` and ``class names`` (separated by ``;``, may be empty).

    A first line whose first cell is ``id`` (or ``image_id``, ``img_id``, ``image``) is a header. The file is
    in UTF-8. All rows are checked, also those of other images. Arguments, result and errors are those of
    ``read_image_labels``.
    """
    return _select(ids, table, load_csv_names(path, backend_args), path)


def read_json(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read a JSON object ``{id: [class name, ...]}``; as :func:`read_csv` otherwise."""
    return _select(ids, table, load_json_names(path, backend_args), path)


def load_csv_names(path: str, backend_args: dict[str, Any] | None = None) -> Rows:
    """Read the CSV of :func:`read_csv`: image id -> (class names, place in the file)."""
    content = fileio.get(path, backend_args=backend_args)
    with parsing(f'{path} is not a text file in UTF-8'):
        lines = content.decode('utf-8-sig').splitlines()
    reader = csv.reader(lines, strict=True, skipinitialspace=True)
    rows: Rows = {}
    try:
        for row in reader:
            is_header = reader.line_num == 1 and row and row[0].strip().lower() in _HEADER_NAMES
            if row and not is_header:
                where = f'{path}, line {reader.line_num}'
                _add_row(rows, row[0].strip(), _split_names(row, where), where)
    except csv.Error as error:
        raise ValueError(f'{path}, line {reader.line_num}: {error}') from error
    return rows


def load_json_names(path: str, backend_args: dict[str, Any] | None = None) -> Rows:
    """Read the JSON of :func:`read_json`: image id -> (class names, place in the file)."""
    content = load_json(path, backend_args, object_pairs_hook=tuple)
    if not isinstance(content, tuple):
        raise ValueError(
            f'{path} must be an object {{id: [class name, ...]}}, but is a {type(content).__name__}'
        )
    rows: Rows = {}
    for image_id, names in content:
        where = f'{path}, id {image_id!r}'
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f'{where}: expected a list of class names, but got {names!r}')
        _add_row(rows, image_id, names, where)
    return rows


def _split_names(row: list[str], where: str) -> list[str]:
    names = [name.strip() for name in row[-1].split(SEPARATOR)] if row[-1].strip() else []
    if len(row) != 2 or not row[0].strip() or not all(names):
        raise ValueError(
            f'{where}: expected "id,class names" with the names separated by '
            f'"{SEPARATOR}", but got {",".join(row)!r}'
        )
    return names


def _add_row(rows: Rows, image_id: str, names: list[str], where: str) -> None:
    if image_id in rows:
        raise ValueError(f'{where}: the id {image_id!r} is there already ({rows[image_id][1]})')
    rows[image_id] = (names, where)


def _select(ids: Sequence[str], table: ClassTable, rows: Rows, path: str) -> dict[str, list[int]]:
    labels = {key: table.ids_of(names, where) for key, (names, where) in rows.items()}
    return collect_labels(ids, labels.get, path)

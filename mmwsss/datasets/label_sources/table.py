"""Image-level labels from a plain CSV or JSON of class names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from mmengine import fileio

from mmwsss.io.damage import parsing
from mmwsss.io.ids import id_of_path

from .class_table import ClassTable
from .files import collect_labels, load_json

__all__ = ['OWN_HEADER', 'load_csv_names', 'load_json_names', 'read_csv', 'read_json']

OWN_HEADER = ['id', 'class names']
_HEADER_NAMES = ('id', 'img_id', 'image_id', 'image', 'image_name', 'filename', 'file_name', 'file')
_COLUMN_NAMES = ('class', 'classes', 'class names', 'names', 'label', 'labels', 'category', 'tags')
# The numbers with a point and the words as pandas writes them.
_FLAGS = {'0': False, '1': True, '0.0': False, '1.0': True, 'False': False, 'True': True}
SEPARATOR = ';'
SEPARATORS = (SEPARATOR, '|', ',')
Rows = dict[str, tuple[list[str], str]]  # image id -> class names, place in the file


def read_csv(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read a CSV with the columns ``id`` and ``class names`` (separated by ``;``, may be empty).

    A first line whose first cell is ``id`` (or ``image_id``, ``filename`` ...) is a header. A file without
    any ``;`` may separate names by ``|``, or by ``,`` inside quotes. Columns of 0 and 1 under a header of
    class names are read as well. The file is in UTF-8. All rows are checked, also those of other images.
    Arguments, result and errors are those of ``read_image_labels``.
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
    try:
        cells = [([cell.strip() for cell in row], reader.line_num) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f'{path}, line {reader.line_num}: {error}') from error
    has_header = bool(cells) and cells[0][0][0].lower() in _HEADER_NAMES
    header, body = (cells[0][0], cells[1:]) if has_header else ([], cells)
    columns = _binary_columns(header, body, path)
    found = (sign for sign in SEPARATORS if any(sign in row[-1] for row, _ in body))
    separator = next(found, SEPARATOR)
    rows: Rows = {}
    for row, line in body:
        where = f'{path}, line {line}'
        if columns:
            names = [name for name, cell in zip(columns, row[1:]) if _FLAGS[cell]]
        else:
            names = _split_names(row, separator, where)
        _add_row(rows, row[0], names, where)
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
        _add_row(rows, image_id, [name.strip() for name in names], where)
    return rows


def _binary_columns(header: list[str], body: list[tuple[list[str], int]], path: str) -> list[str]:
    """The class names of columns of 0 and 1; none where the file has no such columns.

    Columns under several names that mostly hold 0 and 1 should hold nothing else.
    """
    known = [cell in _FLAGS for row, _ in body for cell in row[1:]]
    if header == OWN_HEADER:  # classes may be called 0 and 1
        return []
    if not any(known) or not (all(known) or (len(header) > 2 and sum(known) > len(known) / 2)):
        return []
    columns = [name for name in header[1:] if name and name.lower() not in _COLUMN_NAMES]
    if not columns or any(len(row) != len(columns) + 1 or not row[0] for row, _ in body):
        raise ValueError(
            f'{path}, line 1: the labels are 0 and 1, which name no class: expected a header '
            f'"id,CLASS,..." with a class name over each column, but got {",".join(header)!r}'
        )
    for row, line in body:
        for name, cell in zip(columns, row[1:]):
            if cell not in _FLAGS:
                raise ValueError(
                    f'{path}, line {line}: expected 0 or 1 in column {name!r}, but got {cell!r}'
                )
    return columns


def _split_names(row: list[str], separator: str, where: str) -> list[str]:
    names = [name.strip() for name in row[-1].split(separator)] if row[-1] else []
    if len(row) != 2 or not row[0] or not all(names):
        raise ValueError(
            f'{where}: expected "id,class names" with the names separated by '
            f'"{SEPARATOR}", but got {",".join(row)!r}'
        )
    return names


def _add_row(rows: Rows, image: str, names: list[str], where: str) -> None:
    image_id = id_of_path(image)
    if image_id in rows:
        raise ValueError(f'{where}: the id {image_id!r} is there already ({rows[image_id][1]})')
    rows[image_id] = (names, where)


def _select(ids: Sequence[str], table: ClassTable, rows: Rows, path: str) -> dict[str, list[int]]:
    labels = {key: table.ids_of(names, where) for key, (names, where) in rows.items()}
    return collect_labels(ids, labels.get, path)

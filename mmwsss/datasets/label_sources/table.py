"""Image-level labels from a plain CSV or JSON of class names."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine import fileio

from mmwsss.utils.names import name_some

from .class_table import ClassTable
from .files import collect_labels

__all__ = ['load_csv_names', 'load_json_names', 'read_csv', 'read_json']

_HEADER_NAMES = ('id', 'img_id', 'image_id', 'image')
SEPARATOR = ';'


def read_csv(
    ids: Sequence[str],
    table: ClassTable,
    *,
    path: str,
    backend_args: dict[str, Any] | None = None,
) -> dict[str, list[int]]:
    """Read a CSV with the columns ``id`` and ``class names`` (separated by ``;``, may be empty).

    A first line whose first cell is ``id`` (or ``image_id``, ``img_id``, ``image``) is a header.

    Args:
        ids: Image ids.
        table: The dataset's classes; all rows are checked, also those of other images.
        path: The CSV, in UTF-8.
        backend_args: File backend of mmengine; None is the local disk.

    Returns:
        Image id -> sorted class ids.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: A row is malformed, an id repeats or is missing, a name is no class.
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


def load_csv_names(
    path: str, backend_args: dict[str, Any] | None = None
) -> dict[str, tuple[list[str], str]]:
    """Read the CSV of :func:`read_csv`: image id -> (class names, place in the file).

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: A row is malformed or an id repeats; the message gives the line.
    """
    text = _text(path, backend_args)
    reader = csv.reader(text.splitlines(), strict=True, skipinitialspace=True)
    rows: dict[str, tuple[list[str], str]] = {}
    try:
        for row in reader:
            _add_row(rows, row, reader.line_num, path)
    except csv.Error as error:
        raise ValueError(f'{path}, line {reader.line_num}: {error}') from error
    return rows


def load_json_names(
    path: str, backend_args: dict[str, Any] | None = None
) -> dict[str, tuple[list[str], str]]:
    """Read the JSON of :func:`read_json`: image id -> (class names, place in the file).

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: It is not such an object, or an id repeats.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated = sorted(key for key, count in counts.items() if count > 1)
            raise ValueError(f'{path}: ids repeat: {name_some(repeated)}')
        return content

    try:
        content = json.loads(_text(path, backend_args), object_pairs_hook=unique)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f'{path} is not JSON: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(
            f'{path} must be an object {{id: [class name, ...]}}, but is a {type(content).__name__}'
        )
    return {
        key: (_names(value, key, path), f'{path}, id {key!r}') for key, value in content.items()
    }


def _text(path: str, backend_args: dict[str, Any] | None) -> str:
    try:
        return fileio.get(path, backend_args=backend_args).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not a text file in UTF-8: {error}') from error


def _add_row(rows: dict[str, tuple[list[str], str]], row: list[str], line: int, path: str) -> None:
    if not row or (line == 1 and row[0].strip().lower() in _HEADER_NAMES):
        return
    where = f'{path}, line {line}'
    if len(row) != 2 or not row[0].strip():
        raise ValueError(
            f'{where}: expected "id,class names" with the names separated by '
            f'"{SEPARATOR}", but got {",".join(row)!r}'
        )
    image_id = row[0].strip()
    if image_id in rows:
        raise ValueError(f'{where}: the id {image_id!r} is there already ({rows[image_id][1]})')
    names = [name.strip() for name in row[1].split(SEPARATOR)] if row[1].strip() else []
    if not all(names):
        raise ValueError(f'{where}: an empty class name in {row[1]!r}')
    rows[image_id] = (names, where)


def _names(value: Any, key: str, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f'{path}, id {key!r}: expected a list of class names, but got {value!r}')
    return value


def _select(
    ids: Sequence[str], table: ClassTable, rows: dict[str, tuple[list[str], str]], path: str
) -> dict[str, list[int]]:
    labels = {key: table.ids_of(names, where) for key, (names, where) in rows.items()}
    return collect_labels(ids, labels.get, path)

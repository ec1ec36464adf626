"""Which images make up a split, and where their files are."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from typing import Any

from mmengine import fileio, list_from_file
from mmengine.logging import print_log

from mmwsss.io.damage import parsing
from mmwsss.io.ids import IMAGE_SUFFIXES, check_unique, check_writable_ids, ids_of_lines
from mmwsss.io.names import safe_join
from mmwsss.utils.names import name_some

from .labels import read_image_ids

__all__ = ['FileIndex', 'ids_of_folder', 'read_split', 'read_subset', 'warn_count']

_PLAIN_NAME = re.compile(r'\w[\w.-]*')


def read_split(
    path: str, backend_args: dict[str, Any] | None = None, argument: str = 'ann_file'
) -> list[str]:
    """Read the image ids of a split.

    Three kinds of file are read: a text file of ids, paths or two columns, see
    :func:`~mmwsss.io.ids.ids_of_lines`, a CSV of labels and a JSON of labels or instances, whose ids are
    taken.

    Args:
        path: The file.
        backend_args: File backend of mmengine; None is the local disk.
        argument: What messages begin with.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: The split is empty, names an image twice, or is malformed.
    """
    return list(_entries(path, argument, backend_args))


def _entries(
    path: str, argument: str, backend_args: dict[str, Any] | None = None
) -> dict[str, str]:
    """Ids of a list -> the place of each, such as ``'line 3'``; ``argument`` begins messages."""
    if not fileio.isfile(path, backend_args=backend_args):
        raise FileNotFoundError(f'{argument}: the list of images does not exist: {path}')
    where = f'{argument}: {path}'
    if not path.lower().endswith(('.csv', '.json')):
        with parsing(f'{path} is not a text file in UTF-8'):
            lines = list_from_file(path, backend_args=backend_args)
        return ids_of_lines(lines, where)
    places: dict[str, list[str]] = {}
    for i, name in enumerate(read_image_ids(path, backend_args), start=1):
        places.setdefault(name, []).append(f'entry {i}')
    check_unique(places, where)
    return {name: of_name[0] for name, of_name in places.items()}


def read_subset(
    path: str, ids: Sequence[str], argument: str = 'subset', whole: str = 'the split'
) -> list[str]:
    """Return the ids of a split that a list names, in the order of the split.

    Args:
        path: List of image ids on the local disk, of a kind that :func:`read_split` reads.
        ids: Ids of the split.
        argument: What messages begin with.
        whole: What messages call the split.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: It names no image, one twice, or one that is not in the split.
    """
    chosen, known = _entries(path, argument), set(ids)
    strange = [f'{name!r} ({place})' for name, place in chosen.items() if name not in known]
    if strange:
        raise ValueError(
            f'{argument}: {path} names {len(strange)} images that are not in {whole}: '
            f'{name_some(strange)}; expected ids among its {len(ids)}, such as {ids[0]!r}'
        )
    return [name for name in ids if name in chosen]


def ids_of_folder(
    folder: str, suffix: str | None = None, backend_args: dict[str, Any] | None = None
) -> list[str]:
    """Return the sorted ids of all images in ``folder`` and its subfolders.

    Args:
        folder: The folder.
        suffix: Ending of the image files; None: any of ``IMAGE_SUFFIXES``.
        backend_args: File backend of mmengine; None is the local disk.

    Raises:
        FileNotFoundError: ``folder`` does not exist.
        ValueError: It has no images.
    """
    _check_folder(folder, backend_args)
    suffixes = IMAGE_SUFFIXES if suffix is None else (suffix,)
    found = _suffixes_by_stem(folder, suffixes, backend_args, recursive=True)
    if not found:
        raise ValueError(f'the folder {folder} holds no images ({", ".join(suffixes)})')
    check_writable_ids(found, folder)
    return sorted(found)


def warn_count(what: str, count: int, expected: int) -> None:
    """Warn with both numbers of images if they differ."""
    if count != expected:
        text = f'{what} was expected to have {expected} images, but has {count}'
        print_log(text, logger='current', level=logging.WARNING)


class FileIndex:
    """Finds the files of image ids in a folder, listing each subfolder once.

    Args:
        folder: The folder.
        suffix: Ending of the files; None: per id, any of ``IMAGE_SUFFIXES``.
        backend_args: File backend of mmengine; None is the local disk.

    Raises:
        FileNotFoundError: ``folder`` does not exist.
    """

    def __init__(
        self, folder: str, suffix: str | None, backend_args: dict[str, Any] | None = None
    ) -> None:
        _check_folder(folder, backend_args)
        self.folder = folder
        self.suffix = suffix
        self.backend_args = backend_args
        self._found: dict[str, dict[str, list[str]]] = {}

    def path(self, image_id: str) -> str:
        """Return the path of an id's file, which need not exist; several files are an error."""
        suffixes = self._suffixes(image_id)
        if self.suffix is not None and (self.suffix in suffixes or not suffixes):
            return self._join(image_id, self.suffix)
        if len(suffixes) > 1:
            raise ValueError(
                f'{self.folder} holds several images of {image_id!r}: {name_some(suffixes)}'
            )
        return self._join(image_id, suffixes[0] if suffixes else IMAGE_SUFFIXES[0])

    def exists(self, image_id: str) -> bool:
        """Whether the folder has the id's file."""
        return bool(self._suffixes(image_id))

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Return the ids whose file the folder lacks."""
        return [image_id for image_id in ids if not self.exists(image_id)]

    def _join(self, image_id: str, suffix: str) -> str:
        if not _PLAIN_NAME.fullmatch(image_id):  # safe_join is slow for 100,000 ids
            safe_join(self.folder, image_id)
        if '://' in self.folder:
            return fileio.join_path(self.folder, image_id + suffix, backend_args=self.backend_args)
        return os.path.join(self.folder, image_id + suffix)

    def _suffixes(self, image_id: str) -> list[str]:
        """Return the suffixes of an id's files; each subfolder is listed once."""
        parent, _, name = image_id.rpartition('/')
        if parent not in self._found:
            self._join(image_id, '')  # refuses ids that leave the folder
            folder = self._join(parent, '') if parent else self.folder
            suffixes = IMAGE_SUFFIXES if self.suffix is None else (self.suffix,)
            self._found[parent] = _suffixes_by_stem(folder, suffixes, self.backend_args)
        return self._found[parent].get(name, [])


def _check_folder(folder: str, backend_args: dict[str, Any] | None) -> None:
    if not fileio.isdir(folder, backend_args=backend_args):
        raise FileNotFoundError(f'the folder does not exist: {folder}')


def _suffixes_by_stem(
    folder: str,
    suffixes: Sequence[str],
    backend_args: dict[str, Any] | None,
    recursive: bool = False,
) -> dict[str, list[str]]:
    """Return name without suffix -> its suffixes, of the files that end in one of ``suffixes``.

    Files and folders whose name begins with a point are left out.
    """
    stems: dict[str, list[str]] = {}
    if fileio.isdir(folder, backend_args=backend_args):
        names = fileio.list_dir_or_file(
            folder, list_dir=False, recursive=recursive, backend_args=backend_args
        )
        for name in sorted(name for name in names if not name.startswith('.') and '/.' not in name):
            for suffix in suffixes:
                if name.lower().endswith(suffix.lower()):
                    cut = len(name) - len(suffix)
                    stems.setdefault(name[:cut], []).append(name[cut:])
    return stems

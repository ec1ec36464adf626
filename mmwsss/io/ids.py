"""Image ids: how lists, label files and folders name images, and how ids are written.

An id is the path of an image below its folder, with slashes and without suffix, such as ``trip/IMG 1.2``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmwsss.io.atomic import write_lines
from mmwsss.io.damage import parsing
from mmwsss.io.names import require_file, require_folder, safe_join, walk_files
from mmwsss.utils.names import name_some

__all__ = [
    'IMAGE_SUFFIXES',
    'MASK_SUFFIXES',
    'check_writable_ids',
    'files_by_id',
    'find_ids',
    'find_mask',
    'id_of_path',
    'ids_of_lines',
    'line_of_id',
    'read_id_list',
    'write_ids',
]

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
MASK_SUFFIXES = ('.png', '.npy')
_IMAGE_FOLDERS = ('JPEGImages', 'images')
_ABSOLUTE = re.compile(r'(?:[A-Za-z]:)?/')
_TWO_PATHS = re.compile(
    rf'(.+?(?:{"|".join(map(re.escape, IMAGE_SUFFIXES))}))[\s,;]+(.+\.(?:png|npy))', re.IGNORECASE
)
_VOC_CLASS = re.compile(r'(\S+)\s+(?:-1|0|1)')  # ImageSets/Main/cat_train.txt


def id_of_path(path: str) -> str:
    """The id of an image from a path as anyone writes it.

    Backslashes are slashes, ``./`` and an image suffix in any case go. Of an absolute path the id is what
    lies below a folder ``JPEGImages`` or ``images``, or else the name of the file.
    """
    text = path.strip().replace('\\', '/')
    while text.startswith('./'):
        text = text[2:]
    name = text.rpartition('/')[2]
    if name.lower().endswith(IMAGE_SUFFIXES) and name.lower() not in IMAGE_SUFFIXES:
        text = text[: text.rindex('.')]
    if not _ABSOLUTE.match(text):
        return text
    parts = text.split('/')
    folders = [i for i, part in enumerate(parts[:-1]) if part in _IMAGE_FOLDERS]
    return '/'.join(parts[folders[-1] + 1 :]) if folders else parts[-1]


def ids_of_lines(lines: Iterable[str], where: str) -> dict[str, str]:
    """Ids of the lines of a list -> the place of each, such as ``'line 3'``.

    A line is an id or a path (:func:`id_of_path`), or an image and its mask in two columns. A list whose
    lines are all ``x 1``, ``x 0`` or ``x -1`` is one of VOC's lists of a class: all its images are taken.

    Raises:
        ValueError: There is no id, or one is there twice; begins with ``where``.
    """
    texts = {i: line.lstrip('\ufeff').strip() for i, line in enumerate(lines, start=1)}
    texts = {i: text for i, text in texts.items() if text}
    of_class = [_VOC_CLASS.fullmatch(text) for text in texts.values()]
    places: dict[str, list[str]] = {}
    for (number, text), match in zip(texts.items(), of_class):
        name = match[1] if match and all(of_class) else _first_path(text)
        places.setdefault(id_of_path(name), []).append(f'line {number}')
    check_unique(places, where)
    return {name: of_name[0] for name, of_name in places.items()}


def check_unique(places: dict[str, list[str]], where: str) -> None:
    """Refuse a list without ids, and ids with several places."""
    repeated = [name for name, of_name in places.items() if len(of_name) > 1]
    if repeated:
        raise ValueError(
            f'{where} names {len(repeated)} images more than once, expected each once: '
            f'{name_some(repeated)} (the first: {", ".join(places[repeated[0]][:3])})'
        )
    if not places:
        raise ValueError(f'{where} names no image, expected at least one')


def read_id_list(path: str | os.PathLike[str]) -> list[str]:
    """Read the ids of a text file on the local disk; see :func:`ids_of_lines`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is no text in UTF-8, names no image, or one twice.
    """
    with parsing(f'{path} is not a text file in UTF-8'):
        text = require_file('list of image ids', path).read_text('utf-8')
    return list(ids_of_lines(text.split('\n'), str(path)))


def line_of_id(image_id: str) -> str:
    """What a list or label file says for an id, so that reading gives it back.

    That is the id itself; one that looks like something else (``a.jpg`` of a file ``a.jpg.png``, ``x 1``)
    gets a suffix.
    """
    plain = id_of_path(image_id) == image_id and not _VOC_CLASS.fullmatch(image_id)
    return image_id if plain else f'{image_id}.png'


def check_writable_ids(ids: Iterable[str], what: str) -> None:
    """Refuse ids that no list gives back: with backslash, line break, outer blanks, or two files in one."""
    wrong = [name for name in ids if not _is_writable(name)]
    if wrong:
        raise ValueError(
            f'{what}: {len(wrong)} names cannot stand in a list, for a backslash, a line break, a blank at '
            f'the end or two file names in one; rename the files: {name_some([*map(repr, wrong)], 3)}'
        )


def write_ids(path: str | os.PathLike[str], ids: Iterable[str]) -> None:
    """Write a list of ids that :func:`read_id_list` reads, whole or not at all.

    Raises:
        ValueError: An id cannot stand in a list; see :func:`check_writable_ids`.
    """
    ids = list(ids)
    check_writable_ids(ids, str(path))
    write_lines(path, map(line_of_id, ids))


def find_ids(folder: str | os.PathLike[str], suffixes: Sequence[str]) -> list[str]:
    """List the image ids of a folder and its subfolders, linked ones too, sorted; hidden files are left out.

    Suffixes count in small letters and in capitals.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: It holds no such file.
    """
    folder = require_folder('folder of masks', folder)
    found = files_by_id(folder, suffixes)
    if not found:
        raise ValueError(f'{folder} holds no {" or ".join(suffixes)} file')
    return sorted(found)


def files_by_id(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files of a folder as :func:`find_ids` lists them: by path below it, without suffix."""
    found = {}
    for path in sorted(walk_files(folder)):  # small letters last, which win
        below = path.relative_to(folder)
        is_hidden = any(part.startswith('.') for part in below.parts)
        if not is_hidden and path.suffix in (*suffixes, *map(str.upper, suffixes)):
            found[below.as_posix()[: -len(path.suffix)]] = path
    return found


def find_mask(folder: str | os.PathLike[str], name: str) -> Path:
    """Return the path of an image's mask: ``.png`` before ``.npy``, in small letters before capitals.

    Raises:
        FileNotFoundError: There is neither.
        ValueError: ``name`` leaves the folder.
    """
    suffixes = (*MASK_SUFFIXES, *(suffix.upper() for suffix in MASK_SUFFIXES))
    paths = [safe_join(folder, name, suffix) for suffix in suffixes]
    for path in paths:
        if path.is_file():
            return path
    raise FileNotFoundError(f'mask not found: {paths[0]} (or {MASK_SUFFIXES[1]})')


def _first_path(text: str) -> str:
    """The image of a line; of an image and its mask below folders of their own, what both paths end with."""
    match = _TWO_PATHS.fullmatch(text)
    if match is None:
        return text
    image, mask = (id_of_path(part).lstrip('/').split('/') for part in match.groups())
    common = 0
    while common < min(len(image), len(mask)) and image[-1 - common] == mask[-1 - common]:
        common += 1
    return '/'.join(image[-max(common, 1) :])


def _is_writable(image_id: str) -> bool:
    line = line_of_id(image_id)
    one_line = not re.search(r'[\r\n\x00]', image_id)
    return one_line and id_of_path(_first_path(line.strip())) == image_id

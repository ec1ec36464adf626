"""The class list of a dataset: from a list, a text file or METAINFO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine import fileio, list_from_file

from mmwsss.io.mask_io import voc_palette
from mmwsss.utils.names import BACKGROUND, check_known, name_some, names_by_number

from .label_sources.class_table import ClassTable

__all__ = ['UNUSED_NAME', 'resolve_metainfo', 'without_255']

# Id 255 means "ignore" in masks and in mmseg's losses and metrics, so longer lists leave it out.
UNUSED_ID = 255
UNUSED_NAME = '(255: ignored)'


def resolve_metainfo(
    own: Mapping[str, Any],
    classes: Sequence[str] | str | None,
    metainfo: Mapping[str, Any] | None,
    data_root: str | None = None,
    backend_args: dict[str, Any] | None = None,
    background: bool = True,
) -> dict[str, Any]:
    """Return ``metainfo`` with a checked class list, background first, and a palette.

    A list of more than 255 classes gets an entry that no image can have at 255, the id that means
    "ignore".

    Args:
        own: METAINFO of the dataset class.
        classes: Class names, or the path of a text file with one name a line (relative paths lie
            in ``data_root``); a missing ``'background'`` is put first. None: those of
            ``metainfo``, else of ``own``.
        metainfo: The dataset's ``metainfo`` argument.
        data_root: Folder that relative paths start from.
        backend_args: File backend of mmengine.
        background: False: every pixel has one of the classes, and the list is of them alone.

    Raises:
        FileNotFoundError: The text file does not exist.
        ValueError: There are no classes, they repeat, background is not first, or a name is not among the
            classes of ``own``. Or there is to be no background, and it is among them, or they are not 2
            to 254.
    """
    info = dict(metainfo or {})
    if classes is None:
        classes = info.get('classes', own.get('classes'))
    if classes is None:
        raise ValueError('classes must be given: names, or the path of a text file with one a line')
    if isinstance(classes, str):
        classes = _read_classes(classes, data_root, backend_args)
    names = tuple(str(name) for name in classes)
    if background:
        names = tuple(without_255(names if BACKGROUND in names else (BACKGROUND, *names)))
    elif BACKGROUND in names or not 2 <= len(names) < UNUSED_ID:
        raise ValueError(
            f'background=False: expected 2 to {UNUSED_ID - 1} classes, none of them {BACKGROUND!r}, but got '
            f'{len(names)}: {name_some(names)}'
        )
    # Refuses what is no list of classes.
    ClassTable(names if background else names_by_number(names))
    for name in names if 'classes' in own else ():
        check_known('classes: class', name, own['classes'])
    info['classes'] = names
    if 'palette' not in info and 'palette' not in own:
        info['palette'] = voc_palette(len(names) + 1)[0 if background else 1 :][: len(names)]
    return info


def _read_classes(
    path: str, data_root: str | None, backend_args: dict[str, Any] | None
) -> list[str]:
    if data_root and not path.startswith(('/', 'http://', 'https://', 's3://')):
        path = fileio.join_path(data_root, path, backend_args=backend_args)
    if not fileio.exists(path, backend_args=backend_args):
        raise FileNotFoundError(
            f'classes: the list of class names does not exist: {path}; `mmwsss data generic` makes one, '
            '`mmwsss data demo` that of the demo; if it is elsewhere: --cfg-options data_root=FOLDER'
        )
    lines = list_from_file(path, encoding='utf-8-sig', backend_args=backend_args)
    return [line.strip() for line in lines if line.strip()]


def without_255(names: Sequence[str]) -> Sequence[str]:
    """Put a name that no image has at 255 in a longer list of names."""
    if len(names) <= UNUSED_ID or names[UNUSED_ID] == UNUSED_NAME:
        return names
    return (*names[:UNUSED_ID], UNUSED_NAME, *names[UNUSED_ID:])

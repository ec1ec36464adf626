"""Masks that show classes as colours, and the label map that says which."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from mmwsss.io import IGNORE_INDEX, compact_labels
from mmwsss.io.damage import parsing
from mmwsss.io.names import require_file
from mmwsss.utils.names import BACKGROUND, name_some

__all__ = ['LabelMap', 'load_colour_mask', 'read_label_map']

LabelMap = dict[str, tuple[int, int, int]]  # name -> R, G, B
_LINE = re.compile(r'(.+?):(\d+)\s*,\s*(\d+)\s*,\s*(\d+)(?::.*)?')
_IGNORED = {'void': (224, 224, 192)}  # VOC's cream
_MEANINGS = {'background': 0, 'void': IGNORE_INDEX, 'ignore': IGNORE_INDEX}


def read_label_map(path: str | os.PathLike[str]) -> LabelMap:
    """Read a label map as CVAT writes it beside masks: lines ``name:r,g,b::``, comments with ``#``.

    Returns:
        Colour by name, with ``background`` and ``void`` where the file has them; VOC's cream is ``void``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is none, or a name or colour is there twice; says which.
    """
    with parsing(f'{path} is not a text file in UTF-8'):
        lines = require_file('label map', path).read_text('utf-8-sig').splitlines()
    found: LabelMap = {}
    names: dict[tuple[int, int, int], str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith('#'):
            continue
        match = _LINE.fullmatch(line.strip())
        colour = (int(match[2]), int(match[3]), int(match[4])) if match else (0, 0, 0)
        if match is None or max(colour) > 255:
            raise ValueError(
                f'{path}, line {number}: expected "name:r,g,b::" with numbers in 0..255, but got {line!r}'
            )
        name = match[1].strip()
        if name in found or colour in names:
            raise ValueError(
                f'{path}, line {number}: name and colour must be new, but {line!r} is like '
                f'{name if name in found else names[colour]!r}'
            )
        found[name], names[colour] = colour, name
    if not set(found) - set(_MEANINGS):
        raise ValueError(f'{path} names no class: expected lines "name:r,g,b::"')
    return found


def load_colour_mask(
    path: str | os.PathLike[str], colours: LabelMap, ids: Mapping[str, int]
) -> np.ndarray:
    """Read a mask by its colours, be they stored as RGB or in a palette.

    Args:
        path: The file, PNG.
        colours: The label map.
        ids: Class id by name. ``background`` is 0 unless a class is, ``void``, ``ignore`` and VOC's cream are
            255.

    Returns:
        uint8 (H, W), or uint16 for ids above 255.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or has a colour that is no class's; names file and colour.
    """
    whole = parsing(f'{path} is not a whole PNG')
    with whole, Image.open(require_file('mask', path), formats=['PNG']) as image:
        pixels = np.asarray(image.convert('RGB')).astype(np.int64)
    named = {**_IGNORED, **colours} if _IGNORED['void'] not in colours.values() else colours
    known = {**_MEANINGS, **ids}
    background = BACKGROUND in ids or 0 not in ids.values()
    if not background:
        del known[BACKGROUND]
    codes = {_code(colour): known[name] for name, colour in named.items() if name in known}
    if background and BACKGROUND not in named:
        codes.setdefault(0, 0)
    order, code = np.array(sorted(codes)), _code(pixels.transpose(2, 0, 1))
    place = np.searchsorted(order, code).clip(max=len(order) - 1)
    strange = order[place] != code
    if strange.any():
        raise ValueError(f'{path}: {_strange_colours(code[strange], named, strange.mean())}')
    return compact_labels(np.array([codes[key] for key in order.tolist()])[place])


def _code(colour: Any) -> Any:
    red, green, blue = colour
    return (red << 16) + (green << 8) + blue


def _strange_colours(codes: np.ndarray, named: LabelMap, share: float) -> str:
    """Say which colours are no class's, the commonest first."""
    names = {_code(colour): name for name, colour in named.items()}
    values, counts = np.unique(codes, return_counts=True)
    some = []
    for value in values[np.argsort(-counts, kind='stable')].tolist():
        colour = f'{value >> 16},{value >> 8 & 255},{value & 255}'
        some.append(f'{colour} ({names[value]!r}, no class)' if value in names else colour)
    return (
        f'{share:.1%} of the pixels have {len(values)} colours that are no class of the label map: '
        f'{name_some(some, 3)} (soft edges come from resizing or JPEG; store the mask as the tool drew it)'
    )

"""A folder of images with labels or masks -> lists, labels, classes and statistics."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mmwsss.functional.checks import check_range
from mmwsss.io import (
    BatchReport,
    check_mask,
    find_mask,
    line_of_id,
    load_mask,
    process_items,
    read_id_list,
    read_lines,
    safe_join,
    save_mask,
    voc_palette,
    write_ids,
    write_lines,
    write_text,
)
from mmwsss.io.ids import MASK_SUFFIXES, files_by_id
from mmwsss.utils.names import name_some, near_miss

from ..classes import without_255
from ..images import upright_rgb
from ..label_map import LabelMap, load_colour_mask, read_label_map
from ..label_sources.annotations import load_names, names_of_folders, names_of_pattern, stray_labels
from ..label_sources.class_table import ClassTable
from ..label_sources.masks import present_classes
from ..label_sources.table import OWN_HEADER, SEPARATOR, SEPARATORS, Rows
from ..mask_labels import mask_label_doubts, other_numbering
from ..splits import FileIndex, ids_of_folder
from ..subsets import draw_held_out
from .coco_masks import OutlineFile

__all__ = ['convert_folder', 'doubtful_classes']

RARE = 2  # images
UNREAD_SUFFIXES = (
    '.heic', '.heif', '.avif', '.gif', '.jfif', '.jpe', '.jp2', '.jxl', '.psd', '.svg', '.dng', '.cr2',
    '.cr3', '.nef', '.arw', '.orf', '.raf', '.rw2',
)  # fmt: skip
SIMILAR = 0.66  # of difflib, capitals aside: 'cta' is 'cat'; a wrong guess costs a line


class Item(NamedTuple):
    """An image that is in order: its (height, width), class ids of its label and of its mask, if any."""

    size: tuple[int, int]
    label: list[int]
    mask: list[int] | None


def convert_folder(
    images: str | os.PathLike[str],
    out: str | os.PathLike[str] | None,
    labels: str | None = None,
    masks: str | None = None,
    classes: Sequence[str] | None = None,
    val_fraction: float = 0.0,
    true_masks: str | None = None,
    seed: int = 0,
    workers: int = 0,
    label_map: str | None = None,
    labels_by_folder: bool = False,
    label_pattern: str | None = None,
    background: bool = True,
    earlier: str | os.PathLike[str] | None = None,
) -> tuple[BatchReport, dict[str, Any]]:
    """Check a folder of images and describe it as :class:`WSSSDataset` reads it.

    Every image is decoded, and every mask, so that damaged files show now and by name. Writes
    ``labels.csv``, ``classes.txt``, ``train.txt``, ``val.txt`` (if ``val_fraction`` > 0) and
    ``statistics.json`` of the images that are in order. Images that fail are left out and named;
    images without any label are negatives: they are in the lists, and train.

    Args:
        images: Folder of images, also in subfolders.
        out: Folder for the files. None: everything is checked and nothing written.
        labels: File or folder of class names per image; see
            :func:`~mmwsss.datasets.label_sources.annotations.load_names`.
        masks: Folder of masks ``<id>.png``, instead of ``labels``, or COCO's JSON of outlines.
        classes: Foreground class names in the order of their ids. None: the names in ``labels``, else in
            ``label_map``, sorted; masks without a label map need them.
        val_fraction: Share of images drawn for ``val.txt``, in [0, 1), with an image of every class
            where that leaves one to train.
        true_masks: The same of some images, to score with. If it exists, these masks are checked, also
            against ``labels``, and ``val.txt`` is drawn among their images; if not, there is no ``val.txt``,
            and ``val_fraction`` is of no account.
        seed: Of that draw.
        workers: Number of processes; 0 works in this one.
        label_map: File of colours, if the masks show classes as colours; see
            :func:`~mmwsss.datasets.label_map.read_label_map`. Of these and of outlines, class ids are written
            to ``out/masks``.
        labels_by_folder: The folder that an image lies in is its class; instead of ``labels``.
        label_pattern: Regular expression that finds the classes in the ids; instead of ``labels``. See
            :func:`~mmwsss.datasets.label_sources.annotations.names_of_pattern`.
        background: Whether id 0 of masks is background; else it is the first class.
        earlier: A ``classes.txt`` that is there already; if its names are those that would be sorted, their
            order is kept.

    Returns:
        What became of every image, and the content of ``statistics.json``.

    Raises:
        FileNotFoundError: A folder or file does not exist.
        FileExistsError: ``out`` is a file.
        ValueError: Classes are missing, a label file is malformed, all images have the same label, the true
            masks number the classes otherwise or are of no image, no image is left, or ``out/val.txt`` of an
            earlier run holds out images that would train.
    """
    check_range('val_fraction', val_fraction, '[0, 1)')
    if masks is not None and true_masks is not None:
        raise ValueError('give masks, which are true masks, too, or true_masks, but not both')
    check_range('seed', seed, '[0, inf)')
    if out is not None and Path(out).is_file():
        raise FileExistsError(f'out is a file, where a folder is expected: {out}')
    images = os.fspath(images)
    ids, names, label_folder = ids_of_folder(images), None, labels
    if labels_by_folder:
        labels, names = 'folders', names_of_folders(ids)
    elif label_pattern is not None:
        labels, names = label_pattern, names_of_pattern(ids, label_pattern)
    elif labels is not None:
        names = _matched(load_names(labels, ids), ids, Path(images))
        _check_first(names, ids)
        ids = sorted({*ids, *names})  # what lacks its partner is named
    colours = None if label_map is None else read_label_map(label_map)
    table = _class_table(classes, names, colours)
    if classes is None and earlier is not None and Path(earlier).is_file():
        ordered = read_lines(earlier)
        if sorted(ordered) == sorted(table.names):
            table = ClassTable(without_255(('background', *ordered)))
    found: dict[str, Item] = {}
    report = process_items(
        ids,
        partial(
            _inspect,
            index=FileIndex(images, None),
            names=names,
            table=table,
            masks=_Masks(masks or true_masks, masks is None, ids, table, colours, out, background),
        ),
        description='images',
        workers=workers,
        on_result=found.__setitem__,
    )
    if not found:
        raise ValueError(f'no image of {images} is in order:\n{report.summary()}')
    if labels is not None:
        _check_constant(labels, found, table)
    by_id = table.classes if background else table.names
    # Masks that failed come first: where their ids are outside the list, no order mends them.
    judged = labels is not None and not colours and not report.failed
    wrong = other_numbering(_pairs(found), by_id) if judged else ''
    if wrong:
        raise ValueError(f'true masks in {true_masks}: {wrong}')
    scored = [name for name, item in found.items() if item.mask is not None or true_masks is None]
    if not (scored or report.failed) and Path(str(true_masks)).exists():
        raise ValueError(
            f'no mask in {true_masks} is named as an image of {images} is, such as {next(iter(found))}.png'
        )
    val = draw_held_out(
        {name: item.label for name, item in found.items()},
        scored,
        round(len(found) * val_fraction),
        seed,
    )
    splits = {'train': [name for name in found if name not in val]}
    if val:
        splits['val'] = [name for name in found if name in val]
    elif out is not None:
        _check_old_val(Path(out, 'val.txt'), splits['train'])
    statistics = _statistics(found, splits, table, report, background)
    statistics['file_doubts'] = _file_doubts(images, label_folder, masks or true_masks, ids)
    if out is not None:
        _write(Path(out), found, splits, table, statistics)
    return report, statistics


def _class_table(
    classes: Sequence[str] | None, names: Rows | None, colours: LabelMap | None
) -> ClassTable:
    """The classes as given, else those of the labels or of the label map, sorted."""
    if classes is None and names is None and colours is None:
        raise ValueError('masks hold numbers only: classes must be given')
    if classes is None and names is None:
        classes = sorted(set(colours or ()) - {'void', 'ignore'})
    elif classes is None:
        classes = sorted({name for row, _ in (names or {}).values() for name in row})
        if not classes:
            raise ValueError(
                'the labels name no class of any image (predictions count once they are accepted)'
            )
    foreground = (name for name in classes if name != 'background')
    table = ClassTable(without_255(('background', *foreground)))
    for name in table.names:
        if name != name.strip() or len(name.splitlines()) != 1:
            raise ValueError(
                f'class {name!r}: a class name must be a line of classes.txt, without blanks around it'
            )
        if any(sign in name for sign in SEPARATORS):
            raise ValueError(
                f'class {name!r}: a class name must not hold one of {" ".join(SEPARATORS)}, which '
                'separate names in labels.csv'
            )
    for row, where in (names or {}).values():
        table.ids_of(row, where)  # refuses unknown names
    return table


def _check_old_val(path: Path, train: Sequence[str]) -> None:
    """Refuse to let images train that a list of an earlier run holds out."""
    both = {*train}.intersection(read_id_list(path) if path.is_file() else ())
    if both:
        raise ValueError(
            f'{path}, which is not drawn now, is there from before and holds out {len(both)} of the images '
            'that would train: remove it, or draw it again (--val-fraction)'
        )


def _check_constant(labels: str, found: Mapping[str, Item], table: ClassTable) -> None:
    """Refuse labels that are the same for all images: nothing could be learnt from them."""
    different = {tuple(item.label) for item in found.values()}
    if len(found) > 1 and len(different) == 1:
        named = name_some([table.classes[i] for i in different.pop()]) or 'no class'
        raise ValueError(
            f'{labels}: all {len(found)} images have the same label ({named}), which teaches nothing: add '
            'images without the class, with nothing after the comma, or label a class that only some show'
        )


def _pairs(found: Mapping[str, Item]) -> dict[str, tuple[list[int], list[int]]]:
    return {n: (item.label, item.mask) for n, item in found.items() if item.mask is not None}


def _matched(names: Rows, ids: Sequence[str], images: Path) -> Rows:
    """Give labels the ids of their images where they are written in another way.

    One may begin with folders that ``images`` lies in, or differ in how its letters are composed: some
    systems write an accent as a character of its own.

    Raises:
        ValueError: Two labels are of one image.
    """
    composed = partial(unicodedata.normalize, 'NFC')
    known = {**{composed(name): name for name in ids}, **dict(zip(ids, ids))}
    parts = images.resolve().parts
    folders = ['', *('/'.join(parts[-count:]) + '/' for count in range(1, len(parts)))]
    matched: Rows = {}
    for name, row in names.items():
        texts = (
            text.removeprefix(folder)
            for text in (name, composed(name))
            for folder in folders
            if text.startswith(folder)
        )
        found = next((known[text] for text in texts if text in known), name)
        if found in matched:
            raise ValueError(
                f'{row[1]}: the image {found!r} is there already ({matched[found][1]})'
            )
        matched[found] = row
    return matched


def _check_first(names: Rows, ids: Sequence[str]) -> None:
    """Refuse a first line that is of no image when others are: a header that is not known as one."""
    first = next(iter(names), '')
    where = names[first][1] if first else ''
    if where.endswith(', line 1') and first not in ids and not set(names).isdisjoint(ids):
        raise ValueError(
            f'{where}: {first!r} is no image: a header must begin with "id", and an id is the name of an '
            'image without its suffix'
        )


class _Masks:
    """Masks of images, as class ids, colours or outlines; the latter two are written to ``out/masks``."""

    def __init__(
        self,
        path: str | None,
        some_only: bool,
        ids: Sequence[str],
        table: ClassTable,
        colours: LabelMap | None,
        out: str | os.PathLike[str] | None,
        background: bool,
    ) -> None:
        self.classes = table.classes if background else table.names  # in the order of ids
        self.background = background
        self.path, self.some_only, self.colours = path, some_only, colours
        outlines = path if path is not None and path.lower().endswith('.json') else None
        if colours is not None and (path is None or outlines):
            raise ValueError('a label map is of masks, but no folder of masks is given')
        if outlines and not background:
            raise ValueError(f'{path}: what no outline covers is background, but there is none')
        self.outlines = OutlineFile(outlines, table, ids) if outlines else None
        written = outlines or colours is not None
        self.target = Path(out, 'masks') if out is not None and written else None
        if self.target is not None and path and Path(path).resolve() == self.target.resolve():
            raise ValueError(
                f'{path}: masks of class ids are written there; move those of colours elsewhere'
            )

    def read(self, name: str, size: tuple[int, int]) -> np.ndarray | None:
        """The mask of an image; None where not every image has one."""
        try:
            mask = None if self.path is None else self._read(self.path, name, size)
        except FileNotFoundError:
            if self.some_only:
                return None
            raise
        if mask is not None and self.target is not None:
            palette = voc_palette(max(256, len(self.classes)))
            save_mask(safe_join(self.target, name, '.png'), mask, palette)
        return mask

    def _read(self, path: str, name: str, size: tuple[int, int]) -> np.ndarray:
        if self.outlines is not None:
            mask = self.outlines.mask(name, size)
            if mask is None:
                raise FileNotFoundError(f'{path} has no such image')
            return mask
        file = find_mask(path, name)
        if self.colours is None:
            return load_mask(file, len(self.classes), image_size=size)
        ids = {class_name: i for i, class_name in enumerate(self.classes)}
        mask = load_colour_mask(file, self.colours, ids)
        return check_mask(mask, file, len(self.classes), image_size=size)


def _inspect(
    name: str, index: FileIndex, names: Rows | None, table: ClassTable, masks: _Masks
) -> Item:
    if not index.exists(name):
        raise FileNotFoundError(f'there is a label, but no image in {index.folder}')
    with Image.open(index.path(name)) as image:
        size = upright_rgb(image).shape[:2]
    mask = masks.read(name, size)
    present = None if mask is None else present_classes(mask, background=masks.background)
    if names is None:
        return Item(size, present or [], present)
    if name not in names:
        raise ValueError('there is an image, but no label')
    return Item(size, table.ids_of(*names[name]), present)


def _statistics(
    found: Mapping[str, Item],
    splits: Mapping[str, Sequence[str]],
    table: ClassTable,
    report: BatchReport,
    background: bool,
) -> dict[str, Any]:
    def counts(ids: Sequence[str]) -> dict[str, int]:
        counter = Counter(i for image_id in ids for i in found[image_id].label)
        return {name: counter[table.id_of(name, '')] for name in table.names}

    sizes = np.array([item.size for item in found.values()])
    labelled = [item.label for item in found.values() if item.label]
    pairs = _pairs(found)
    return {
        'images': len(found),
        'failed': len(report.failed),
        'classes': {str(table.id_of(name, '') - (not background)): name for name in table.names},
        'unlabeled': [name for name, item in found.items() if not item.label],
        'masks': len(pairs),
        'mask_doubts': mask_label_doubts(pairs, table.classes),
        'classes_per_labelled_image': round(sum(map(len, labelled)) / max(len(labelled), 1), 3),
        'height': {'min': int(sizes[:, 0].min()), 'max': int(sizes[:, 0].max())},
        'width': {'min': int(sizes[:, 1].min()), 'max': int(sizes[:, 1].max())},
        'splits': {
            split: {'images': len(ids), 'images_with_class': counts(ids)}
            for split, ids in splits.items()
        },
    }


def doubtful_classes(statistics: Mapping[str, Any]) -> list[str]:
    """What about the classes may be a mistake in the labels, a sentence each.

    Args:
        statistics: From :func:`convert_folder`.

    Returns:
        Names that differ by capitals only or, with hardly any image, are nearly another name, classes with
        a single training image, classes that all or no training images have, how many images have no
        label, what true masks have that labels have not, or the other way round, and files that were not
        read.
    """
    counts: Counter[str] = Counter()
    for split in statistics['splits'].values():
        counts.update(split['images_with_class'])
    doubts = []
    for name, count in counts.items():
        commoner = [other for other in counts if counts[other] > count]
        twins = [o for o in counts if o.lower() == name.lower() and (counts[o], o) > (count, name)]
        if alike := twins[0] if twins else count <= RARE and near_miss(name, commoner, SIMILAR):
            doubts.append(
                f'class {name!r} ({counts[name]} images) is nearly {alike!r} ({counts[alike]} '
                'images): a misspelling in the labels?'
            )
    single = [
        n for n, count in statistics['splits']['train']['images_with_class'].items() if count == 1
    ]
    if single:
        doubts.append(f'{len(single)} classes have a single training image: {name_some(single)}')
    train, count = statistics['splits']['train'], statistics['splits']['train'].get('images')
    if all_have := [n for n, c in train['images_with_class'].items() if c == count and count > 1]:
        doubts.append(
            f'all {count} training images have the class {name_some(all_have)}: nothing tells what it looks '
            'like'
        )
    if unseen := [n for n, c in train['images_with_class'].items() if not c]:
        doubts.append(f'{len(unseen)} classes have no training image: {name_some(unseen)}')
    if unlabeled := statistics.get('unlabeled'):
        doubts.append(
            f'{len(unlabeled)} images have no label and train as negatives: {name_some(unlabeled, 3)} '
            "(unlabeled='drop' of the datasets leaves them out)"
        )
    return doubts + statistics.get('mask_doubts', []) + statistics.get('file_doubts', [])


def _file_doubts(
    images: str, labels: str | None, masks: str | None, ids: Sequence[str]
) -> list[str]:
    """What was not read: images of other kinds, and labels and masks that are of no image."""
    doubts = []
    unread = files_by_id(Path(images), UNREAD_SUFFIXES)
    if other := sorted({*unread} - {*ids}):  # a camera writes some beside its JPEG
        files = name_some([unread[name].name for name in other], 3)
        doubts.append(f'{len(other)} images are of a kind that is not read: {files}; convert them')
    strays = {}
    if labels is not None and Path(labels).is_dir():
        strays[f'labels in {labels}'] = stray_labels(Path(labels), ids)
    if masks is not None and Path(masks).is_dir():
        strays[f'masks in {masks}'] = sorted({*files_by_id(Path(masks), MASK_SUFFIXES)} - {*ids})
    return doubts + [
        f'{len(names)} {what} are of no image: {name_some(names, 3)}'
        for what, names in strays.items()
        if names
    ]


def _write(
    out: Path,
    found: Mapping[str, Item],
    splits: Mapping[str, Sequence[str]],
    table: ClassTable,
    statistics: Mapping[str, Any],
) -> None:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator='\n')
    writer.writerow(OWN_HEADER)
    for name, item in found.items():
        writer.writerow([line_of_id(name), SEPARATOR.join(table.classes[i] for i in item.label)])
    write_text(out / 'labels.csv', rows.getvalue())
    write_lines(out / 'classes.txt', list(table.names))
    for split, ids in splits.items():
        write_ids(out / f'{split}.txt', ids)
    text = json.dumps(statistics, indent=2, ensure_ascii=False)
    write_text(out / 'statistics.json', f'{text}\n')

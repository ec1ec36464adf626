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
from typing import Any

import numpy as np
from PIL import Image

from mmwsss.functional.checks import check_range
from mmwsss.io import BatchReport, load_mask, process_items, safe_join, write_lines, write_text
from mmwsss.utils.names import name_some, near_miss

from ..classes import without_255
from ..images import upright_rgb
from ..label_sources import ClassTable
from ..label_sources.masks import present_classes
from ..label_sources.table import SEPARATOR, SEPARATORS, Rows, load_csv_names, load_json_names
from ..splits import IMAGE_SUFFIXES, FileIndex, ids_of_folder

__all__ = ['convert_folder', 'doubtful_classes']

RARE = 2  # images

Item = tuple[tuple[int, int], list[str]]  # (height, width), class names


def convert_folder(
    images: str,
    out: str | os.PathLike[str] | None,
    labels: str | None = None,
    masks: str | None = None,
    classes: Sequence[str] | None = None,
    val_fraction: float = 0.0,
    true_masks: str | None = None,
    seed: int = 0,
    workers: int = 0,
    progress: bool = True,
) -> tuple[BatchReport, dict[str, Any]]:
    """Check a folder of images and describe it as :class:`WSSSDataset` reads it.

    Every image is decoded, and every mask, so that damaged files show now and by name. Writes
    ``labels.csv``, ``classes.txt``, ``train.txt``, ``val.txt`` (if ``val_fraction`` > 0) and
    ``statistics.json`` of the images that are in order. Images that fail are left out and named;
    images without any label are in ``labels.csv`` and in ``statistics.json``, not in the lists.

    Args:
        images: Folder of images (.jpg, .jpeg, .png), also in subfolders.
        out: Folder for the files. None: everything is checked and nothing written.
        labels: CSV or JSON of class names per image; see
            :mod:`mmwsss.datasets.label_sources.table`.
        masks: Folder of masks ``<id>.png``, instead of ``labels``.
        classes: Foreground class names in the order of their ids. None: the names in ``labels``,
            sorted; masks need them.
        val_fraction: Share of images drawn for ``val.txt``, in [0, 1).
        true_masks: Folder of masks ``<id>.png`` of some images, to score with. If it exists, these
            masks are checked and ``val.txt`` is drawn among their images; if not, there is no
            ``val.txt``, and ``val_fraction`` is of no account.
        seed: Of that draw.
        workers: Number of processes; 0 works in this one.
        progress: Show progress.

    Returns:
        What became of every image, and the content of ``statistics.json``.

    Raises:
        FileNotFoundError: A folder or file does not exist.
        ValueError: Classes are missing, a label file is malformed, or no image is left.
    """
    check_range('val_fraction', val_fraction, '[0, 1)')
    ids, names = ids_of_folder(images), None
    if labels is not None:
        load = load_json_names if labels.lower().endswith('.json') else load_csv_names
        names = _matched(load(labels), ids)
        _check_first(names, ids)
        ids = sorted({*ids, *names})  # what lacks its partner is named
    if classes is None and names is None:
        raise ValueError('masks hold numbers only: classes must be given')
    if classes is None:
        classes = sorted({name for row, _ in names.values() for name in row})
    foreground = (name for name in classes if name != 'background')
    table = ClassTable(without_255(('background', *foreground)))
    for name in table.names:
        if any(sign in name for sign in SEPARATORS):
            raise ValueError(
                f'class {name!r}: a class name must not hold one of {" ".join(SEPARATORS)}, which '
                'separate names in labels.csv'
            )
    for row, where in (names or {}).values():
        table.ids_of(row, where)  # refuses unknown names
    scored = set(ids)
    if true_masks is not None:
        exists = os.path.isdir(true_masks)
        scored -= set(FileIndex(true_masks, '.png').missing(ids) if exists else ids)
    found: dict[str, Item] = {}
    report = process_items(
        ids,
        partial(
            _inspect,
            index=FileIndex(images, None),
            names=names,
            masks=masks,
            table=table,
            true_masks=true_masks,
        ),
        description='images',
        workers=workers,
        progress=progress,
        on_result=found.__setitem__,
    )
    if not found:
        raise ValueError(f'no image of {images} is in order:\n{report.summary()}')
    labelled = [name for name, (_, label) in found.items() if label]
    candidates = [name for name in labelled if name in scored]
    count = min(round(len(labelled) * val_fraction), len(candidates))
    drawn = np.random.default_rng(seed).permutation(len(candidates))[:count].tolist()
    val = {candidates[i] for i in drawn}
    splits = {'train': [name for name in labelled if name not in val]}
    if val:
        splits['val'] = [name for name in labelled if name in val]
    statistics = _statistics(found, splits, table, report)
    if out is not None:
        _write(Path(out), found, splits, table, statistics)
    return report, statistics


def _matched(names: Rows, ids: Sequence[str]) -> Rows:
    """Give labels the ids of their images where they are written in another way.

    A file's name with its suffix is taken for the id, and so is one that differs only in how its
    letters are composed: some systems write an accent as a character of its own.

    Raises:
        ValueError: Two labels are of one image.
    """
    composed = partial(unicodedata.normalize, 'NFC')
    known = {**{composed(name): name for name in ids}, **dict(zip(ids, ids))}
    matched: Rows = {}
    for name, row in names.items():
        stem = name[: name.rindex('.')] if name.lower().endswith(IMAGE_SUFFIXES) else name
        options = (name, composed(name), stem, composed(stem))
        found = next((known[option] for option in options if option in known), name)
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


def _inspect(
    name: str,
    index: FileIndex,
    names: Rows | None,
    masks: str | None,
    table: ClassTable,
    true_masks: str | None = None,
) -> Item:
    if not index.exists(name):
        raise FileNotFoundError(f'there is a label, but no image in {index.folder}')
    with Image.open(index.path(name)) as image:
        size = upright_rgb(image).shape[:2]
    if true_masks is not None and safe_join(true_masks, name, '.png').is_file():
        load_mask(safe_join(true_masks, name, '.png'), len(table.classes), image_size=size)
    if masks is not None:
        mask = load_mask(safe_join(masks, name, '.png'), len(table.classes), image_size=size)
        label = present_classes(mask)
    elif name in names:
        label = table.ids_of(*names[name])
    else:
        raise ValueError('there is an image, but no label')
    return size, [table.classes[i] for i in label]


def _statistics(
    found: Mapping[str, Item],
    splits: Mapping[str, Sequence[str]],
    table: ClassTable,
    report: BatchReport,
) -> dict[str, Any]:
    def counts(ids: Sequence[str]) -> dict[str, int]:
        counter = Counter(name for image_id in ids for name in found[image_id][1])
        return {name: counter[name] for name in table.names}

    sizes = np.array([size for size, _ in found.values()])
    labelled = [label for _, label in found.values() if label]
    return {
        'images': len(found),
        'failed': len(report.failed),
        'unlabeled': [name for name, (_, label) in found.items() if not label],
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
        Names with hardly any image that are nearly another name, classes with a single training image,
        classes that all or no training images have, and how many images have no label.
    """
    counts = Counter()
    for split in statistics['splits'].values():
        counts.update(split['images_with_class'])
    doubts = []
    for name in (n for n, count in counts.items() if count <= RARE):
        commoner = [other for other in counts if counts[other] > counts[name]]
        if alike := near_miss(name, commoner):
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
            f'all {count} training images have the same label {name_some(all_have)}: nothing tells what '
            'it looks like'
        )
    if unseen := [n for n, c in train['images_with_class'].items() if not c]:
        doubts.append(f'{len(unseen)} classes have no training image: {name_some(unseen)}')
    if unlabeled := statistics.get('unlabeled'):
        doubts.append(
            f'{len(unlabeled)} images have no label and are in no list: {name_some(unlabeled, 3)}; they '
            "can train as negatives: add them to train.txt and set unlabeled='keep'"
        )
    return doubts


def _write(
    out: Path,
    found: Mapping[str, Item],
    splits: Mapping[str, Sequence[str]],
    table: ClassTable,
    statistics: Mapping[str, Any],
) -> None:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator='\n')
    writer.writerow(['id', 'class names'])
    writer.writerows([name, SEPARATOR.join(label)] for name, (_, label) in found.items())
    write_text(out / 'labels.csv', rows.getvalue())
    write_lines(out / 'classes.txt', list(table.names))
    for split, ids in splits.items():
        write_lines(out / f'{split}.txt', ids)
    text = json.dumps(statistics, indent=2, ensure_ascii=False)
    write_text(out / 'statistics.json', f'{text}\n')

"""How much of the parts and of the bodies predictions cover, on a dataset with part maps.

Each PRED is a folder of masks (``<id>.png``) or of class maps (``<id>.npz``); several folders are
scored one after the other. Class maps without a background channel need ``--threshold``. The distinctive
part of an object is what a classifier needs, its plain body what it tends to miss.

Example::

    python examples/demo_data/part_coverage.py work_dirs/cam/maps work_dirs/sipe/masks \\
        --data data/demo --split train --threshold 0.3 --out work_dirs/coverage
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmwsss.io import read_id_list, read_lines, safe_join
from mmwsss.io.class_maps import load_class_maps
from mmwsss.io.mask_io import load_mask
from mmwsss.io.pool import BatchReport, process_items
from mmwsss.io.record import (
    RECORD_NAME,
    Protocol,
    Recorder,
    Score,
    make_record,
    plain_values,
    read_record,
)
from mmwsss_command import ToolParser

__all__ = ['part_coverage', 'part_coverage_scores']

PART = 1
BODY = 2
_COLUMNS = ('part_recall', 'body_recall', 'precision')


def part_coverage(
    pred: np.ndarray,
    gt: np.ndarray,
    parts: np.ndarray,
    num_classes: int,
    ignore_index: int = 255,
) -> dict[str, np.ndarray]:
    """Count part, body and foreground pixels of one image; the counts of images may be added.

    A pixel is covered when the predicted class is its true class. Pixels that are ``ignore_index``
    in ``gt`` or in ``parts`` count nowhere; those that are ``ignore_index`` in ``pred`` count as
    predicted to be nothing.

    Args:
        pred (np.ndarray): (H, W) integer class ids, 0 = background.
        gt (np.ndarray): (H, W) integer class ids, 0 = background.
        parts (np.ndarray): (H, W) integers: 0 = background, 1 = part, 2 = body.
        num_classes (int): Number of classes K + 1, background included.
        ignore_index (int): The value of pixels that do not count.

    Returns:
        dict[str, np.ndarray]: int64 (K,) arrays, index k - 1 for class k: ``part_hits`` of
        ``part_pixels``, ``body_hits`` of ``body_pixels``, and ``predicted_hits``, the true
        positives, of ``predicted_pixels``.

    Raises:
        TypeError: If an array is not of integers.
        ValueError: If shapes differ, an array holds an unknown id, or parts and classes disagree
            about where the objects are.
    """
    _check_maps(pred, gt, parts)
    if num_classes < 2:
        raise ValueError(f'num_classes must be at least 2, but got {num_classes}')
    _check_ids('pred', pred, num_classes, ignore_index)
    _check_ids('gt', gt, num_classes, ignore_index)
    _check_ids('parts', parts, BODY + 1, ignore_index)
    valid = (gt != ignore_index) & (parts != ignore_index)
    if ((gt > 0) != (parts > 0))[valid].any():
        wrong = int(((gt > 0) != (parts > 0))[valid].sum())
        raise ValueError(f'parts and gt disagree about the foreground in {wrong} pixels')

    gt, parts = gt[valid].astype(np.int64), parts[valid]
    pred = pred[valid].astype(np.int64)
    hit = pred == gt

    def count(classes: np.ndarray) -> np.ndarray:
        return np.bincount(classes, minlength=num_classes)[1:num_classes].astype(np.int64)

    return {
        'part_hits': count(gt[hit & (parts == PART)]),
        'part_pixels': count(gt[parts == PART]),
        'body_hits': count(gt[hit & (parts == BODY)]),
        'body_pixels': count(gt[parts == BODY]),
        'predicted_hits': count(gt[hit]),
        'predicted_pixels': count(pred[pred != ignore_index]),
    }


def part_coverage_scores(
    counts: dict[str, np.ndarray], class_names: Sequence[str]
) -> dict[str, dict]:
    """Scores in 0..1 from the (summed) counts of :func:`part_coverage`.

    Args:
        counts (dict[str, np.ndarray]): int64 (K,) arrays.
        class_names (Sequence[str]): K names, without the background.

    Returns:
        dict[str, dict]: ``per_class`` (by name), ``mean`` (over the classes for which the score is
        defined) and ``pooled`` (all pixels of the foreground together), each with ``part_recall``,
        ``body_recall`` and ``precision``; NaN where nothing was there to be counted.

    Raises:
        ValueError: If the number of names is not that of the counts.
    """
    if len(class_names) != len(counts['part_pixels']):
        raise ValueError(
            f'class_names must hold {len(counts["part_pixels"])} names, but got {len(class_names)}'
        )
    pairs = {
        'part_recall': ('part_hits', 'part_pixels'),
        'body_recall': ('body_hits', 'body_pixels'),
        'precision': ('predicted_hits', 'predicted_pixels'),
    }
    rates = {name: _ratio(counts[hits], counts[of]) for name, (hits, of) in pairs.items()}
    return {
        'per_class': {
            class_name: {name: float(rate[k]) for name, rate in rates.items()}
            for k, class_name in enumerate(class_names)
        },
        'mean': {name: _mean_of_defined(rate) for name, rate in rates.items()},
        'pooled': {
            name: float(_ratio(counts[hits].sum(), counts[of].sum()))
            for name, (hits, of) in pairs.items()
        },
    }


def _ratio(hits: np.ndarray, of: np.ndarray) -> np.ndarray:
    return np.where(of > 0, hits / np.maximum(of, 1), np.nan)


def _mean_of_defined(rate: np.ndarray) -> float:
    defined = rate[~np.isnan(rate)]
    return float(defined.mean()) if len(defined) else float('nan')


def _check_maps(pred: np.ndarray, gt: np.ndarray, parts: np.ndarray) -> None:
    for name, array in (('pred', pred), ('gt', gt), ('parts', parts)):
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f'{name} must hold integers, but got {array.dtype}')
        if array.ndim != 2 or array.shape != gt.shape:
            raise ValueError(
                f'{name} must have the shape (H, W) of gt, but got {array.shape} and {gt.shape}'
            )


def _check_ids(name: str, array: np.ndarray, count: int, ignore_index: int) -> None:
    found = np.unique(array)
    unknown = found[((found < 0) | (found >= count)) & (found != ignore_index)]
    if len(unknown):
        raise ValueError(
            f'{name} must hold ids in 0..{count - 1} or {ignore_index}, '
            f'but got {unknown.tolist()[:10]}'
        )


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__.splitlines()[0])
    parser.add_argument('preds', metavar='PRED', nargs='+', help='folder of masks or class maps')
    parser.add_argument('--data', default='data/demo', help='dataset with SegmentationPart')
    parser.add_argument('--split', default='train', help='list in ImageSets/Segmentation')
    parser.add_argument(
        '--threshold', type=float, help='background score of class maps that carry none'
    )
    parser.add_argument(
        '--best-of',
        help='take the best threshold from this record of eval_masks.py --maps: uses ground truth',
    )
    parser.add_argument('--out', help='file (.json) or folder for the record of the scores')
    args = parser.parse_args(argv)
    if args.threshold is not None and not 0 <= args.threshold <= 1:
        parser.error(f'--threshold must lie in [0, 1], but got {args.threshold}')
    return args


def read_prediction(
    folder: Path,
    image_id: str,
    num_classes: int,
    image_size: tuple[int, int],
    threshold: float | None = None,
) -> np.ndarray:
    """Read the predicted labels of one image, from a mask or from class maps.

    Args:
        folder (Path): Folder of ``<id>.png`` or ``<id>.npz``; a mask is preferred.
        image_id (str): Image id.
        num_classes (int): Number of classes, background included.
        image_size (tuple[int, int]): Height and width that the prediction must have.
        threshold (float, optional): Score of the background for class maps that carry none.

    Returns:
        np.ndarray: (H, W) integer class ids.

    Raises:
        FileNotFoundError: If there is neither a mask nor a class map.
        ValueError: If the prediction has another size or unknown ids, or lacks a background.
    """
    mask_path = safe_join(folder, image_id, '.png')
    map_path = safe_join(folder, image_id, '.npz')
    if mask_path.is_file():
        return load_mask(mask_path, num_classes=num_classes, image_size=image_size)
    if not map_path.is_file():
        raise FileNotFoundError(f'no mask {mask_path} and no class map {map_path}')
    maps = load_class_maps(map_path, num_classes=num_classes)
    if maps.image_size != image_size:
        raise ValueError(f'{map_path} is of size {maps.image_size}, the image of {image_size}')
    scores, keys = maps.full_size_scores(), maps.keys
    if not maps.has_background:
        if threshold is None:
            raise ValueError(f'{map_path} has no background map: give a --threshold')
        background = np.full((1, *image_size), threshold, scores.dtype)
        scores, keys = np.concatenate([background, scores]), np.concatenate([[0], keys])
    return keys[scores.argmax(axis=0)]


def score_folder(
    folder: Path, data: Path, ids: Sequence[str], classes: Sequence[str], threshold: float | None
) -> tuple[dict[str, np.ndarray], BatchReport]:
    """Sum the counts of all images; the report names those that could not be counted."""
    num_classes = len(classes) + 1
    total: dict[str, np.ndarray] = {}

    def count(image_id: str) -> dict[str, np.ndarray]:
        gt = load_mask(safe_join(data / 'SegmentationClass', image_id, '.png'), num_classes)
        parts = load_mask(safe_join(data / 'SegmentationPart', image_id, '.png'))
        pred = read_prediction(folder, image_id, num_classes, gt.shape, threshold)
        return part_coverage(pred, gt, parts, num_classes)

    def add(image_id: str, counts: dict[str, np.ndarray]) -> None:
        del image_id
        for name, values in counts.items():
            total[name] = total.get(name, 0) + values

    report = process_items(ids, count, description=str(folder), on_result=add)
    return total, report


def format_table(scores: dict[str, dict]) -> str:
    """Lay the scores out in percent, one line per class, then mean and pooled."""
    rows = {**scores['per_class'], 'mean': scores['mean'], 'all pixels': scores['pooled']}
    width = max(map(len, rows))
    lines = [f'{"":{width}}  ' + '  '.join(f'{name:>11}' for name in _COLUMNS)]
    for name, row in rows.items():
        cells = ('-' if math.isnan(row[c]) else f'{100 * row[c]:.1f}' for c in _COLUMNS)
        lines.append(f'{name:{width}}  ' + '  '.join(f'{cell:>11}' for cell in cells))
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    data = Path(args.data)
    try:
        ids = read_id_list(data / 'ImageSets' / 'Segmentation' / f'{args.split}.txt')
        classes = read_lines(data / 'classes.txt')
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    threshold, swept = args.threshold, Protocol()
    if args.best_of:
        swept = read_record(args.best_of).scores[0].protocol
        threshold = swept.threshold
    scored: list[Score] = []
    details = {}
    exit_code = 0
    for folder in args.preds:
        counts, report = score_folder(Path(folder), data, ids, classes, threshold)
        exit_code = max(exit_code, report.exit_code)
        print(f'{folder}: {report.summary()}')
        if not counts:
            continue
        scores = part_coverage_scores(counts, classes)
        print(format_table(scores))
        made = swept
        if not args.best_of and Path(folder, RECORD_NAME).is_file():
            made = read_record(folder).protocol
        about = replace(made, split=args.split, images=len(report.done), failed=len(report.failed))
        what = f'coverage of {Path(folder).name}'
        scored.append(Score(what, about, plain_values(scores['pooled'])))
        details[str(folder)] = plain_values({**scores, 'counts': counts})
    if args.out:
        record = make_record(
            'tool', ['background', *classes], args.split, ids, scores=scored, result=details
        )
        Recorder(args.out, record).finish(complete=not exit_code)
    return exit_code


if __name__ == '__main__':
    sys.exit(main())

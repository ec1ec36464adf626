"""How much of the parts and of the bodies predictions cover, on a dataset with part maps.

Each PRED is a folder of masks (``<id>.png``) or of class maps (``<id>.npz``); several folders are
scored one after the other. Class maps without a background channel need ``--threshold``.

Example::

    python tools/analysis_tools/part_coverage.py work_dirs/cam/maps work_dirs/sipe/masks \\
        --data data/demo --split train --threshold 0.3 --json coverage.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmwsss.evaluation.part_coverage import part_coverage, part_coverage_scores
from mmwsss.io.atomic import atomic_path
from mmwsss.io.batch import BatchReport, process_items
from mmwsss.io.class_maps import load_class_maps
from mmwsss.io.mask_io import load_mask
from mmwsss.io.names import read_id_list, safe_join

_COLUMNS = ('part_recall', 'body_recall', 'precision')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('preds', metavar='PRED', nargs='+', help='folder of masks or class maps')
    parser.add_argument('--data', default='data/demo', help='dataset with SegmentationPart')
    parser.add_argument('--split', default='train', help='list in ImageSets/Segmentation')
    parser.add_argument(
        '--threshold', type=float, help='background score of class maps that carry none'
    )
    parser.add_argument('--json', help='file for the scores and counts')
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


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _read_classes(data: Path) -> list[str]:
    lines = (data / 'classes.txt').read_text(encoding='utf-8').splitlines()
    return [line.strip() for line in lines if line.strip()]


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    data = Path(args.data)
    try:
        ids = read_id_list(data / 'ImageSets' / 'Segmentation' / f'{args.split}.txt')
        classes = _read_classes(data)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    found, exit_code = {}, 0
    for folder in args.preds:
        counts, report = score_folder(Path(folder), data, ids, classes, args.threshold)
        exit_code = max(exit_code, report.exit_code)
        print(f'{folder}: {report.summary()}')
        if not counts:
            continue
        scores = part_coverage_scores(counts, classes)
        print(format_table(scores))
        found[folder] = {
            'images': len(report.done),
            'failed': report.failed,
            **scores,
            'counts': {name: values.tolist() for name, values in counts.items()},
        }
    if args.json:
        with atomic_path(args.json) as temporary:
            temporary.write_text(json.dumps(_without_nan(found), indent=2) + '\n')
    return exit_code


if __name__ == '__main__':
    sys.exit(main())

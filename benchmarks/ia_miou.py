"""Time and memory of IA-mIoU against the plain loop over instances and components.

    python benchmarks/ia_miou.py --out work_dirs/benchmarks/ia_miou.json

Scenes are 500 x 375 pixels with 21 classes: overlapping ellipses with instance map and ignored outlines;
the prediction is the ground truth moved, with holes and specks of noise. ``plain`` labels the components
of each class by SciPy and intersects each with each instance by boolean masks, as one would write the
definition down. Goals: ``ratio`` of times (plain / ours) at least 20, a split of 1,449 images under 30 s of
CPU time, and no more memory for 8 times as many images.
"""

from __future__ import annotations

import argparse
import tracemalloc
from operator import itemgetter

import numpy as np
from common import clock, time_ratio, write_json
from scipy import ndimage

from mmwsss.functional.ia_miou import ia_miou, instance_ious

SHAPE = (375, 500)
NUM_CLASSES = 21
SPLIT = 1449


def scene(seed: int, shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prediction, ground truth and instance map of a random image."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    gt, instances = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    for i in range(1, int(rng.integers(2, 31))):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        a, b = rng.integers(4, shape[0] // 4, size=2)
        distance = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2
        gt[distance < 1], instances[distance < 1] = rng.integers(1, 5), i
        outline = (distance >= 1) & (distance < 1.1)
        gt[outline], instances[outline] = 255, 255
    pred = np.roll(np.where(gt == 255, 0, gt), (3, 3), axis=(0, 1))
    specks = np.kron(rng.random((shape[0] // 8 + 1, shape[1] // 8 + 1)) < 0.02, np.ones((8, 8)))
    pred = np.where(specks[: shape[0], : shape[1]] > 0, rng.integers(0, 5), pred)
    return pred.astype(np.uint8), gt, instances


def plain_instance_ious(
    pred: np.ndarray, gt: np.ndarray, instances: np.ndarray
) -> list[tuple[int, int, float]]:
    """The definition with one boolean mask per instance and per component."""
    valid = (gt != 255) & (instances != 255)
    masks = [(instances == i) & valid for i in np.unique(instances) if i not in (0, 255)]
    masks = [mask for mask in masks if mask.any()]
    classes = [int(gt[mask][0]) for mask in masks]
    records = []
    for c in sorted(set(classes)):
        targets = [mask for mask, of in zip(masks, classes) if of == c]
        hits, shares = np.zeros(len(targets)), np.zeros(len(targets))
        blobs, count = ndimage.label((pred == c) & valid, structure=np.ones((3, 3)))
        for j in range(1, count + 1):
            blob = blobs == j
            overlaps = np.array([(blob & target).sum() for target in targets])
            if overlaps.sum():
                rest = blob.sum() - overlaps.sum()
                hits += overlaps
                shares += rest * overlaps / overlaps.sum()
        for target, hit, share in zip(targets, hits, shares):
            records.append((c, int(target.sum()), hit / (target.sum() + share)))
    return records


def check(scenes: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Both must agree before their times mean anything."""
    for one in scenes:
        got = sorted(zip(*(column.tolist() for column in instance_ious(*one))))
        expected = sorted(plain_instance_ious(*one))
        if len(got) != len(expected) or not np.allclose(got, expected, atol=1e-9):
            raise RuntimeError('instance_ious and the plain loop differ')


def peak_of(count: int, scenes: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> int:
    """Most bytes held while ``count`` images are scored from a generator."""
    chosen = [scenes[n % len(scenes)] for n in range(count)]
    tracemalloc.start()
    ia_miou(*(map(itemgetter(k), chosen) for k in range(3)), num_classes=NUM_CLASSES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/ia_miou.json')
    parser.add_argument('--scenes', type=int, default=24, help='different random images')
    parser.add_argument('--split', type=int, default=SPLIT, help='images of the timed split')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    scenes = [scene(seed) for seed in range(args.scenes)]
    check(scenes)

    def ours() -> None:
        for one in scenes:
            instance_ious(*one)

    def plain() -> None:
        for one in scenes:
            plain_instance_ious(*one)

    against = time_ratio(plain, ours, repeats=args.repeats)
    start = clock()
    chosen = [scenes[n % len(scenes)] for n in range(args.split)]
    ia_miou(*(map(itemgetter(k), chosen) for k in range(3)), num_classes=NUM_CLASSES)
    seconds = clock() - start
    write_json(
        args.out,
        {
            'plain_over_ours': {**against, 'goal': '>= 20'},
            'milliseconds_per_image': round(1e3 * against['baseline_seconds'] / len(scenes), 2),
            'split': {'images': args.split, 'seconds': round(seconds, 2), 'goal': '< 30'},
            'peak_bytes': {str(n): peak_of(n, scenes) for n in (8, 64)},
        },
    )


if __name__ == '__main__':
    main()

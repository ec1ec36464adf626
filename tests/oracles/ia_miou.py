"""IA-mIoU as a plain loop, written from the definition and nothing else (float64, Python sets)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

Pixel = tuple[int, int]


def components(pixels: Iterable[Pixel]) -> list[set[Pixel]]:
    """Split a set of pixels into its 8-connected components by flooding."""
    left = set(pixels)
    found = []
    while left:
        stack = [left.pop()]
        component = set(stack)
        while stack:
            y, x = stack.pop()
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    other = (y + dy, x + dx)
                    if other in left:
                        left.remove(other)
                        component.add(other)
                        stack.append(other)
        found.append(component)
    return found


def pixels_of(mask: np.ndarray) -> set[Pixel]:
    """Coordinates at which ``mask`` is true."""
    return {(int(y), int(x)) for y, x in zip(*np.nonzero(mask))}


def ground_truth_instances(
    gt: np.ndarray, instances: object, kept: set[Pixel], num_classes: int
) -> list[tuple[int, set[Pixel]]]:
    """Instances as (class, pixels) from a label map, from (mask, class) pairs or from the mask."""
    found = []
    if instances is None:
        for c in range(1, num_classes):
            of_class = pixels_of(gt == c) & kept
            found += [(c, component) for component in components(of_class)]
    elif isinstance(instances, np.ndarray):
        for i in sorted(set(instances.ravel().tolist()) - {0}):
            pixels = pixels_of(instances == i) & kept
            if pixels:
                votes = [int(gt[p]) for p in pixels]
                found.append((max(sorted(set(votes)), key=votes.count), pixels))
    else:
        for mask, c in instances:
            pixels = pixels_of(mask) & kept
            if pixels:
                found.append((c, pixels))
    return found


def instance_ious_loop(
    pred: np.ndarray,
    gt: np.ndarray,
    instances: object = None,
    num_classes: int = 21,
    ignore_index: int = 255,
    include_background: bool = False,
) -> list[tuple[int, int, float]]:
    """(class, area, IoU) of every instance of one image; background is one instance of class 0."""
    kept = pixels_of(gt != ignore_index)
    if isinstance(instances, np.ndarray):
        kept &= pixels_of(instances != ignore_index)
    truth = ground_truth_instances(gt, instances, kept, num_classes)
    records = []
    for c in range(1, num_classes):
        targets = [pixels for cls, pixels in truth if cls == c]
        hit = [0.0] * len(targets)
        share = [0.0] * len(targets)
        for blob in components(pixels_of(pred == c) & kept):
            overlaps = [len(blob & target) for target in targets]
            if sum(overlaps) == 0:
                continue
            on_nobody = len([p for p in blob if not any(p in target for target in targets)])
            for i, overlap in enumerate(overlaps):
                hit[i] += overlap
                share[i] += on_nobody * overlap / sum(overlaps)
        for target, inside, extra in zip(targets, hit, share):
            records.append((c, len(target), inside / (len(target) + extra)))
    true, predicted = pixels_of(gt == 0) & kept, pixels_of(pred == 0) & kept
    if include_background and true:
        records.append((0, len(true), len(true & predicted) / len(true | predicted)))
    return records


def ia_miou_loop(
    preds: list[np.ndarray],
    gts: list[np.ndarray],
    instances: list | None = None,
    num_classes: int = 21,
    ignore_index: int = 255,
    include_background: bool = False,
) -> dict[str, object]:
    """All scores of a data set; background has no size."""
    records = []
    for n, (pred, gt) in enumerate(zip(preds, gts)):
        given = None if instances is None else instances[n]
        records += instance_ious_loop(
            pred, gt, given, num_classes, ignore_index, include_background
        )
    sizes = {
        'IA-mIoU': (0, float('inf')),
        'IA_S': (0, 32 * 32),
        'IA_M': (32 * 32, 96 * 96),
        'IA_L': (96 * 96, float('inf')),
    }
    scores: dict[str, object] = {}
    for name, (low, high) in sizes.items():
        of_class = defaultdict(list)
        for c, area, iou in records:
            if low <= area < high and (c > 0 or name == 'IA-mIoU'):
                of_class[c].append(iou)
        means = {c: sum(v) / len(v) for c, v in of_class.items()}
        scores[name] = sum(means.values()) / len(means) if means else float('nan')
        if name == 'IA-mIoU':
            scores['per_class'] = [means.get(c, float('nan')) for c in range(num_classes)]
    return scores

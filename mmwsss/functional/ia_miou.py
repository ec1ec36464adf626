"""Instance-aware mIoU: every object counts the same, whatever its size.

Source: Mun et al., Small Objects Matters in Weakly-supervised Semantic Segmentation, WACV 2024.

Records of disjoint sets of images simply concatenate, so images may be processed in any order and on any
number of processes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from mmwsss.functional.checks import check_label_map, check_range, to_labels, to_numpy
from mmwsss.functional.components import label_components, runs_of

__all__ = [
    'InstanceRecords',
    'ia_miou',
    'ia_miou_from_records',
    'instance_ious',
    'instances_in_mask',
]

SMALL_AREA = 32**2  # COCO's bound: smaller instances are small
LARGE_AREA = 96**2  # COCO's bound: instances from here on are large

Array = NDArray[Any]
Instances = Union[Array, Sequence[tuple[Any, int]], None]


class InstanceRecords(NamedTuple):
    """One entry per ground-truth instance: class id (0: an image's background), pixels, IoU in 0..1."""

    classes: Array
    areas: Array
    ious: Array


class _Members(NamedTuple):
    """Runs of pixels: of instance ``owner[k]``, ``length[k]`` long, from flat index ``pixel[k]`` on.

    A pixel may belong to several instances; ``classes`` (n,) are theirs.
    """

    owner: Array
    pixel: Array
    length: Array
    classes: Array


def ia_miou(
    preds: Iterable[Any],
    gts: Iterable[Any],
    instances: Iterable[Instances] | None = None,
    num_classes: int = 21,
    ignore_index: int = 255,
    *,
    tolerance: float = 0.0,
    include_background: bool = False,
) -> dict[str, Any]:
    """Score predicted label maps against ground truth, instance by instance.

    Args:
        preds: One integer label map (H, W) per image; a generator is read one image at a time.
        gts: The ground truths, same order and sizes.
        instances: One entry per image, each as :func:`instance_ious` takes it. None: the instances
            are the 8-connected components of each class of the ground truth.
        num_classes: Number of classes with background (class 0).
        ignore_index: Label of pixels that are removed from prediction and ground truth.
        tolerance: See :func:`instance_ious`.
        include_background: See :func:`instance_ious`.

    Returns:
        The dictionary of :func:`ia_miou_from_records`.

    Raises:
        ValueError: The three lists differ in length, or an image is refused by
            :func:`instance_ious`; the message says which image (counted from 0).

    Example:
        >>> import numpy as np
        >>> gt = np.zeros((8, 8), dtype=int)
        >>> gt[:2, :2], gt[4:, 4:] = 1, 1  # two objects of class 1
        >>> pred = gt.copy()
        >>> pred[:2, :2] = 0  # the small one is missed
        >>> ia_miou([pred], [gt], num_classes=2)['IA-mIoU']
        0.5
        >>> round(ia_miou([pred], [gt], num_classes=2, include_background=True)['IA-mIoU'], 4)
        0.7083
    """
    sources = [preds, gts] if instances is None else [preds, gts, instances]
    end, records = object(), []
    for n, items in enumerate(itertools.zip_longest(*sources, fillvalue=end)):
        if any(item is end for item in items):
            raise ValueError(
                'preds, gts and instances must have one entry per image, '
                f'but one of them ends after {n}'
            )
        pred, gt, of_image = (*items, None)[:3]
        settings: dict[str, Any] = dict(tolerance=tolerance, include_background=include_background)
        try:
            records.append(instance_ious(pred, gt, of_image, num_classes, ignore_index, **settings))
        except ValueError as error:
            raise ValueError(f'image {n}: {error}') from error
    return ia_miou_from_records(records, num_classes)


def ia_miou_from_records(
    records: InstanceRecords | Iterable[InstanceRecords], num_classes: int = 21
) -> dict[str, Any]:
    """Average instance IoUs within each class of the data set, then over the classes.

    Args:
        records: The records of all images; triples of arrays do as well.
        num_classes: Number of classes with background; the records name no others.

    Returns:
        ``IA-mIoU``, ``IA_S``, ``IA_M``, ``IA_L``: floats in 0..1, the mean over the classes that have
        instances (of that size: area < 32^2, < 96^2, the rest), NaN if there are none. Records of
        background take part in ``IA-mIoU`` and have no size.
        ``per_class``, ``per_class_S``, ``per_class_M``, ``per_class_L``: float64 (num_classes,), NaN where
        a class has no instance.
        ``num_instances``: dict of ints with keys ``all``, ``S``, ``M``, ``L``, without background.
        ``num_per_class``, ``num_per_class_S`` ...: int64 (num_classes,).
    """
    images = [records] if isinstance(records, InstanceRecords) else list(records)
    none = InstanceRecords(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    classes, areas, ious = (np.concatenate(column) for column in zip(none, *images))
    order = np.lexsort((ious, areas, classes))  # sums then do not depend on the order of images
    classes, areas, ious = classes[order], areas[order], ious[order]
    is_small, is_large = areas < SMALL_AREA, areas >= LARGE_AREA
    is_object = classes > 0
    of_size = {
        '': np.ones_like(is_object),
        '_S': is_small & is_object,
        '_M': ~is_small & ~is_large & is_object,
        '_L': is_large & is_object,
    }
    scores: dict[str, Any] = {}
    num_instances: dict[str, int] = {}
    for suffix, chosen in of_size.items():
        counts = np.bincount(classes[chosen], minlength=num_classes)
        sums = np.bincount(classes[chosen], weights=ious[chosen], minlength=num_classes)
        means = np.divide(sums, counts, out=np.full(num_classes, np.nan), where=counts > 0)
        is_defined = counts > 0
        mean = float(means[is_defined].mean()) if is_defined.any() else float('nan')
        scores[f'IA{suffix}' if suffix else 'IA-mIoU'] = mean
        scores[f'per_class{suffix}'] = means
        scores[f'num_per_class{suffix}'] = counts
        num_instances[suffix.lstrip('_') or 'all'] = int(counts[1:].sum())
    scores['num_instances'] = num_instances
    return scores


def instance_ious(
    pred: Any,
    gt: Any,
    instances: Instances = None,
    num_classes: int = 21,
    ignore_index: int = 255,
    *,
    tolerance: float = 0.0,
    include_background: bool = False,
) -> InstanceRecords:
    """Compute the IoU of every ground-truth instance of one image.

    Each 8-connected component of a predicted class is handed to the instances of that class which it
    overlaps. A component on no instance belongs to nobody. A component on several is divided: each
    instance owns its intersection, and the pixels on none of them are shared in proportion to the
    intersections. The IoU of an instance is (intersection) / (its area + its share of such pixels).

    Ignored pixels are removed first, from prediction and ground truth, so they can cut a component in
    two. Areas are counted after the removal, an instance with no pixel left is dropped.

    Args:
        pred: Integer (H, W) array or tensor. Pixels that hold ``ignore_index`` have no class.
        gt: Integer (H, W), class ids or ``ignore_index``.
        instances: One of

            * None: the instances are the 8-connected components of the classes in ``gt``.
            * Integer (H, W): an id per pixel, 0 = no instance, ``ignore_index`` = ignored as in VOC's
              ``SegmentationObject``. The class of an instance is the one its pixels carry in ``gt``.
            * A list of (mask, class id) with boolean masks (H, W), which may overlap. Such an
              instance is its whole mask, also where ``gt`` shows an object in front of it.
        num_classes: Number of classes with background.
        ignore_index: Label of ignored pixels.
        tolerance: Share (0..1) of an instance's pixels that may contradict ``gt``. A pixel contradicts
            if ``gt`` has another class than the instance, unless another given mask of that class
            covers the pixel. VOC-style maps that were made together agree exactly, hence 0.
        include_background: Add a record of class 0 with the plain IoU of the image's background, if it
            has any. The paper leaves it out; its published averages include it as one more class.

    Returns:
        One record per instance, in the order of the instance ids, of the given masks, or of the
        first pixels of the components; background last.

    Raises:
        TypeError: A map does not hold integers.
        ValueError: Shapes differ, a label is no class, or ``instances`` and ``gt`` contradict each other:
            more than ``tolerance`` of an instance on other classes, an instance on background, or a
            class of ``gt`` without any instance (single pixels on none are allowed).

    Note:
        Departures: where masks of one class overlap, the paper's difference of areas would count the
        overlap twice; the released code fills the holes of components.
    """
    pred, gt = to_labels(pred), to_labels(gt)
    check_range('tolerance', tolerance, '[0, 1]')
    check_label_map('gt', gt, num_classes, ignore_index)
    check_label_map('pred', pred, num_classes, ignore_index, gt.shape)
    valid = gt != ignore_index
    if not (instances is None or isinstance(instances, (list, tuple))):
        instances = to_labels(instances)
        check_label_map('instances', instances, shape=gt.shape)
        valid = valid & (instances != ignore_index)
    true_classes = gt * valid
    predicted = pred * (valid & (pred != ignore_index))
    blobs = label_components(predicted)
    if isinstance(instances, (list, tuple)):
        members = _members_from_masks(instances, valid, true_classes, num_classes, tolerance)
    else:
        own = label_components(true_classes) if instances is None else instances * valid
        members = _members_from_map(own, true_classes, blobs, num_classes, tolerance)
    _check_all_classes_have_instances(true_classes, members)
    records = _score(predicted, blobs, members)
    is_background = valid & (gt == 0)
    if include_background and is_background.any():
        is_predicted = valid & (pred == 0)
        iou = (is_background & is_predicted).sum() / (is_background | is_predicted).sum()
        background = InstanceRecords(*(np.array([v]) for v in (0, is_background.sum(), iou)))
        records = InstanceRecords(*map(np.concatenate, zip(records, background)))
    return records


def instances_in_mask(gt: Any, ignore_index: int = 255) -> Array:
    """Number the 8-connected components of the foreground classes of a label map.

    Args:
        gt: Integer (H, W).
        ignore_index: Label of ignored pixels, which belong to no component.

    Returns:
        int32 (H, W), 0 = no instance, 1 .. n = components.
    """
    gt = to_labels(gt)
    check_label_map('gt', gt)
    return label_components(gt * (gt != ignore_index))


def _score(predicted: Array, blobs: Array, members: _Members) -> InstanceRecords:
    """Divide the components among the instances and compute IoUs."""
    start, run_length = runs_of(blobs)
    predicted, blobs = predicted.ravel(), blobs.ravel()
    blob_areas = _count(blobs[start], run_length)
    owner, pixel, length, classes = members
    n = len(classes)
    areas = _count(owner, length, n)
    is_hit = predicted[pixel] == classes[owner]
    owner, pixel, length = owner[is_hit], pixel[is_hit], length[is_hit]
    touched, blob = np.unique(blobs[pixel], return_inverse=True)  # only these components matter
    m = len(touched)
    overlaps = _count(owner * m + blob, length, n * m).reshape(n, m)
    first, position = np.unique(pixel, return_index=True)  # masks may overlap
    hits = _count(blobs[first], length[position], len(blob_areas))
    uncovered = (blob_areas - hits)[touched]
    shares = overlaps @ (uncovered / overlaps.sum(axis=0))  # (n, m) @ (m,) -> (n,)
    kept = areas > 0
    ious = overlaps.sum(axis=1)[kept] / (areas + shares)[kept]
    return InstanceRecords(classes[kept], areas[kept], ious)


def _count(bins: Array, length: Array, size: int = 0) -> Array:
    """Pixels per bin; sums of integers below 2^53 are exact in float64."""
    return np.bincount(bins, weights=length, minlength=size).astype(np.int64)


def _members_from_map(
    instances: Array, true_classes: Array, blobs: Array, num_classes: int, tolerance: float
) -> _Members:
    """Members of a map in which 0 is no instance; ignored pixels are 0 in all three maps."""
    pixel, length = runs_of(instances, true_classes, blobs)
    ids = instances.ravel()[pixel]
    pixel, length = pixel[ids != 0], length[ids != 0]
    ids, owner = np.unique(ids[ids != 0], return_inverse=True)
    votes = _count(
        owner * num_classes + true_classes.ravel()[pixel], length, len(ids) * num_classes
    )
    votes = votes.reshape(-1, num_classes)
    classes = votes.argmax(axis=1)
    areas = votes.sum(axis=1)
    differing = areas - votes.max(axis=1, initial=0)
    for i in np.flatnonzero((differing > tolerance * areas) | (classes == 0))[:1]:
        carried = {int(c): int(votes[i, c]) for c in np.flatnonzero(votes[i])}
        raise ValueError(
            f'instances and gt contradict each other: instance {ids[i]} must lie on one foreground '
            f'class, but its pixels carry (class: pixels) {carried}'
        )
    return _Members(owner, pixel, length, classes)


def _members_from_masks(
    instances: Sequence[tuple[Any, int]],
    valid: Array,
    true_classes: Array,
    num_classes: int,
    tolerance: float,
) -> _Members:
    pixels = [np.zeros(0, dtype=np.int64)]
    for i, (mask, c) in enumerate(instances):
        mask = to_numpy(mask).astype(bool, copy=False)
        if mask.shape != valid.shape or not 1 <= c < num_classes:
            raise ValueError(
                f'instance {i} must be a mask {valid.shape} and a class in 1..{num_classes - 1}, '
                f'but got a mask {mask.shape} and class {c}'
            )
        pixels.append(np.flatnonzero(mask & valid))
    pixel = np.concatenate(pixels)
    owner = np.repeat(np.arange(len(instances)), [len(of_mask) for of_mask in pixels[1:]])
    classes = np.array([c for _, c in instances], dtype=np.int64)
    is_covered = np.zeros((num_classes, valid.size), dtype=bool)
    is_covered[classes[owner], pixel] = True
    # The class shown at a pixel must come from one of the masks there: mine, or one in front.
    is_wrong = ~is_covered[true_classes.ravel()[pixel], pixel]
    differing = np.bincount(owner, weights=is_wrong, minlength=len(instances))
    areas = np.bincount(owner, minlength=len(instances))
    for i in np.flatnonzero(differing > tolerance * areas)[:1]:
        raise ValueError(
            f'instances and gt contradict each other: instance {i} of class {classes[i]} has '
            f'{int(differing[i])} of {areas[i]} pixels where gt shows a class without a mask there'
        )
    return _Members(owner, pixel, np.ones(len(pixel)), classes)


def _check_all_classes_have_instances(true_classes: Array, members: _Members) -> None:
    start, length = runs_of(true_classes)
    pixels = _count(true_classes.ravel()[start], length, members.classes.max(initial=0) + 1)
    pixels[members.classes[members.owner]] = 0
    pixels[0] = 0
    if pixels.any():
        missing = {int(c): int(pixels[c]) for c in np.flatnonzero(pixels)}
        raise ValueError(
            'instances and gt contradict each other: gt shows classes without any instance, '
            f'(class: pixels) {missing}'
        )

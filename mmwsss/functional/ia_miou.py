"""Instance-aware mIoU: every object counts the same, whatever its size.

Source: Mun et al., Small Objects Matters in Weakly-supervised Semantic Segmentation, WACV 2024.

The work is split in two: :func:`instance_ious` turns one image into one record per ground-truth
instance (class, area, IoU), :func:`ia_miou_from_records` turns the records of a data set into scores.
Records of disjoint sets of images simply concatenate, so images may be processed in any order and on
any number of processes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Union

import numpy as np
from skimage.measure import label as label_regions

__all__ = [
    'InstanceRecords',
    'ia_miou',
    'ia_miou_from_records',
    'instance_ious',
    'instances_in_mask',
]

SMALL_AREA = 32**2  # COCO's bound: smaller instances are small
LARGE_AREA = 96**2  # COCO's bound: instances from here on are large

Instances = Union[np.ndarray, Sequence[tuple[Any, int]], None]


class InstanceRecords(NamedTuple):
    """One entry per ground-truth instance.

    Attributes:
        classes: int64 (n,), class id, 1 .. num_classes - 1.
        areas: int64 (n,), pixels of the instance that are not ignored.
        ious: float64 (n,), 0..1.
    """

    classes: np.ndarray
    areas: np.ndarray
    ious: np.ndarray


class _Members(NamedTuple):
    """Which pixels belong to which instance; a pixel may belong to several.

    Neighbours in a row that agree in everything are kept as one run. ``owner[k]`` is the instance
    (0 .. n - 1), ``pixel[k]`` the flat index of the first pixel and ``length[k]`` the number of pixels of
    run k; ``classes`` (n,) are the class ids.
    """

    owner: np.ndarray
    pixel: np.ndarray
    length: np.ndarray
    classes: np.ndarray
    may_overlap: bool = False


def ia_miou(
    preds: Iterable[Any],
    gts: Iterable[Any],
    instances: Iterable[Instances] | None = None,
    num_classes: int = 21,
    ignore_index: int = 255,
    *,
    tolerance: float = 0.0,
) -> dict[str, Any]:
    """Score predicted label maps against ground truth, instance by instance.

    Args:
        preds: One integer label map (H, W) per image; a generator is read one image at a time.
        gts: The ground truths, same order and sizes.
        instances: One entry per image, each as :func:`instance_ious` takes it. None: the instances
            are the 8-connected components of each class of the ground truth.
        num_classes: Number of classes with background (class 0, which has no instances).
        ignore_index: Label of pixels that are removed from prediction and ground truth.
        tolerance: See :func:`instance_ious`.

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
    """
    sources = (preds, gts) if instances is None else (preds, gts, instances)
    records = []
    for n, (pred, gt, *given) in enumerate(_zip_equal(*sources)):
        of_image = given[0] if given else None
        try:
            records.append(
                instance_ious(pred, gt, of_image, num_classes, ignore_index, tolerance=tolerance)
            )
        except ValueError as error:
            raise ValueError(f'image {n}: {error}') from error
    return ia_miou_from_records(records, num_classes)


def ia_miou_from_records(
    records: InstanceRecords | Iterable[InstanceRecords], num_classes: int = 21
) -> dict[str, Any]:
    """Average instance IoUs within each class of the data set, then over the classes.

    Args:
        records: The records of all images; triples of arrays do as well.
        num_classes: Number of classes with background.

    Returns:
        ``IA-mIoU``, ``IA_S``, ``IA_M``, ``IA_L``: floats in 0..1, the mean over the classes that have
        instances (of that size: area < 32^2, < 96^2, the rest), NaN if there are none.
        ``per_class``, ``per_class_S``, ``per_class_M``, ``per_class_L``: float64 (num_classes,), NaN where
        a class has no instance, so always for background.
        ``num_instances``: dict of ints with keys ``all``, ``S``, ``M``, ``L``.
        ``num_per_class``, ``num_per_class_S`` ...: int64 (num_classes,).

    Raises:
        ValueError: A record names a class outside 1 .. num_classes - 1.
    """
    classes, areas, ious = _concatenate(records)
    order = np.lexsort((ious, areas, classes))  # sums then do not depend on the order of images
    classes, areas, ious = classes[order], areas[order], ious[order]
    if classes.size and not (classes.min() >= 1 and classes.max() < num_classes):
        raise ValueError(
            f'classes of instances must lie in 1..{num_classes - 1}, '
            f'but span {classes.min()}..{classes.max()}'
        )
    of_size = {
        '': np.ones(classes.shape, dtype=bool),
        '_S': areas < SMALL_AREA,
        '_M': (areas >= SMALL_AREA) & (areas < LARGE_AREA),
        '_L': areas >= LARGE_AREA,
    }
    scores: dict[str, Any] = {}
    num_instances: dict[str, int] = {}
    for suffix, chosen in of_size.items():
        counts = np.bincount(classes[chosen], minlength=num_classes)
        sums = np.bincount(classes[chosen], weights=ious[chosen], minlength=num_classes)
        means = np.divide(sums, counts, out=np.full(num_classes, np.nan), where=counts > 0)
        scores[f'IA{suffix}' if suffix else 'IA-mIoU'] = _mean_of_defined(means)
        scores[f'per_class{suffix}'] = means
        scores[f'num_per_class{suffix}'] = counts
        num_instances[suffix.lstrip('_') or 'all'] = int(counts.sum())
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
) -> InstanceRecords:
    """Compute the IoU of every ground-truth instance of one image.

    Each 8-connected component of a predicted class is handed to the instances of that class which it
    overlaps. A component on no instance belongs to nobody. A component on several is divided: each
    instance owns its intersection, and the pixels on none of them are shared in proportion to the
    intersections. The IoU of an instance is (intersection) / (its area + its share of such pixels).

    Ignored pixels are removed first, from prediction and ground truth, so they can cut a component
    (and, without an instance map, an instance) in two. Areas are counted after the removal, an
    instance with no pixel left is dropped.

    Args:
        pred: Integer (H, W) array or tensor. Pixels that hold ``ignore_index`` have no class.
        gt: Integer (H, W), class ids or ``ignore_index``.
        instances: One of

            * None: the instances are the 8-connected components of the classes in ``gt``.
            * Integer (H, W): an id per pixel, 0 = no instance, ``ignore_index`` = ignored as in VOC's
              ``SegmentationObject``. The class of an instance is the one its pixels carry in ``gt``.
            * A sequence of (mask, class id) with boolean masks (H, W), which may overlap. Such an
              instance is its whole mask, also where ``gt`` shows an object in front of it.
        num_classes: Number of classes with background.
        ignore_index: Label of ignored pixels.
        tolerance: Share (0..1) of an instance's pixels that may contradict ``gt``. A pixel contradicts
            if ``gt`` has another class than the instance, unless another given mask of that class
            covers the pixel. VOC-style maps that were made together agree exactly, hence 0.

    Returns:
        One record per instance, in the order of the instance ids, of the given masks, or of the
        first pixels of the components.

    Raises:
        TypeError: A map does not hold integers.
        ValueError: Shapes differ, a label is no class, or ``instances`` and ``gt`` contradict each other:
            more than ``tolerance`` of an instance on other classes, an instance on background, or a
            class of ``gt`` without any instance (single pixels on no instance are allowed; they count
            as pixels on no instance).

    Note:
        Where masks of one class overlap, the shared pixels of a component are those on *no* instance of
        the class; the paper's difference of areas would count the overlap twice.
    """
    pred, gt = _as_label_map('pred', pred), _as_label_map('gt', gt)
    if pred.shape != gt.shape:
        raise ValueError(f'pred and gt must have one shape, but got {pred.shape} and {gt.shape}')
    if not 0 <= tolerance < 1:
        raise ValueError(f'tolerance must lie in [0, 1), but got {tolerance}')
    for name, labels in (('pred', pred), ('gt', gt)):
        _check_ids(name, labels, num_classes, ignore_index)
    valid = gt != ignore_index
    if isinstance(instances, np.ndarray) or hasattr(instances, 'detach'):
        instances = _as_label_map('instances', instances)
        _check_shape('instances', instances, gt)
        valid = valid & (instances != ignore_index)
    true_classes = np.where(valid, gt, 0)
    predicted = np.where(valid & (pred != ignore_index), pred, 0)
    blobs = _label(predicted)
    if instances is None or isinstance(instances, np.ndarray):
        own = _label(true_classes) if instances is None else np.where(valid, instances, 0)
        members = _members_from_map(own, true_classes, blobs, num_classes, tolerance)
    else:
        members = _members_from_masks(instances, valid, true_classes, num_classes, tolerance)
    return _score(predicted.ravel(), blobs.ravel(), members)


def instances_in_mask(gt: Any, ignore_index: int = 255) -> np.ndarray:
    """Number the 8-connected components of the foreground classes of a label map.

    Args:
        gt: Integer (H, W).
        ignore_index: Label of ignored pixels, which belong to no component.

    Returns:
        int64 (H, W), 0 = no instance, 1 .. n = components.
    """
    gt = _as_label_map('gt', gt)
    return _label(np.where(gt != ignore_index, gt, 0))


def _zip_equal(*sources: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Zip that refuses sources of different lengths and holds one image at a time."""
    end = object()
    for n, items in enumerate(itertools.zip_longest(*sources, fillvalue=end)):
        if any(item is end for item in items):
            raise ValueError(
                'preds, gts and instances must have one entry per image, '
                f'but one of them ends after {n}'
            )
        yield items


def _score(predicted: np.ndarray, blobs: np.ndarray, members: _Members) -> InstanceRecords:
    """Divide the components among the instances and compute IoUs. All maps are flat."""
    owner, pixel, length, classes, may_overlap = members
    n = len(classes)
    areas = _count(owner, length, n)
    is_hit = predicted[pixel] == classes.astype(predicted.dtype)[owner]
    owner, pixel, length = owner[is_hit], pixel[is_hit], length[is_hit]
    blob = blobs[pixel]
    blob_areas = np.bincount(blobs)
    hits = _count(blob, length, len(blob_areas))
    touched = np.flatnonzero(hits)  # only these components matter; number them 0 .. m - 1
    m = len(touched)
    number = np.zeros(len(blob_areas), dtype=np.int64)
    number[touched] = np.arange(m)
    overlaps = _count(owner * m + number[blob], length, n * m).reshape(n, m)
    if may_overlap:
        hits = np.bincount(blobs[np.unique(pixel)], minlength=len(blob_areas))
    uncovered = blob_areas[touched] - hits[touched]
    shares = overlaps @ (uncovered / overlaps.sum(axis=0))  # (n, m) @ (m,) -> (n,)
    kept = areas > 0
    ious = overlaps.sum(axis=1)[kept] / (areas + shares)[kept]
    return InstanceRecords(classes[kept], areas[kept], ious)


def _count(bins: np.ndarray, length: np.ndarray, size: int) -> np.ndarray:
    """Pixels per bin; sums of integers below 2^53 are exact in float64."""
    return np.bincount(bins, weights=length, minlength=size).astype(np.int64)


def _label(labels: np.ndarray) -> np.ndarray:
    """Number the 8-connected regions of equal value, all classes in one pass; 0 stays 0."""
    return label_regions(labels, background=0, connectivity=2)


def _members_from_map(
    instances: np.ndarray,
    true_classes: np.ndarray,
    blobs: np.ndarray,
    num_classes: int,
    tolerance: float,
) -> _Members:
    """Members of a map in which 0 is no instance; ignored pixels are 0 in all three maps."""
    flat = [labels.ravel() for labels in (instances, true_classes, blobs)]
    changes = np.ones(flat[0].shape, dtype=bool)
    changes[1:] = False
    for labels in flat:
        changes[1:] |= labels[1:] != labels[:-1]
    pixel = np.flatnonzero(changes)
    length = np.diff(pixel, append=len(changes))
    class_areas = _count(flat[1][pixel], length, num_classes)
    is_inside = flat[0][pixel] != 0
    pixel, length = pixel[is_inside], length[is_inside]
    ids, owner = np.unique(flat[0][pixel], return_inverse=True)
    votes = _count(owner * num_classes + flat[1][pixel], length, len(ids) * num_classes)
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
    _check_all_classes_have_instances(class_areas, classes)
    return _Members(owner, pixel, length, classes)


def _members_from_masks(
    instances: Sequence[tuple[Any, int]],
    valid: np.ndarray,
    true_classes: np.ndarray,
    num_classes: int,
    tolerance: float,
) -> _Members:
    pairs = [_as_mask_and_class(i, pair) for i, pair in enumerate(instances)]
    for i, (mask, c) in enumerate(pairs):
        _check_shape(f'mask {i} of instances', mask, valid)
        if not 1 <= c < num_classes:
            raise ValueError(
                f'the class of instance {i} must lie in 1..{num_classes - 1}, but got {c}'
            )
    pixels = [np.flatnonzero(mask & valid) for mask, _ in pairs]
    pixel = np.concatenate([np.zeros(0, dtype=np.int64), *pixels])
    owner = np.repeat(np.arange(len(pairs)), [len(of_mask) for of_mask in pixels])
    classes = np.array([c for _, c in pairs], dtype=np.int64)
    found = true_classes.ravel()[pixel]
    is_covered = np.zeros((num_classes, valid.size), dtype=bool)
    is_covered[classes[owner], pixel] = True
    # The class shown at a pixel must come from one of the masks there: mine, or one in front.
    differing = np.bincount(owner, weights=~is_covered[found, pixel], minlength=len(pairs))
    areas = np.bincount(owner, minlength=len(pairs))
    for i in np.flatnonzero(differing > tolerance * areas)[:1]:
        raise ValueError(
            f'instances and gt contradict each other: instance {i} of class {classes[i]} has '
            f'{int(differing[i])} of {areas[i]} pixels where gt shows a class without a mask there'
        )
    class_areas = np.bincount(true_classes.ravel(), minlength=num_classes)
    _check_all_classes_have_instances(class_areas, classes[areas > 0])
    return _Members(owner, pixel, np.ones(len(pixel)), classes, may_overlap=True)


def _check_all_classes_have_instances(class_areas: np.ndarray, classes: np.ndarray) -> None:
    """``class_areas`` (num_classes,): pixels per class; ``classes``: those of the instances."""
    missing = class_areas.copy()
    missing[0] = 0
    missing[classes] = 0
    if missing.any():
        found = {int(c): int(missing[c]) for c in np.flatnonzero(missing)}
        raise ValueError(
            'instances and gt contradict each other: gt shows classes without any instance, '
            f'(class: pixels) {found}'
        )


def _as_label_map(name: str, value: Any) -> np.ndarray:
    array = np.asarray(value.detach().cpu() if hasattr(value, 'detach') else value)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f'{name} must be (H, W), but got shape {array.shape}')
    if array.dtype.kind not in 'iu':
        raise TypeError(f'{name} must hold integers, but holds {array.dtype}')
    return array


def _as_mask_and_class(i: int, pair: Any) -> tuple[np.ndarray, int]:
    try:
        mask, c = pair
        mask = np.asarray(mask.detach().cpu() if hasattr(mask, 'detach') else mask)
        return mask.astype(bool, copy=False), int(c)
    except (TypeError, ValueError) as error:
        raise ValueError(
            'instances must be None, an integer map (H, W), or a sequence of (mask, class id), '
            f'but entry {i} is {type(pair).__name__}'
        ) from error


def _check_shape(name: str, value: np.ndarray, reference: np.ndarray) -> None:
    if value.shape != reference.shape:
        raise ValueError(f'{name} must be {reference.shape} like gt, but got shape {value.shape}')


def _check_ids(name: str, labels: np.ndarray, num_classes: int, ignore_index: int) -> None:
    if labels.min() >= 0 and labels.max() < num_classes:
        return
    is_wrong = ((labels < 0) | (labels >= num_classes)) & (labels != ignore_index)
    if is_wrong.any():
        raise ValueError(
            f'{name} must hold class ids 0..{num_classes - 1} or {ignore_index} (ignore), '
            f'but holds {np.unique(labels[is_wrong])[:10].tolist()}'
        )


def _concatenate(records: InstanceRecords | Iterable[InstanceRecords]) -> InstanceRecords:
    triples = [records] if isinstance(records, InstanceRecords) else list(records)
    return InstanceRecords(
        np.concatenate([np.zeros(0, np.int64), *(np.asarray(t[0], np.int64) for t in triples)]),
        np.concatenate([np.zeros(0, np.int64), *(np.asarray(t[1], np.int64) for t in triples)]),
        np.concatenate([np.zeros(0), *(np.asarray(t[2], np.float64) for t in triples)]),
    )


def _mean_of_defined(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float('nan')

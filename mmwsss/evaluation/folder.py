"""Scoring folders of masks or of class maps against a folder of ground truth."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmwsss.evaluation.doubts import doubtful_score, scored_iou, warnings
from mmwsss.evaluation.map_counts import (
    DEFAULT_THRESHOLDS,
    ImageMapCounts,
    check_maps_scored,
    check_thresholds,
    count_maps,
    score_map_counts,
)
from mmwsss.evaluation.tables import class_table, percent
from mmwsss.functional.confusion import confusion_counts, mean_iou
from mmwsss.io import (
    ARGMAX,
    BEST_OF_SWEEP,
    MASK_SUFFIXES,
    RECORD_NAME,
    BatchReport,
    Protocol,
    Record,
    Score,
    find_ids,
    find_mask,
    find_record,
    load_class_maps,
    load_mask,
    make_record,
    plain_values,
    process_items,
    read_lines,
    require_folder,
    safe_join,
)
from mmwsss.utils.names import BACKGROUND, names_by_number

__all__ = [
    'FolderScore',
    'MeanIoUScore',
    'PairScore',
    'resolve_classes',
    'score_maps',
    'score_masks',
]

Scored = tuple[list[Score], list[str], dict[str, Any]]  # scores, tables, details


class PairScore(ABC):
    """A score of pairs (prediction, ground truth), such as mIoU.

    ``count`` runs once per image, perhaps in another process; ``add`` takes what it returned in this
    process, in the order of the ids; ``result`` and ``table`` come last.

    Attributes:
        metric_names: The keys of ``result`` that are scores in 0..1.
    """

    metric_names: Sequence[str] = ()

    @abstractmethod
    def count(self, name: str, pred: np.ndarray, gt: np.ndarray) -> Any:
        """Count one image: ``pred`` and ``gt`` are uint8 (H, W). Its errors are the image's."""

    @abstractmethod
    def add(self, counts: Any) -> None:
        """Take the counts of one image."""

    @abstractmethod
    def result(self) -> dict[str, Any]:
        """Return the scores, in 0..1, and what else is worth keeping; IoU by class name as ``IoU``."""

    @abstractmethod
    def table(self) -> str:
        """Return the scores as text."""

    def notes(self) -> list[str]:
        """What a reader of the scores must know, e.g. whose instances they are of."""
        return []


class MeanIoUScore(PairScore):
    """IoU per class over all pixels of all images, and its mean over the classes that the ground truth has.

    Args:
        classes: Class names, background first.
        ignore_index: Ground-truth pixels of this value do not count. Predicted pixels of this value
            are undecided: they miss their true class.
    """

    metric_names = ('mIoU',)

    def __init__(self, classes: Sequence[str], ignore_index: int = 255) -> None:
        self.classes, self.ignore_index = list(classes), ignore_index
        self.areas = np.zeros((3, len(self.classes)), np.int64)
        self.undecided = 0

    def count(self, name: str, pred: np.ndarray, gt: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the areas (3, C): intersection, predicted, true; and the undecided pixels."""
        table = confusion_counts(pred, gt, len(self.classes), self.ignore_index)
        areas = np.stack([np.diag(table), table[:, :-1].sum(0), table.sum(1)])
        return areas, int(table[:, -1].sum())

    def add(self, counts: tuple[np.ndarray, int]) -> None:
        """Add up."""
        self.areas += counts[0]
        self.undecided += counts[1]

    def result(self) -> dict[str, Any]:
        """Return ``mIoU``, ``IoU`` by class name and the pixel counts."""
        iou = scored_iou(*self.areas)
        return {
            'mIoU': float(mean_iou(iou)),
            'IoU': dict(zip(self.classes, iou.tolist())),
            'pixels': int(self.areas[2].sum()),
            'undecided_pixels': self.undecided,
        }

    def table(self) -> str:
        """Return mIoU and the table of classes."""
        iou, result = scored_iou(*self.areas), self.result()
        text = f'{class_table(self.classes, {"IoU": iou})}\nmIoU {percent(result["mIoU"])}'
        if self.undecided:
            text += (
                f' ({self.undecided} predicted pixels are {self.ignore_index}: counted as misses)'
            )
        return text

    def notes(self) -> list[str]:
        """What makes the score worthless, see :func:`~mmwsss.evaluation.doubts.doubtful_score`."""
        return warnings(doubtful_score(self.areas, self.undecided, self.classes))


@dataclass(frozen=True)
class FolderScore:
    """Scores of a folder.

    Attributes:
        report: What became of each image.
        record: The scores with their protocol, folders, errors and details.
        text: The same for people, without the failed images.
    """

    report: BatchReport
    record: Record
    text: str

    @property
    def scores(self) -> list[Score]:
        """The scores."""
        return self.record.scores

    @property
    def numbers(self) -> dict[str, Any]:
        """Metrics (0..1) of the first score and all details, by name."""
        return {**self.record.result, **self.scores[0].metrics}


def score_masks(
    pred: str | os.PathLike[str],
    gt: str | os.PathLike[str],
    classes: Sequence[str],
    ids: Sequence[str] | None = None,
    scores: Sequence[PairScore] | None = None,
    ignore_index: int = 255,
    workers: int = 0,
    split: str = '',
) -> FolderScore:
    """Score a folder of predicted masks against a folder of ground-truth masks.

    Masks are palette or grey PNG, or ``.npy``. A missing or damaged file, a size mismatch or a class
    id outside the list fails that image by name; the scores are those of the others, and say so.

    Args:
        pred: Folder of predictions.
        gt: Folder of ground truth.
        classes: Class names, background first.
        ids: Images to score. None: all of ``gt``.
        scores: What to compute; None: :class:`MeanIoUScore`.
        ignore_index: The value that means "not labelled".
        workers: Processes; 0 works in this one.
        split: Name of the list of images. Empty: that of the record in ``pred``.

    Raises:
        FileNotFoundError: A folder does not exist.
        RecordError: ``pred`` has a record with other classes, or one of class maps.
        ValueError: There is nothing to score.
    """
    scores = [MeanIoUScore(classes, ignore_index)] if scores is None else list(scores)

    def work(name: str) -> list[Any]:
        true = load_mask(find_mask(gt, name), len(classes), ignore_index)
        named = load_mask(find_mask(pred, name), len(classes), ignore_index, true.shape)
        return [score.count(name, named, true) for score in scores]

    def take(name: str, counts: list[Any]) -> None:
        for score, count in zip(scores, counts):
            score.add(count)

    def finish(protocol: Protocol) -> Scored:
        details = {key: value for score in scores for key, value in score.result().items()}
        metrics = {name: details.pop(name) for score in scores for name in score.metric_names}
        notes = [*protocol.notes, *(note for score in scores for note in score.notes())]
        scored = _score('masks', replace(protocol, notes=notes), metrics, details.pop('IoU', {}))
        return [scored], [score.table() for score in scores], details

    return _score_folder(
        'masks', pred, gt, classes, ids, ignore_index, workers, split, work, take, finish
    )


def score_maps(
    maps: str | os.PathLike[str],
    gt: str | os.PathLike[str],
    classes: Sequence[str],
    ids: Sequence[str] | None = None,
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
    ignore_index: int = 255,
    workers: int = 0,
    split: str = '',
) -> FolderScore:
    """Score a folder of class maps at every threshold against a folder of ground-truth masks.

    The table uses ground truth. It says how good maps are; it chooses nothing. ``maps`` is their
    folder, ``thresholds`` increase strictly; the other arguments and the errors are those of
    :func:`score_masks`.
    """
    check_thresholds(thresholds)
    check_maps_scored(classes)
    counts: list[ImageMapCounts] = []

    def work(name: str) -> ImageMapCounts:
        found = load_class_maps(safe_join(maps, name, '.npz'), len(classes))
        true = load_mask(find_mask(gt, name), len(classes), ignore_index, found.image_size)
        return count_maps(found, true, thresholds, len(classes), ignore_index)

    def take(name: str, count: ImageMapCounts) -> None:
        counts.append(count)

    def finish(protocol: Protocol) -> Scored:
        scored = score_map_counts(counts, thresholds, len(classes))
        notes = [*protocol.notes, *warnings(doubtful_score(scored.areas, 0, classes))]
        protocol = replace(protocol, notes=notes)
        best, threshold = scored.best, scored.thresholds[scored.best]
        swept = replace(
            protocol, threshold=threshold, threshold_source=BEST_OF_SWEEP, uses_ground_truth=True
        )
        metrics, iou = {'mIoU': scored.miou[best]}, dict(zip(classes, scored.iou[best]))
        curve = plain_values(list(zip(scored.thresholds, scored.miou)))
        scores = [replace(_score('maps at best threshold', swept, metrics, iou), curve=curve)]
        if scored.argmax_iou is not None:
            rule = replace(protocol, threshold_source=ARGMAX)
            metrics, iou = {'mIoU': scored.argmax_miou}, dict(zip(classes, scored.argmax_iou))
            scores.append(_score('maps without threshold', rule, metrics, iou))
        return scores, [scored.table(), scored.class_table(classes)], {}

    return _score_folder(
        'maps', maps, gt, classes, ids, ignore_index, workers, split, work, take, finish
    )


def resolve_classes(
    classes: str | None = None,
    num_classes: int | None = None,
    pred: str | os.PathLike[str] | None = None,
    background: bool = True,
) -> list[str]:
    """Return class names, background first if there is one, from what the command line says.

    Args:
        classes: ``'voc'``, ``'coco14'`` or a text file with one name a line (background may be left
            out). None: those of the record in ``pred``.
        num_classes: Number of classes with background; alone, the classes have numbers for names.
        pred: Folder of predictions.
        background: Whether classes of a file or a number have a background; those of a record say so.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: Nothing says what the classes are, or names and number differ.
    """
    record = None if pred is None else find_record(pred)
    if classes is not None:
        names = _known_classes(classes, background)
    elif record is not None:
        names = record.classes
    elif num_classes is not None:
        names = [BACKGROUND if background and not i else f'class {i}' for i in range(num_classes)]
    else:
        raise ValueError(
            f'{pred} has no {RECORD_NAME}: name the classes with --classes (voc, coco14 or a text file) '
            'or, to score, --num-classes'
        )
    if num_classes not in (None, len(names)):
        raise ValueError(f'--num-classes is {num_classes}, but there are {len(names)} class names')
    return names


def _known_classes(classes: str, background: bool) -> list[str]:
    from mmwsss.datasets.classes import without_255
    from mmwsss.datasets.coco import COCO14WSSSDataset
    from mmwsss.datasets.label_sources.class_table import ClassTable
    from mmwsss.datasets.voc import VOC12WSSSDataset

    known = {'voc': VOC12WSSSDataset, 'coco14': COCO14WSSSDataset}
    if classes in known:
        if not background:
            raise ValueError(f'the classes of {classes!r} have a background')
        return list(known[classes].METAINFO['classes'])
    if not Path(classes).is_file():
        raise FileNotFoundError(
            f'--classes must be one of {sorted(known)} or a text file with one name a line, '
            f'but there is no file {classes!r}'
        )
    names = read_lines(classes)
    ClassTable(names_by_number(names))  # refuses what is no list of classes
    return list(without_255(names_by_number(names))) if background else names


def _score(
    what: str, protocol: Protocol, metrics: dict[str, Any], per_class: dict[str, Any]
) -> Score:
    return Score(what, protocol, plain_values(metrics), plain_values(per_class))


def _score_folder(
    kind: str,
    pred: str | os.PathLike[str],
    gt: str | os.PathLike[str],
    classes: Sequence[str],
    ids: Sequence[str] | None,
    ignore_index: int,
    workers: int,
    split: str,
    work: Callable[[str], Any],
    take: Callable[[str, Any], None],
    finish: Callable[[Protocol], Scored],
) -> FolderScore:
    """Count the images of two folders by ``work`` and ``take``; ``finish`` turns counts into scores."""
    pred, gt = require_folder('pred', pred), require_folder('gt', gt)
    made = find_record(pred, kind=kind, classes=list(classes))
    names = find_ids(gt, MASK_SUFFIXES) if ids is None else list(ids)
    report = process_items(names, work, None, 'scoring', workers, on_result=take)
    done, failed, asked = len(report.done), len(report.failed), len(names)
    protocol = Protocol(notes=['made by: unknown (no record)']) if made is None else made.protocol
    split = split or protocol.split
    scores, tables, details = finish(replace(protocol, split=split, images=done, failed=failed))
    result = {
        'predictions': pred,
        'ground_truth': gt,
        'ignore_index': ignore_index,
        'num_scored': done,
        'errors': report.failed,
        **details,
    }
    record = make_record(
        'score',
        classes,
        split,
        names,
        inputs={} if made is None else {'predictions': made.sha256()},
        scores=scores,
        result=plain_values(result),
        complete=not failed,
        failed=list(report.failed),
    )
    lines = [
        f'scored: {kind} in {pred}',
        f'against: {gt}, ignore label {ignore_index}',
        f'images: {done}' + (f' of {asked}; {asked - done} FAILED' if done < asked else ''),
        *(f'{score.what}: {score.protocol.text()}' for score in scores),
        *(['the record says that the folder is not complete'] * bool(made and not made.complete)),
        *(tables if done else ['nothing could be scored']),
    ]
    return FolderScore(report, record, '\n'.join(lines))

"""Where the images of a run and their true masks are, and what its masks score on them."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.registry import DATASETS

from mmwsss.engine.hooks.map_visualization_hook import image_datasets
from mmwsss.evaluation.doubts import doubtful_masks, doubtful_score, scored_iou
from mmwsss.evaluation.instance_score import InstanceScore, read_category_map
from mmwsss.functional.confusion import confusion_counts, iou_from_counts, mean_iou
from mmwsss.functional.ia_miou import InstanceRecords
from mmwsss.io import (
    IGNORE_INDEX,
    MASK_SUFFIXES,
    find_ids,
    find_mask,
    load_mask,
    process_items,
    safe_join,
)
from mmwsss.report.read import Run, Stage, noting
from mmwsss.stages.image_list import images_only
from mmwsss.utils.config import load_config
from mmwsss.utils.names import has_background

__all__ = [
    'ImageIndex',
    'StageResult',
    'StageShares',
    'count_stage',
    'ids_in',
    'image_index',
    'score_stage',
]

VOC_INSTANCES = 'SegmentationObject'


@dataclass
class ImageIndex:
    """Where the images of a run and their true masks are."""

    images: dict[str, str] = field(default_factory=dict)  # path by id
    truth: dict[str, str] = field(default_factory=dict)  # path of the true mask by id
    classes: list[str] = field(default_factory=list)  # background first; empty if unknown
    palette: list[list[int]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)  # by config or dataset that did not load


def image_index(
    run: Run,
    config: str | Path | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    truth: str | Path | None = None,
) -> ImageIndex:
    """Look up images and true masks in the datasets of a run's configs, and where its scores say.

    The configs are those that MMEngine leaves beside the records of trainings and tests; ``config`` and the
    folder ``truth`` are used instead of theirs.
    """
    index, seen = ImageIndex(), []
    trained = run.of_kind('train', 'test').items()
    paths = [path.parent / Path(record.config).name for path, record in trained if record.config]
    for path in paths if config is None else [Path(config)]:
        with noting(index.problems, f'config {path}') if config is None else nullcontext():
            for dataset in image_datasets(load_config(path, dict(cfg_options or {}))):
                if dataset not in seen:  # trainings of a run share theirs
                    seen.append(dataset)
                    name = (
                        f'dataset {dataset.get("type")} of {dataset.get("data_root", "")} in {path}'
                    )
                    with noting(index.problems, name):
                        add_dataset(index, dataset)
    if truth is not None:
        index.truth = masks_in(Path(truth))
        return index
    for record in run.of_kind('score').values():
        folder = Path(str(record.result.get('ground_truth', '')))
        index.truth = {**(masks_in(folder) if folder.is_dir() else {}), **index.truth}
    return index


def masks_in(folder: Path) -> dict[str, str]:
    """Path of each mask in a folder by id; empty if it holds none."""
    return {name: str(find_mask(folder, name)) for name in ids_in(folder, MASK_SUFFIXES)}


def ids_in(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """The image ids of a folder; empty if it holds no such file."""
    try:
        return find_ids(folder, suffixes)
    except ValueError:
        return []


def add_dataset(index: ImageIndex, cfg: Any) -> None:
    """Add the images and true masks of a dataset."""
    dataset = DATASETS.build(images_only(cfg, masks=True))
    for info in [dataset.get_data_info(i) for i in range(len(dataset))]:
        name = info.get('img_id', Path(info['img_path']).stem)
        index.images.setdefault(name, info['img_path'])
        if info.get('seg_map_path'):
            index.truth.setdefault(name, info['seg_map_path'])
    if not index.classes:
        index.classes = list(dataset.metainfo.get('classes') or ())
        index.palette = [list(colour) for colour in dataset.metainfo.get('palette') or ()]


# --- scores of a stage ----------------------------------------------------------------------------


@dataclass
class StageResult:
    """What the masks of a stage score.

    Attributes:
        stage: The stage.
        classes: Background first.
        asked: Number of masks in the folder.
        instances: Scores by object, of all images; None where there is no background.
        counts: int64 (C, C + 1) pixels by true and given class, the last one undecided.
        image_iou: Mean IoU of each image over the classes that it has or was given, 0..1.
        errors: Of images that could not be scored.
    """

    stage: Stage
    classes: list[str]
    asked: int
    instances: InstanceScore | None
    counts: np.ndarray
    image_iou: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the stage."""
        return self.stage.name

    @property
    def floor(self) -> tuple[str, float]:
        """A class, background or else the most frequent one, and the mIoU of masks of nothing else."""
        true, one = self.counts.sum(1), np.zeros_like(self.counts)
        class_id = 0 if has_background(self.classes) else int(true.argmax())
        one[:, class_id] = true
        return self.classes[class_id], float(mean_iou(iou_from_counts(one)))

    @property
    def iou(self) -> np.ndarray:
        """IoU of each class, NaN for those that the true masks lack."""
        return scored_iou(*self.areas)

    @property
    def areas(self) -> np.ndarray:
        """Intersection, predicted and true pixels by class, int64 (3, C)."""
        return np.stack([np.diag(self.counts), self.counts[:, :-1].sum(0), self.counts.sum(1)])

    def doubts(self) -> list[str]:
        """What makes these masks worth a look before their score is believed."""
        return doubtful_score(self.areas, int(self.counts[:, -1].sum()), self.classes)

    def chosen(self, images: Container[str], number: int) -> dict[str, dict[str, str]]:
        """The ``number`` best and worst of some images, each with its score."""
        order = sorted(self.image_iou, key=lambda n: (-self.image_iou[n], n))
        names = [name for name in order if name in images]
        groups = {'best': names[:number], 'worst': names[max(len(names) - number, number) :][::-1]}
        return {
            heading: {name: f'mIoU {100 * self.image_iou[name]:.1f}' for name in group}
            for heading, group in groups.items()
        }

    @property
    def columns(self) -> list[str]:
        """The given classes; undecided where there is any."""
        return self.classes + ['undecided'] * bool(self.counts[:, -1].any())

    @property
    def shares(self) -> np.ndarray:
        """Share of each true class by given class; NaN rows where there are no pixels."""
        totals = self.counts.sum(1, keepdims=True)
        nothing = np.full(self.counts.shape, np.nan)
        return np.divide(self.counts, totals, out=nothing, where=totals > 0)[:, : len(self.columns)]

    def most_confused(self, number: int = 12) -> list[tuple[str, str, float]]:
        """The largest shares of a wrong class: true class, given class, share."""
        wrong = np.nan_to_num(self.shares)
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind='stable')[:number]
        pairs = zip(*np.unravel_index(order[wrong.flat[order] > 0], wrong.shape))
        return [(self.classes[i], self.columns[j], wrong[i, j]) for i, j in pairs]


def score_stage(
    stage: Stage, index: ImageIndex, instances: str | Path | None = None, workers: int = 0
) -> StageResult | None:
    """Compare the masks of a stage with the true ones, image by image; see :class:`ReportOptions`.

    Returns:
        The scores; None if there are no true masks of these images or no list of classes.
    """
    classes, files = list(stage.record.classes or index.classes), masks_in(stage.folder)
    ids = [name for name in files if name in index.truth]
    if not ids or not classes:
        return None
    if instances is None:
        folder = Path(index.truth[ids[0]]).parent.parent / VOC_INSTANCES
        complete = all(safe_join(folder, name, '.png').is_file() for name in ids)
        instances = folder if complete else None
    score = None
    if has_background(classes):
        score = InstanceScore(classes, instances, read_category_map(None, classes))
    counts = np.zeros((len(classes), len(classes) + 1), int)
    result = StageResult(stage, classes, len(files), score, counts)

    def work(name: str) -> tuple[np.ndarray, InstanceRecords | None]:
        true = load_mask(index.truth[name], len(classes))
        mask = load_mask(files[name], len(classes), image_size=true.shape)
        objects = None if score is None else score.count(name, mask, true)
        return confusion_counts(mask, true, len(classes)), objects

    def add(name: str, counted: tuple[np.ndarray, InstanceRecords | None]) -> None:
        result.counts += counted[0]
        result.image_iou[name] = float(mean_iou(iou_from_counts(counted[0])))
        if score is not None and counted[1] is not None:
            score.add(counted[1])

    label = f'scoring {stage.name}'
    result.errors = process_items(ids, work, None, label, workers, on_result=add).failed
    return result


@dataclass
class StageShares:
    """What the masks of a stage hold, where no true masks are.

    Attributes:
        stage: The stage.
        classes: Background first.
        pixels: int64 (C + 1,) pixels of each class in all masks, the last ones undecided.
        images: int64 (C + 1,) masks that a class occurs in.
        errors: Of masks that could not be read.
    """

    stage: Stage
    classes: list[str]
    pixels: np.ndarray
    images: np.ndarray
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def shares(self) -> np.ndarray:
        """Share of the pixels of each class, 0..1, the last one undecided."""
        return self.pixels / max(self.pixels.sum(), 1)

    def doubts(self) -> list[str]:
        """What makes these masks worth a look."""
        return doubtful_masks(self.pixels, self.classes, np.ones(len(self.classes), bool))


def count_stage(stage: Stage, classes: list[str], workers: int = 0) -> StageShares:
    """Count the classes in the masks of a stage; see :class:`ReportOptions`."""
    number = len(classes)
    result = StageShares(stage, classes, *np.zeros((2, number + 1), int))
    files = masks_in(stage.folder)

    def work(name: str) -> np.ndarray:
        mask = load_mask(files[name], number)
        return np.bincount(
            np.where(mask == IGNORE_INDEX, number, mask).ravel(), minlength=number + 1
        )

    def add(name: str, counts: np.ndarray) -> None:
        result.pixels += counts
        result.images += counts > 0

    label = f'counting {stage.name}'
    result.errors = process_items(list(files), work, None, label, workers, on_result=add).failed
    return result

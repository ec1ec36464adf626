"""Where the images of a run and their true masks are, what its masks score on them, and pictures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmseg.registry import DATASETS

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.engine.hooks.map_visualization_hook import image_datasets
from mmwsss.evaluation.folder import MASK_SUFFIXES, find_ids, find_mask
from mmwsss.evaluation.instance_score import InstanceScore
from mmwsss.functional.confusion import confusion_counts, iou_from_counts, mean_iou
from mmwsss.functional.ia_miou import InstanceRecords
from mmwsss.io import load_class_maps, load_mask, process_items, safe_join, voc_palette
from mmwsss.refine.chain import RefinerChain
from mmwsss.report.read import Run, Stage, noting
from mmwsss.utils.config import load_config
from mmwsss.visualization.tiles import ImageParts, Tile, image_tiles

__all__ = ['ImageIndex', 'StageResult', 'draw_stage', 'image_index', 'score_stage']

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
    try:
        return {name: str(find_mask(folder, name)) for name in find_ids(folder, MASK_SUFFIXES)}
    except ValueError:
        return {}


def add_dataset(index: ImageIndex, cfg: Any) -> None:
    """Add the images and true masks of a dataset."""
    dataset = DATASETS.build(without_pipelines(cfg))
    for info in [dataset.get_data_info(i) for i in range(len(dataset))]:
        name = info.get('img_id', Path(info['img_path']).stem)
        index.images.setdefault(name, info['img_path'])
        if info.get('seg_map_path'):
            index.truth.setdefault(name, info['seg_map_path'])
    if not index.classes:
        index.classes = list(dataset.metainfo.get('classes') or ())
        index.palette = [list(colour) for colour in dataset.metainfo.get('palette') or ()]


def without_pipelines(dataset_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset's config without pipelines, and without what pairs or repeats its images."""
    if 'datasets' in dataset_cfg:
        parts = [without_pipelines(part) for part in dataset_cfg['datasets']]
        return {**dataset_cfg, 'datasets': parts}
    if 'dataset' in dataset_cfg:
        return without_pipelines(dataset_cfg['dataset'])
    return {**dataset_cfg, 'pipeline': []}


# --- scores and pictures of a stage ---------------------------------------------------------------


class Picture(NamedTuple):
    """One image: its id, its score, and (title, RGB uint8 (H, W, 3)) from left to right."""

    name: str
    note: str
    tiles: list[Tile]


@dataclass
class StageResult:
    """What the masks of a stage score, and what they look like."""

    stage: Stage
    classes: list[str]  # background first
    asked: int  # number of masks in the folder
    instances: InstanceScore  # of all images
    counts: np.ndarray  # int64 (C, C + 1) pixels by true and given class, the last one undecided
    # Mean IoU of each image over the classes that it has or was given, 0..1.
    image_iou: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)  # of images that could not be scored
    pictures: dict[str, list[Picture]] = field(default_factory=dict)  # 'best' and 'worst'
    legend: list[tuple[str, str]] = field(default_factory=list)  # class name, CSS colour
    problems: dict[str, str] = field(default_factory=dict)  # by image with a part that is missing

    @property
    def name(self) -> str:
        """Name of the stage."""
        return self.stage.name

    @property
    def floor(self) -> float:
        """MIoU of masks of nothing but background."""
        empty = np.zeros_like(self.counts)
        empty[:, 0] = self.counts.sum(1)
        return float(mean_iou(iou_from_counts(empty)))

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
    score = InstanceScore(classes, instances)
    counts = np.zeros((len(classes), len(classes) + 1), int)
    result = StageResult(stage, classes, len(files), score, counts)

    def work(name: str) -> tuple[np.ndarray, InstanceRecords]:
        true = load_mask(index.truth[name], len(classes))
        mask = load_mask(files[name], len(classes), image_size=true.shape)
        return confusion_counts(mask, true, len(classes)), score.count(name, mask, true)

    def add(name: str, counted: tuple[np.ndarray, InstanceRecords]) -> None:
        result.counts += counted[0]
        result.image_iou[name] = float(mean_iou(iou_from_counts(counted[0])))
        score.add(counted[1])

    label = f'scoring {stage.name}'
    result.errors = process_items(ids, work, None, label, workers, on_result=add).failed
    return result


def draw_stage(
    result: StageResult, index: ImageIndex, number: int, predictions: Sequence[Path] = ()
) -> None:
    """Add pictures of the ``number`` best and worst images of a stage to its scores.

    ``predictions`` are folders of a segmenter's masks, perhaps of the same images.
    """
    iou, classes = result.image_iou, result.classes
    palette = index.palette if len(index.palette) >= len(classes) else voc_palette(len(classes))
    names = sorted((n for n in iou if n in index.images), key=lambda n: (-iou[n], n))
    groups = {'best': names[:number], 'worst': names[max(len(names) - number, number) :][::-1]}
    seen: set[int] = set()
    for heading, group in groups.items():
        for name in group:
            with noting(result.problems, name):
                parts = image_parts(name, result, index, predictions)
                tiles = image_tiles(parts, classes, palette)
                picture = Picture(name, f'mIoU {100 * iou[name]:.1f}', tiles)
                result.pictures.setdefault(heading, []).append(picture)
                seen.update(parts.shown_classes(len(classes)))
    result.legend = [(classes[i], 'rgb({}, {}, {})'.format(*palette[i])) for i in sorted(seen)]


def image_parts(
    name: str, result: StageResult, index: ImageIndex, predictions: Sequence[Path]
) -> ImageParts:
    """Read an image with its maps, refined step by step, its masks and the true one."""
    stage, number = result.stage, len(result.classes)
    truth = load_mask(index.truth[name], number)
    parts = ImageParts(name, load_rgb(index.images[name], name), truth=truth)
    labels = load_mask(find_mask(stage.folder, name), number)
    setattr(parts, 'prediction' if stage.is_predicted else 'mask', labels)
    for path in (safe_join(folder, name, '.png') for folder in predictions):
        if path.is_file():
            parts.prediction = load_mask(path, number)
    if stage.maps is not None:
        with noting(result.problems, name):
            parts.maps = load_class_maps(safe_join(stage.maps, name, '.npz'), number)
            chain = RefinerChain(stage.record.settings.get('refiners') or ())
            parts.steps.update(chain.steps(parts.maps, parts.image, name))
    return parts

"""Where the images of a run and their true masks are, what its masks score on them, and pictures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.registry import DATASETS

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.evaluation.folder import MASK_SUFFIXES, find_ids, find_mask
from mmwsss.evaluation.instance_score import InstanceScore
from mmwsss.functional.confusion import confusion_counts, iou_from_counts, mean_iou
from mmwsss.functional.ia_miou import InstanceRecords
from mmwsss.io import (
    BatchReport,
    load_class_maps,
    load_mask,
    process_items,
    safe_join,
    voc_palette,
)
from mmwsss.refine.chain import RefinerChain
from mmwsss.report.read import Run, Stage
from mmwsss.utils.cli import KNOWN_ERRORS
from mmwsss.utils.config import load_config
from mmwsss.visualization.tiles import ImageParts, Tile, image_tiles

__all__ = ['Counted', 'ImageIndex', 'Picture', 'StageDrawer', 'count_stage', 'image_index']

VOC_INSTANCES = 'SegmentationObject'


@dataclass
class ImageIndex:
    """Where the images of a run and their true masks are.

    Attributes:
        images: Path of each image by id.
        truth: Path of each true mask by id.
        classes: Class names, background first; empty if unknown.
        palette: Their colours.
        problems: Why a dataset could not be loaded, by its name.
    """

    images: dict[str, str] = field(default_factory=dict)
    truth: dict[str, str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    palette: list[list[int]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def colours(self, classes: Sequence[str]) -> list[list[int]]:
        """A colour for each class: the dataset's, else VOC's."""
        return self.palette if len(self.palette) >= len(classes) else voc_palette(len(classes))


def image_index(
    run: Run,
    config: str | Path | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    truth: str | Path | None = None,
) -> ImageIndex:
    """Look up images and true masks in the datasets of a run's configs, and where its scores say.

    The configs are those that MMEngine leaves beside the records of trainings and tests; they are
    executed as every config is.

    Args:
        run: The run.
        config: A config to use instead.
        cfg_options: Replaced settings.
        truth: Folder of true masks to use instead of those of the datasets.
    """
    index = ImageIndex()
    paths = [
        path.parent / Path(record.config).name
        for path, record in run.of_kind('train', 'test').items()
        if record.config
    ]
    seen: list[Any] = []
    for path in paths if config is None else [Path(config)]:
        where = path if config is not None else path.relative_to(run.root)
        try:
            cfg = load_config(path, dict(cfg_options or {}))
        except (AttributeError, SyntaxError, *KNOWN_ERRORS) as error:
            if config is not None:
                raise
            index.problems[f'config {where}'] = f'{type(error).__name__}: {error}'
            continue
        loaders = [cfg.get(key) or {} for key in ('val_dataloader', 'test_dataloader')]
        datasets = [cfg.get('map_dataset'), *(loader.get('dataset') for loader in loaders)]
        for dataset_cfg in datasets:
            if dataset_cfg and dataset_cfg not in seen:  # trainings of a run share theirs
                seen.append(dataset_cfg)
                add_dataset(index, dataset_cfg, str(where))
    if truth is not None:
        index.truth = masks_in(Path(truth))
    else:
        for record in run.of_kind('score').values():
            folder = record.result.get('ground_truth')
            if isinstance(folder, str) and Path(folder).is_dir():
                index.truth = {**masks_in(Path(folder)), **index.truth}
    return index


def masks_in(folder: Path) -> dict[str, str]:
    """Path of each mask in a folder by id; empty if it holds none."""
    try:
        return {name: str(find_mask(folder, name)) for name in find_ids(folder, MASK_SUFFIXES)}
    except ValueError:
        return {}


def add_dataset(index: ImageIndex, dataset_cfg: Any, where: str) -> None:
    """Add the images and true masks of a dataset; one that does not load is a problem."""
    try:
        dataset = DATASETS.build(without_pipelines(dataset_cfg))
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    except (AttributeError, *KNOWN_ERRORS) as error:
        name = f'{dataset_cfg.get("type")} of {dataset_cfg.get("data_root", "")} in {where}'
        index.problems[f'dataset {name}'] = f'{type(error).__name__}: {error}'
        return
    for info in infos:
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


# --- scores ---------------------------------------------------------------------------------------


@dataclass
class Counted:
    """What was counted over the masks of a stage.

    Attributes:
        classes: Class names, background first.
        asked: Number of masks in the folder.
        counts: int64 (C, C + 1), see :func:`mmwsss.functional.confusion.confusion_counts`.
        instances: Instance-aware score of all images.
        image_iou: Mean IoU of each image over the classes that it has or was given, 0..1.
        report: What became of each image.
    """

    classes: list[str]
    asked: int
    counts: np.ndarray
    instances: InstanceScore
    image_iou: dict[str, float] = field(default_factory=dict)
    report: BatchReport = field(default_factory=BatchReport)


def count_stage(
    stage: Stage, index: ImageIndex, instances: str | Path | None = None, workers: int = 0
) -> Counted | None:
    """Compare the masks of a stage with the true ones, image by image.

    Args:
        stage: The stage.
        index: Where the true masks are.
        instances: Folder of instance maps, or a COCO or LVIS file. None: ``SegmentationObject`` beside
            the true masks where it has all images, else connected regions.
        workers: Processes; 0 works in this one.

    Returns:
        The counts; None if there are no true masks of these images or no list of classes.
    """
    classes = stage.record.classes or index.classes
    files = masks_in(stage.folder)
    ids = [name for name in files if name in index.truth]
    if not ids or not classes:
        return None
    if instances is None:
        folder = Path(index.truth[ids[0]]).parent.parent / VOC_INSTANCES
        if all(safe_join(folder, name, '.png').is_file() for name in ids):
            instances = folder
    score = InstanceScore(classes, instances)
    counted = Counted(
        list(classes), len(files), np.zeros((len(classes), len(classes) + 1), int), score
    )

    def work(name: str) -> tuple[np.ndarray, InstanceRecords]:
        true = load_mask(index.truth[name], len(classes))
        mask = load_mask(files[name], len(classes), image_size=true.shape)
        return confusion_counts(mask, true, len(classes)), score.count(name, mask, true)

    def add(name: str, found: tuple[np.ndarray, InstanceRecords]) -> None:
        counted.counts += found[0]
        counted.image_iou[name] = float(mean_iou(iou_from_counts(found[0])))
        score.add(found[1])

    label = f'scoring {stage.name}'
    counted.report = process_items(ids, work, None, label, workers, on_result=add)
    return counted


# --- pictures -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Picture:
    """One image with what was made of it.

    Attributes:
        name: Image id.
        note: Its score.
        tiles: (title, RGB uint8 (H, W, 3)) from left to right.
    """

    name: str
    note: str
    tiles: list[Tile]


@dataclass
class StageDrawer:
    """Draws the images of a stage.

    Attributes:
        stage: The stage.
        index: Where images and true masks are.
        counted: The stage's scores.
        predictions: Folders of a segmenter's masks, perhaps of the same images.
        problems: Why parts of pictures are missing.
        seen: Class ids in the pictures.
    """

    stage: Stage
    index: ImageIndex
    counted: Counted
    predictions: Sequence[Path] = ()
    problems: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def best_and_worst(self, count: int) -> dict[str, list[Picture]]:
        """Pictures of the best and of the worst images, at most ``count`` each."""
        iou = self.counted.image_iou
        names = sorted((n for n in iou if n in self.index.images), key=lambda n: (-iou[n], n))
        groups = {'best': names[:count], 'worst': names[max(len(names) - count, count) :][::-1]}
        return {
            heading: [picture for name in group if (picture := self.draw(name)) is not None]
            for heading, group in groups.items()
        }

    def legend(self) -> list[tuple[str, str]]:
        """Name and CSS colour of the object classes in the pictures."""
        classes = self.counted.classes
        palette = self.index.colours(classes)
        shown = sorted(i for i in self.seen if 0 < i < len(classes))
        return [(classes[i], 'rgb({}, {}, {})'.format(*palette[i])) for i in shown]

    def draw(self, name: str) -> Picture | None:
        """Draw an image; one that cannot be drawn is a problem, and None."""
        classes, stage = self.counted.classes, self.stage
        try:
            image = load_rgb(self.index.images[name], name)
            truth = load_mask(self.index.truth[name], len(classes))
            labels = load_mask(find_mask(stage.folder, name), len(classes))
            parts = ImageParts(name, image, truth=truth)
            setattr(parts, 'prediction' if stage.is_predicted else 'mask', labels)
            self.add_maps(parts)
            for folder in self.predictions:
                path = safe_join(folder, name, '.png')
                if path.is_file():
                    parts.prediction = load_mask(path, len(classes))
            tiles = image_tiles(parts, classes, self.index.colours(classes))
        except KNOWN_ERRORS as error:
            self.problems.append(f'{name}: {error}')
            return None
        self.seen |= {*np.unique(truth).tolist(), *np.unique(labels).tolist()}
        return Picture(name, f'mIoU {100 * self.counted.image_iou[name]:.1f}', tiles)

    def add_maps(self, parts: ImageParts) -> None:
        """Read the class maps, and refine them again step by step."""
        if self.stage.maps is None:
            return
        try:
            path = safe_join(self.stage.maps, parts.name, '.npz')
            parts.maps = load_class_maps(path, len(self.counted.classes))
            chain = RefinerChain(self.stage.record.settings.get('refiners') or ())
            parts.steps.update(chain.steps(parts.maps, parts.image, parts.name))
        except KNOWN_ERRORS as error:
            self.problems.append(f'{parts.name}: {error}')

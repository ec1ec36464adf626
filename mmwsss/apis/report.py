"""A report of a run as one HTML file: what ``tools/report.py`` runs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import mmwsss
from mmwsss.apis.run_folder import (
    RunFolder,
    RunRecord,
    mask_protocol,
    open_run,
    read_environment,
    read_scores,
    read_trainings,
)
from mmwsss.apis.run_images import ImageIndex, image_index
from mmwsss.apis.run_records import read_record
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.evaluation.folder import MASK_SUFFIXES, find_ids, find_mask
from mmwsss.evaluation.instances import InstanceFolder, open_instances
from mmwsss.evaluation.protocol import uses_ground_truth
from mmwsss.functional.confusion import confusion_counts, iou_from_counts, mean_iou
from mmwsss.functional.ia_miou import InstanceRecords, ia_miou_from_records, instance_ious
from mmwsss.io import (
    BatchReport,
    atomic_path,
    load_class_maps,
    load_mask,
    process_items,
    safe_join,
    voc_palette,
)
from mmwsss.refine.chain import RefinerChain
from mmwsss.utils.cli import KNOWN_ERRORS
from mmwsss.visualization.report import (
    Confusion,
    Gallery,
    Missing,
    Picture,
    RunReport,
    SizeScore,
    StageScore,
    render_page,
)
from mmwsss.visualization.tiles import ImageParts, image_tiles

__all__ = ['ReportOptions', 'describe_run', 'write_page', 'write_run_report']

PAGE_NAME = 'report.html'
VOC_INSTANCES = 'SegmentationObject'
COMPONENTS = 'connected regions of the true masks (there are no instance maps)'
SHOWN_ERRORS = 3
SAME_SCORE = 1e-4  # scores are stored in hundredths of a percent


@dataclass(frozen=True)
class ReportOptions:
    """What a report is made with.

    Attributes:
        config: Config whose datasets say where images and true masks are; None: those that the
            trainings of the run left beside their logs.
        cfg_options: Replaced settings of these configs, such as a moved ``data_root``.
        ground_truth: Folder of true masks; None: that of the config.
        instances: Folder of instance maps, or a COCO or LVIS file; None: ``SegmentationObject`` beside
            the true masks where it is, else connected regions.
        images: Number of best images, and of worst ones, of each stage.
        workers: Processes that score images; 0 works in this one.
    """

    config: str | Path | None = None
    cfg_options: Mapping[str, Any] | None = None
    ground_truth: str | Path | None = None
    instances: str | Path | None = None
    images: int = 4
    workers: int = 0


@dataclass
class Measured:
    """What was counted over the masks of a stage.

    Attributes:
        counts: int64 (C, C + 1), see :func:`mmwsss.functional.confusion_counts`.
        records: Instances of all images.
        image_iou: Mean IoU of each image over its own classes, 0..1.
        report: What became of each image.
    """

    counts: np.ndarray
    records: list[InstanceRecords]
    image_iou: dict[str, float]
    report: BatchReport


def write_run_report(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    options: ReportOptions | None = None,
) -> tuple[Path, RunReport]:
    """Write the report of a run.

    Args:
        root: Folder of the run.
        out: The page. None: ``report.html`` in ``root``.
        options: What to make it with.

    Returns:
        The page's path, and what it says.

    Raises:
        FileNotFoundError: ``root``, a config or a folder that ``options`` name does not exist.
        ValueError: ``root`` holds nothing of a run.
    """
    report = describe_run(open_run(root), options or ReportOptions())
    path = Path(root, PAGE_NAME) if out is None else Path(out)
    write_page(path, report)
    return path, report


def write_page(path: str | os.PathLike[str], report: RunReport) -> None:
    """Write a report; the file appears whole or not at all."""
    with atomic_path(path) as temporary:
        Path(temporary).write_text(render_page(report), encoding='utf-8')


def describe_run(run: RunFolder, options: ReportOptions) -> RunReport:
    """Gather everything a run left, score its masks and draw its images."""
    record = read_record(run)
    scores, curves, scored = read_scores(run)
    report = RunReport(
        title=record.title or ' / '.join(run.root.resolve().parts[-2:]),
        intro=record.intro,
        scores=record.scores or scores,
        curves=record.curves or curves,
        trainings=read_trainings(run),
        seconds=record.seconds,
        commands=record.commands,
        environment={**read_environment(run), **record.environment},
        extra=record.extra,
    )
    report.environment['mmwsss of this report'] = mmwsss.__version__
    if record.scores:
        scored |= {folder.resolve() for folder in record.names}
    index = image_index(run, options.config, options.cfg_options, options.ground_truth)
    for stage in stages_of(run, record):
        add_stage(report, run, stage, index, options, scored)
    report.missing += index.missing
    for path, reason in run.problems.items():
        report.missing.append(Missing(f'file {run.name(path)}', reason, failed=True))
    add_missing(run, report)
    return report


# --- stages ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """A folder of masks to score and to show.

    Attributes:
        name: As the report names it.
        masks: The folder.
        maps: The folder of the maps they were made of; None if there is none.
        ids: Its images.
        classes: Class names of its manifest; empty without one.
        refiners: Configs of the chain that made the masks.
        protocol: How they were made.
        uses_ground_truth: Whether the true masks chose something.
        scored: Whether its scores are shown, or only its images.
        predicted: Whether these are the predictions of a segmenter.
        predictions: Folders with a segmenter's masks, of perhaps the same images.
    """

    name: str
    masks: Path
    maps: Path | None
    ids: list[str]
    classes: list[str]
    refiners: list[dict[str, Any]]
    protocol: str
    uses_ground_truth: bool = False
    scored: bool = True
    predicted: bool = False
    predictions: list[Path] = field(default_factory=list)


def stages_of(run: RunFolder, record: RunRecord) -> list[Stage]:
    """Folders of pseudo masks, then those of segmenters."""
    stages = []
    for folder, manifest in run.masks.items():
        maps = run.maps_of(folder)
        settings = manifest.settings
        stages.append(
            Stage(
                name=record.names.get(folder, run.name(folder)),
                masks=folder,
                maps=maps,
                ids=ids_in(folder),
                classes=list(manifest.classes),
                refiners=list(settings.get('refiners') or ()),
                protocol=mask_protocol(run, folder),
                uses_ground_truth=uses_ground_truth([settings], settings.get('threshold_source')),
                scored=folder not in record.only_shown,
                predictions=run.predictions,
            )
        )
    order = list(record.names)
    for folder in sorted(
        run.predictions, key=lambda f: order.index(f) if f in order else len(order)
    ):
        ids = ids_in(folder)
        protocol = f'{len(ids)} images; predictions of a segmenter as they are in this folder'
        name = record.names.get(folder, run.name(folder))
        stages.append(Stage(name, folder, None, ids, [], [], protocol, predicted=True))
    return stages


def ids_in(folder: Path) -> list[str]:
    """Image ids of a folder of masks; empty if there are none."""
    try:
        return find_ids(folder, MASK_SUFFIXES)
    except ValueError:
        return []


def add_stage(
    report: RunReport,
    run: RunFolder,
    stage: Stage,
    index: ImageIndex,
    options: ReportOptions,
    scored: set[Path],
) -> None:
    """Score a folder of masks against the true ones and add what there is to say about it."""
    classes = stage.classes or index.classes
    ids = [name for name in stage.ids if name in index.truth]
    if not ids or not classes:
        what = 'true masks of these images' if classes else 'the list of classes'
        report.missing.append(
            Missing(
                f'scores and images of {stage.name}',
                f'{what} were not found (moved data: --cfg-options data_root=..., or --gt)',
                command('tools/report.py', str(run.root), '--gt', 'FOLDER_OF_TRUE_MASKS'),
            )
        )
        return
    source, where = instance_source(index.truth[ids[0]], ids, classes, options)
    measured = measure(stage.masks, index.truth, ids, classes, source, options.workers)
    if stage.scored:
        add_measured(report, stage, classes, measured, where, scored)
    if options.images > 0:
        add_gallery(report, stage, index, classes, measured, options.images)


def instance_source(
    truth: str, ids: Sequence[str], classes: Sequence[str], options: ReportOptions
) -> tuple[Callable[..., Any] | None, str]:
    """Where the objects of the images come from, and how to say it."""
    if options.instances is not None:
        return open_instances(options.instances, classes), f'of {Path(options.instances).name}'
    folder = Path(truth).parent.parent / VOC_INSTANCES
    if folder.is_dir() and all(safe_join(folder, name, '.png').is_file() for name in ids):
        return InstanceFolder(folder), f'instance maps of {VOC_INSTANCES}'
    return None, COMPONENTS


def measure(
    masks: Path,
    truth: Mapping[str, str],
    ids: Sequence[str],
    classes: Sequence[str],
    instances: Callable[..., Any] | None = None,
    workers: int = 0,
) -> Measured:
    """Compare masks with the true ones, image by image.

    Args:
        masks: Folder of masks.
        truth: Path of each true mask by id.
        ids: Images.
        classes: Class names, background first.
        instances: See :class:`mmwsss.evaluation.instances.InstanceFolder`; None: connected regions.
        workers: Processes; 0 works in this one.
    """
    found = Measured(np.zeros((len(classes), len(classes) + 1), np.int64), [], {}, BatchReport())

    def take(name: str, counted: tuple[np.ndarray, InstanceRecords]) -> None:
        counts, records = counted
        found.counts += counts
        found.records.append(records)
        found.image_iou[name] = image_score(counts)

    work = MaskCounter(masks, dict(truth), len(classes), instances)
    found.report = process_items(ids, work, None, f'scoring {masks.name}', workers, on_result=take)
    return found


@dataclass
class MaskCounter:
    """Counts one image; a class so that worker processes can take it."""

    masks: Path
    truth: dict[str, str]
    num_classes: int
    instances: Callable[..., Any] | None

    def __call__(self, name: str) -> tuple[np.ndarray, InstanceRecords]:
        """Return confusion counts and instance records."""
        true = load_mask(self.truth[name], self.num_classes)
        given = load_mask(find_mask(self.masks, name), self.num_classes, image_size=true.shape)
        objects = None if self.instances is None else self.instances(name, true.shape)
        records = instance_ious(given, true, objects, self.num_classes)
        return confusion_counts(given, true, self.num_classes), records


def image_score(counts: np.ndarray) -> float:
    """Mean IoU over the classes that an image has or was given."""
    return float(mean_iou(iou_from_counts(counts)))


def add_measured(
    report: RunReport,
    stage: Stage,
    classes: Sequence[str],
    measured: Measured,
    where: str,
    scored: set[Path],
) -> None:
    """Add scores by class and size, and the confusion."""
    if measured.report.failed:
        names = list(measured.report.failed.items())[:SHOWN_ERRORS]
        errors = '; '.join(f'{name}: {error}' for name, error in names)
        reason = f'{len(measured.report.failed)} images could not be scored, first: {errors}'
        report.missing.append(Missing(f'images of {stage.name}', reason, failed=True))
    if not measured.image_iou:
        return
    scores = ia_miou_from_records(measured.records, len(classes))
    iou = iou_from_counts(measured.counts)
    named = {name: none_for_nan(value) for name, value in zip(classes, iou)}
    if stage.masks.resolve() in scored:
        add_classes(report, stage.name, float(mean_iou(iou)), named)
    else:
        score = StageScore(
            stage.name,
            scored_protocol(stage, len(measured.image_iou)),
            float(mean_iou(iou)),
            named,
            stage.uses_ground_truth,
        )
        report.scores.append(score)
    keys = {'all': 'IA-mIoU', 'small': 'IA_S', 'medium': 'IA_M', 'large': 'IA_L'}
    counts = scores['num_instances']
    by_size = {size: none_for_nan(scores[key]) for size, key in keys.items()}
    numbers = {
        'all': counts['all'],
        **dict(zip(('small', 'medium', 'large'), map(counts.get, 'SML'))),
    }
    report.sizes.append(SizeScore(stage.name, by_size, numbers, where))
    report.confusions.append(Confusion(stage.name, list(classes), measured.counts))


def add_classes(
    report: RunReport, name: str, miou: float, per_class: dict[str, float | None]
) -> None:
    """Give a score that the run left without classes those of its masks, if these are what was scored."""
    for i, score in enumerate(report.scores):
        same = score.miou is not None and abs(score.miou - miou) < SAME_SCORE
        if score.name == name and not score.iou and same:
            report.scores[i] = replace(score, iou=per_class)


def scored_protocol(stage: Stage, count: int) -> str:
    """How masks were made, and how many were scored where some have no true mask or failed."""
    total = len(stage.ids)
    return stage.protocol + (
        f'; scored on {count} of these {total} images' if count < total else ''
    )


def none_for_nan(value: float) -> float | None:
    """A score, or None where it is undefined."""
    return None if np.isnan(value) else float(value)


# --- pictures -------------------------------------------------------------------------------------


def add_gallery(
    report: RunReport,
    stage: Stage,
    index: ImageIndex,
    classes: Sequence[str],
    measured: Measured,
    count: int,
) -> None:
    """Add the best and the worst images of a stage."""
    order = sorted(measured.image_iou, key=lambda name: (-measured.image_iou[name], name))
    shown = [name for name in order if name in index.images]
    best, worst = shown[:count], shown[max(len(shown) - count, count) :][::-1]
    palette = index.palette if len(index.palette) >= len(classes) else voc_palette(len(classes))
    drawer = StageDrawer(stage, index, list(classes), palette)
    notes = {name: f'mIoU {100 * measured.image_iou[name]:.1f}' for name in shown}
    groups = {
        heading: [picture for name in names if (picture := drawer.draw(name, notes[name]))]
        for heading, names in (('best', best), ('worst', worst))
    }
    for reason in dict.fromkeys(drawer.problems):
        report.missing.append(Missing(f'parts of the images of {stage.name}', reason))
    legend = [(classes[i], palette[i]) for i in sorted(drawer.seen) if 0 < i < len(classes)]
    note = (
        'Best and worst by the mean IoU of the image over the classes that it has or was given. '
        'Class maps: dark is low, yellow is high. Errors: blue is missed, orange is too much, pink '
        'is the wrong class.'
    )
    report.galleries.append(Gallery(f'Images: {stage.name}', note, groups, legend))


@dataclass
class StageDrawer:
    """Draws the images of a stage."""

    stage: Stage
    index: ImageIndex
    classes: list[str]
    palette: list[list[int]]
    problems: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def draw(self, name: str, note: str) -> Picture | None:
        """Draw an image; one that fails is a problem, and None."""
        try:
            return self._picture(name, note)
        except KNOWN_ERRORS as error:
            self.problems.append(f'{name}: {error}')
            return None

    def _picture(self, name: str, note: str) -> Picture:
        """Gather the parts of an image and lay them out."""
        num_classes = len(self.classes)
        parts = ImageParts(
            name=name,
            image=load_rgb(self.index.images[name], name),
            truth=load_mask(self.index.truth[name], num_classes),
        )
        labels = load_mask(find_mask(self.stage.masks, name), num_classes)
        if self.stage.predicted:
            parts.prediction = labels
        else:
            parts.mask = labels
        self.seen |= set(np.unique(parts.truth).tolist()) | set(np.unique(labels).tolist())
        self._add_maps(parts)
        for folder in self.stage.predictions:
            path = safe_join(folder, name, '.png')
            if path.is_file():
                parts.prediction = load_mask(path, num_classes)
        return Picture(name, note, image_tiles(parts, self.classes, self.palette))

    def _add_maps(self, parts: ImageParts) -> None:
        """Read the class maps, and refine them again step by step."""
        if self.stage.maps is None:
            return
        try:
            path = safe_join(self.stage.maps, parts.name, '.npz')
            parts.maps = load_class_maps(path, len(self.classes))
            chain = RefinerChain(self.stage.refiners)
            parts.steps.update(chain.steps(parts.maps, parts.image, parts.name))
        except KNOWN_ERRORS as error:
            self.problems.append(f'{parts.name}: {error}')


# --- what is missing ------------------------------------------------------------------------------


def add_missing(run: RunFolder, report: RunReport) -> None:
    """Say which parts there are not, and what makes them."""
    root = str(run.root)
    maps = next(iter(run.maps), run.root / 'maps')
    wanted = [
        (report.scores, 'scores', 'nothing of this run was scored', score_command(run, 'masks')),
        (
            report.curves,
            'threshold curve',
            'the class maps were not scored',
            command(
                'tools/eval_masks.py', str(maps), 'GT', '--maps', '--json', f'{root}/maps.json'
            ),
        ),
        (
            report.galleries,
            'images with panels',
            'no masks with images and true masks were found',
            score_command(run, 'masks'),
        ),
        (
            run.predictions,
            'predictions of a segmenter',
            'the run has no folder `predictions`',
            command('tools/test.py', 'CONFIG', 'CHECKPOINT', '--out', f'{root}/predictions'),
        ),
        (
            report.trainings,
            'training curves',
            "there is no log of a training (MMEngine's vis_data/scalars.json)",
            command('tools/train.py', 'CONFIG', '--work-dir', f'{root}/localizer'),
        ),
        (report.commands, 'commands', 'the run left no record of its commands', ''),
    ]
    for found, part, reason, how in wanted:
        if not found:
            report.missing.append(Missing(part, reason, how))


def score_command(run: RunFolder, name: str) -> str:
    """The command that scores a folder of masks."""
    folder = next(iter(run.masks), run.root / name)
    return command('tools/eval_masks.py', str(folder), 'GT', '--json', f'{run.root}/{name}.json')


def command(*words: str) -> str:
    """A command line of a tool."""
    return shlex.join(['python', *words])

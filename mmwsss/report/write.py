"""The report of a run as one HTML file: what ``tools/report.py`` runs."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from mmwsss.functional.confusion import mean_iou
from mmwsss.io import ARGMAX, MASK_SUFFIXES, Record, Score, percent, plain_values, write_text
from mmwsss.report import charts
from mmwsss.report.gallery import Gallery, draw_gallery
from mmwsss.report.images import (
    ImageIndex,
    StageResult,
    StageShares,
    count_stage,
    ids_in,
    image_index,
    score_stage,
)
from mmwsss.report.read import (
    Curves,
    Run,
    Stage,
    map_stages,
    mask_stages,
    open_run,
    read_curves,
    read_environment,
)
from mmwsss.utils.names import has_background, name_some
from mmwsss.version import __version__
from mmwsss.visualization.tiles import evenly_spaced

__all__ = ['Figure', 'ReportOptions', 'RunReport', 'render_page', 'write_run_report']

PAGE = 'report.html'
ThresholdCurve = list[tuple[float, Optional[float]]]  # evaluated on Python 3.9
SIZES = {'all': 'IA-mIoU', 'small': 'IA_S', 'medium': 'IA_M', 'large': 'IA_L'}


class Figure(NamedTuple):
    """A PNG or JPEG file for an extra section, and what it shows."""

    path: str | Path
    caption: str


@dataclass(frozen=True)
class ReportOptions:
    """What a report is made with.

    Attributes:
        config: Config whose datasets say where images and true masks are; None: those that the
            trainings and tests of the run left.
        cfg_options: Replaced settings of these configs, such as a moved ``data_root``.
        ground_truth: Folder of true masks; None: that of the config.
        instances: Folder of instance maps, or a COCO or LVIS file; None: ``SegmentationObject`` beside
            the true masks where it is, else connected regions.
        images: Number of best images, and of worst ones, of each stage.
        workers: Processes that score images; 0 works in this one.
        extra: Further sections: title -> text, markup (``markupsafe.Markup``) or :class:`Figure`.
    """

    config: str | Path | None = None
    cfg_options: Mapping[str, Any] | None = None
    ground_truth: str | Path | None = None
    instances: str | Path | None = None
    images: int = 4
    workers: int = 0
    extra: Mapping[str, str | Markup | Figure] = field(default_factory=dict)


class Missing(NamedTuple):
    """A part that the page does not have, why, what makes it; ``failed``: it is there and unusable."""

    part: str
    reason: str
    command: str = ''
    failed: bool = False


@dataclass
class RunReport:
    """Everything on the page; empty parts are left out.

    Attributes:
        title: Heading of the page.
        scores: Scores by name, in order; two may have the same name.
        curves: Name, (threshold, mIoU) and the score without a threshold of class maps.
        stages: Scores of the stages with masks.
        shares: Classes in the masks of the stages without true masks.
        galleries: Pictures of stages with masks, and of maps that no masks were made of.
        commands: To look at more images.
        warnings: Name of a stage, and what is doubtful about its masks.
        trainings: Curves of each training by its name.
        steps: Name, seconds and command of each stage.
        environment: Name -> value.
        extra: See :class:`ReportOptions`.
        missing: Parts left out.
    """

    title: str
    scores: list[tuple[str, Score]] = field(default_factory=list)
    curves: list[tuple[str, ThresholdCurve, float | None]] = field(default_factory=list)
    stages: list[StageResult] = field(default_factory=list)
    shares: list[StageShares] = field(default_factory=list)
    galleries: list[Gallery] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    trainings: dict[str, Curves] = field(default_factory=dict)
    steps: list[tuple[str, float, str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    extra: Mapping[str, str | Markup | Figure] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)

    @property
    def failed(self) -> list[Missing]:
        """Parts left out because something that is there cannot be used."""
        return [part for part in self.missing if part.failed]

    def miss(self, part: str, reason: str, command: str = '', failed: bool = False) -> None:
        """Note a part that the page does not have."""
        self.missing.append(Missing(part, reason, command, failed))

    def doubt(self, stage: Stage, doubts: Sequence[str]) -> None:
        """Note what is doubtful about the masks of a stage."""
        self.warnings += [(stage.name, doubt) for doubt in doubts]


def write_run_report(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    options: ReportOptions | None = None,
) -> tuple[Path, RunReport]:
    """Write the report of a run; the file appears whole or not at all.

    Args:
        root: Folder of the run.
        out: The page. None: ``report.html`` in ``root``.
        options: What to make it with.

    Returns:
        The page's path, and what it says.

    Raises:
        FileNotFoundError: ``root``, a config or a folder that ``options`` name does not exist.
        IsADirectoryError: ``out`` is a folder.
        ValueError: ``root`` holds nothing of a run.
    """
    path = Path(root, PAGE) if out is None else Path(out)
    if path.is_dir():
        raise IsADirectoryError(f'the page to write is a folder: {path}')
    report = describe_run(open_run(root), options or ReportOptions())
    write_text(path, render_page(report))
    return path, report


def describe_run(run: Run, options: ReportOptions) -> RunReport:
    """Gather what the records say, score the masks and draw their images."""
    report = RunReport(
        title=' / '.join(run.root.resolve().parts[-2:]),
        trainings=read_curves(run),
        environment={**read_environment(run), 'mmwsss of this page': __version__},
        extra=options.extra,
    )
    for path, record in run.records.items():
        add_record(report, run, path, record)
    index = image_index(run, options.config, options.cfg_options, options.ground_truth)
    stages = mask_stages(run)
    for stage in stages:
        add_stage(report, run, stage, index, options)
    predictions = [stage.folder for stage in stages if stage.is_predicted]
    for stage in [*stages, *map_stages(run)] if options.images else []:
        add_gallery(report, stage, index, options.images, [] if stage.is_predicted else predictions)
    if report.galleries:
        report.commands = more_commands(run, index, 4 * options.images)
    add_missing(report, run, index)
    return report


def add_record(report: RunReport, run: Run, path: Path, record: Record) -> None:
    """Add the scores of a record, by the name of what was scored where that is in the run, and its time."""
    name = run.name(run.made(record.inputs.get('predictions')) or path)
    argmax = [s.miou for s in record.scores if s.protocol.threshold_source == ARGMAX]
    for score in record.scores:
        title = name if score.what in ('masks', name) else f'{name}: {score.what}'
        title += ' with CRF' * (record.kind == 'test' and bool(score.protocol.crf))
        report.scores.append((title, score))
        if score.curve:
            report.curves.append((name, score.curve, next(iter(argmax), None)))
    if record.command:
        report.steps.append((run.name(path), record.seconds, record.command))
    if not record.complete:
        failed = f'; images that failed: {name_some(record.failed)}' if record.failed else ''
        reason = f'its record says that it is not complete{failed}'
        report.miss(f'the rest of {run.name(path)}', reason, record.command)


def add_stage(
    report: RunReport, run: Run, stage: Stage, index: ImageIndex, options: ReportOptions
) -> None:
    """Score the masks of a stage; without true masks count their classes."""
    result = score_stage(stage, index, options.instances, options.workers)
    if result is not None:
        return add_result(report, run, result)
    reason = 'no true masks of these images or no list of classes was found'
    command = f'mmwsss report {shlex.quote(str(run.root))} --gt FOLDER'
    report.miss(f'scores of {stage.name}', reason, command)
    if classes := list(stage.record.classes or index.classes):
        counted = count_stage(stage, classes, options.workers)
        miss_images(report, stage, counted.errors, 'read')
        if counted.pixels.any():
            report.shares.append(counted)
            report.doubt(stage, counted.doubts())


def add_gallery(
    report: RunReport, stage: Stage, index: ImageIndex, number: int, predictions: Sequence[Path]
) -> None:
    """Draw images of a stage: the best and the worst, or without true masks evenly chosen ones."""
    result = next((each for each in report.stages if each.stage is stage), None)
    if result is not None:
        groups = result.chosen(index.images, number)
    else:
        names = ids_in(stage.folder, ['.npz'] if stage.is_maps else MASK_SUFFIXES)
        names = [name for name in names if name in index.images]
        chosen = [names[i] for i in evenly_spaced(len(names), 2 * number)] if names else []
        groups = {'evenly chosen': dict.fromkeys(chosen, '')}
    if not any(groups.values()) or not (stage.record.classes or index.classes):
        return
    gallery = draw_gallery(stage, index, groups, predictions)
    if gallery.pictures:
        report.galleries.append(gallery)
    for name, reason in gallery.problems.items():
        report.miss(f'parts of the images of {stage.name}', f'{name}: {reason}')


def more_commands(run: Run, index: ImageIndex, number: int) -> list[str]:
    """Commands that show more images: in the report, and by each localizer of the run."""
    root = shlex.quote(str(run.root))
    folder = shlex.quote(str(Path(next(iter(index.images.values()))).parent))
    commands = [f'mmwsss report {root} --num-images {number}']
    for path, record in run.of_kind('train').items():
        checkpoint = record.result.get('checkpoint')
        if record.config and checkpoint and record.protocol.trained_on == 'image labels':
            config, weights = path.parent / Path(record.config).name, path.parent / str(checkpoint)
            parts = map(shlex.quote, map(str, (config, weights)))
            commands.append(f'mmwsss show {" ".join(parts)} {folder} --out {root}/pictures')
    return commands


def miss_images(report: RunReport, stage: Stage, errors: Mapping[str, str], what: str) -> None:
    """Name the masks of a stage that could not be used."""
    if errors:
        some = '; '.join([f'{name}: {error}' for name, error in errors.items()][:3])
        reason = f'{len(errors)} images could not be {what}, first: {some}'
        report.miss(f'images of {stage.name}', reason, failed=True)


def add_result(report: RunReport, run: Run, result: StageResult) -> None:
    """Add what was counted over masks: the score itself only where no record has it."""
    stage, count = result.stage, len(result.image_iou)
    miss_images(report, stage, result.errors, 'scored')
    if not count:
        return
    report.stages.append(result)
    report.doubt(stage, result.doubts())
    iou, digest = result.iou, stage.record.sha256()
    per_class = plain_values(dict(zip(result.classes, iou)))
    if stage.is_predicted:
        # A test loop keeps no scores by class; its predictions are with CRF if it had one.
        own = [s for s in stage.record.scores if s.what == stage.what and not s.per_class]
        for score in sorted(own, key=lambda score: score.protocol.crf is True)[-1:]:
            report.scores = [
                (name, replace(each, per_class=per_class) if each is score else each)
                for name, each in report.scores
            ]
    elif all(record.inputs.get('predictions') != digest for record in run.records.values()):
        left, made = result.asked - count, stage.record.protocol
        notes = [*made.notes, *[f'{left} other masks of this folder not scored'] * bool(left)]
        about = replace(made, images=count, failed=0, notes=notes)
        score = Score('masks', about, plain_values({'mIoU': mean_iou(iou)}), per_class)
        report.scores.append((stage.name, score))


def add_missing(report: RunReport, run: Run, index: ImageIndex) -> None:
    """Say which parts there are not, and which files cannot be used."""
    root = shlex.quote(str(run.root))
    score = 'mmwsss score --gt FOLDER'
    test = 'mmwsss test CONFIG CHECKPOINT'
    more = '--num-images 4' if index.images else '--config CONFIG'
    stages = mask_stages(run)
    predicted = any(stage.is_predicted for stage in stages)
    masks = shlex.quote(str(next((stage.folder for stage in stages), run.root / 'masks')))
    maps = shlex.quote(str(next((p.parent for p in run.of_kind('maps')), run.root / 'maps')))
    in_test, train = f'--work-dir {root}/test --out {root}/test', 'mmwsss train CONFIG'
    wanted: list[tuple[Any, str, str]] = [
        (report.scores, 'scores', f'{score} --masks {masks} --out {root}/masks_score'),
        (report.curves, 'threshold curve', f'{score} --maps {maps} --out {root}/maps_score'),
        (report.galleries, 'images with panels', f'mmwsss report {root} {more}'),
        (predicted, 'predictions of a segmenter', f'{test} {in_test}/predictions'),
        (report.trainings, 'training curves', f'{train} --work-dir {root}/localizer'),
    ]
    for there, part, command in wanted:
        if not there:
            report.miss(part, 'none were found', command)
    for name, reason in index.problems.items():
        report.miss(name, reason)
    for name, reason in run.problems.items():
        report.miss(f'file {name}', reason, failed=True)


# --- the page -------------------------------------------------------------------------------------


def render_page(report: RunReport) -> str:
    """Lay out a report as HTML that loads nothing and runs one script of ours, whatever its names contain."""
    script = files('mmwsss.report').joinpath('page.js').read_text('utf-8')
    environment = Environment(
        loader=PackageLoader('mmwsss.report', '.'),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: charts.plain_text(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, duration=duration, picture=picture_uri)
    environment.globals.update(colour=charts.series_colour, cell_style=charts.cell_style)
    rated = [row for row in report.scores if 'mIoU' in row[1].metrics]
    others = [row for row in report.scores if 'mIoU' not in row[1].metrics]
    return environment.get_template('page.html.j2').render(
        report=report,
        script=Markup(script),  # noqa: S704  (a file of this package)
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii'),
        share_chart=lambda: share_chart(report.shares),
        score_tables=[
            (rows, list(dict.fromkeys(k for _, s in rows for k in s.metrics if k != 'mIoU')))
            for rows in (rated, others)
            if rows
        ],
        class_names=[name for name, score in report.scores if score.per_class],
        class_chart=lambda: class_chart(report.scores),
        size_chart=lambda: size_chart(report.stages),
        threshold_chart=lambda: threshold_chart(report),
        loss_charts={name: loss_charts(curves) for name, curves in report.trainings.items()},
    )


def class_chart(rows: Sequence[tuple[str, Score]]) -> Markup:
    """IoU of each class, a bar for each score."""
    rows = [(name, score) for name, score in rows if score.per_class]
    classes = list(dict.fromkeys(name for _, score in rows for name in score.per_class))
    series = [[score.per_class.get(name) for name in classes] for _, score in rows]
    return charts.bar_chart(classes, series, 'IoU per class in percent')


def share_chart(stages: Sequence[StageShares]) -> Markup:
    """Share of the pixels of each object class, with the number of images."""
    objects = (stage.classes[has_background(stage.classes) :] for stage in stages)
    names = list(dict.fromkeys(name for each in objects for name in each))
    names.append('undecided')
    series, notes = [], []
    for stage in stages:
        rows = dict(zip([*stage.classes, 'undecided'], zip(stage.shares, stage.images)))
        series.append([rows[name][0] if name in rows else None for name in names])
        notes.append([f'({rows[name][1]} images)' if name in rows else '' for name in names])
    return charts.bar_chart(names, series, 'share of the pixels per class in percent', notes)


def size_chart(stages: Sequence[StageResult]) -> Markup:
    """Instance-aware mIoU by size, with the number of objects."""
    results = [stage.instances.result() for stage in stages if stage.instances]
    counts = [result['num_instances'] for result in results]
    notes = [[f'({count[size]} objects)' for size in ('all', 'S', 'M', 'L')] for count in counts]
    series = [[result[key] for key in SIZES.values()] for result in results]
    return charts.bar_chart(list(SIZES), series, 'IA-mIoU in percent by size of object', notes)


def threshold_chart(report: RunReport) -> Markup:
    """Scores over thresholds."""
    lines = [
        ([x for x, _ in points], [math.nan if y is None else 100 * y for _, y in points])
        for _, points, _ in report.curves
    ]
    levels = [None if level is None else 100 * level for *_, level in report.curves]
    title = 'mIoU in percent over background thresholds'
    return charts.line_chart(lines, title, 'background threshold', levels)


def loss_charts(curves: Curves) -> list[tuple[str, list[str], Markup]]:
    """Title, names of lines and chart: the losses of a training in one, each metric in its own.

    Equal lines are one with both names: the sum of a single loss would hide it.
    """
    losses: dict[Any, list[str]] = {}
    for name, (steps, values) in curves.items():
        if 'loss' in name.lower():
            losses.setdefault((tuple(steps), tuple(values)), []).append(name)
    metrics = {name: line for name, line in curves.items() if 'loss' not in name.lower()}
    names = [' = '.join(each) for each in losses.values()]
    drawn = [('losses', names, charts.line_chart(list(losses), 'losses', 'step'))] if losses else []
    return drawn + [(n, [], charts.line_chart([line], n, 'step')) for n, line in metrics.items()]


def duration(seconds: float) -> str:
    """A duration as people say it.

    Example:
        >>> duration(9.7), duration(218), duration(7260)
        ('10 s', '3 min 38 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return (
        f'{hours} h {left} min' if hours else f'{minutes} min {rest} s' if minutes else f'{rest} s'
    )


def picture_uri(picture: np.ndarray | Image.Image | str | Path) -> str:
    """A picture inside the page: a photo (H, W, 3) as JPEG, layers as PNG, a PNG or JPEG file as it is."""
    stream = io.BytesIO()
    if isinstance(picture, np.ndarray):
        Image.fromarray(picture).save(stream, format='JPEG', quality=88)
        kind, content = 'jpeg', stream.getvalue()
    elif isinstance(picture, Image.Image):
        picture.save(stream, format='PNG', optimize=True)
        kind, content = 'png', stream.getvalue()
    else:
        kind = 'png' if Path(picture).suffix == '.png' else 'jpeg'
        content = Path(picture).read_bytes()
    return f'data:image/{kind};base64,{base64.b64encode(content).decode("ascii")}'

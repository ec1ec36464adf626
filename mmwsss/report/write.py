"""The report of a run as one HTML file: what ``tools/report.py`` runs."""

from __future__ import annotations

import base64
import io
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from mmwsss.functional.confusion import iou_from_counts, mean_iou
from mmwsss.io import Protocol, Record, Score, atomic_path
from mmwsss.io.record import ARGMAX, percent, plain_values
from mmwsss.report import charts
from mmwsss.report.images import (
    Counted,
    ImageIndex,
    Picture,
    StageDrawer,
    count_stage,
    image_index,
)
from mmwsss.report.read import (
    Curves,
    Run,
    Stage,
    mask_stages,
    open_run,
    read_curves,
    read_environment,
)
from mmwsss.utils.names import name_some
from mmwsss.version import __version__

__all__ = ['Figure', 'ReportOptions', 'RunReport', 'render_page', 'write_run_report']

PAGE = 'report.html'
INSTANCE_SCORES = ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L')
MAX_MATRIX = 41
MAX_PLAIN = 10  # classes of a matrix that one takes in at a glance
MOST_CONFUSED = 12
SHOWN_ERRORS = 3


@dataclass(frozen=True)
class Figure:
    """A picture of an extra section.

    Attributes:
        path: A PNG or JPEG file.
        caption: What it shows.
    """

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
        title: Heading of the page; empty: the name of the folder.
        intro: What the run did.
        extra: Further sections: title -> text, markup (``markupsafe.Markup``) or a picture.
    """

    config: str | Path | None = None
    cfg_options: Mapping[str, Any] | None = None
    ground_truth: str | Path | None = None
    instances: str | Path | None = None
    images: int = 4
    workers: int = 0
    title: str = ''
    intro: str = ''
    extra: Mapping[str, str | Markup | Figure] = field(default_factory=dict)


class NamedScore(NamedTuple):
    """A score and what the page calls it."""

    name: str
    score: Score


class SizeScore(NamedTuple):
    """Instance-aware scores of a stage, the number of objects of each, and whose objects they are."""

    name: str
    scores: list[float | None]
    counts: list[int]
    note: str


class ThresholdCurve(NamedTuple):
    """(threshold, mIoU) of class maps, and their score without a threshold where they have one."""

    name: str
    points: list[tuple[float, float | None]]
    level: float | None


class Confusion(NamedTuple):
    """Pixels by true and given class, int64 (C, C + 1); the last column is undecided."""

    name: str
    classes: list[str]
    counts: np.ndarray

    @property
    def floor(self) -> float:
        """MIoU of masks of nothing but background."""
        empty = np.zeros_like(self.counts)
        empty[:, 0] = self.counts.sum(1)
        return float(mean_iou(iou_from_counts(empty)))

    @property
    def columns(self) -> list[str]:
        """The given classes; undecided where there is any."""
        return [*self.classes, *(['undecided'] if self.counts[:, -1].any() else [])]

    @property
    def shares(self) -> np.ndarray:
        """Share of each true class by given class; NaN rows where there are no pixels."""
        totals = self.counts.sum(1, keepdims=True)
        nothing = np.full(self.counts.shape, np.nan)
        shares = np.divide(self.counts, totals, out=nothing, where=totals > 0)
        return shares[:, : len(self.columns)]

    @property
    def largest(self) -> list[tuple[str, str, float]]:
        """The largest shares of a wrong class: true class, given class, share."""
        wrong = np.nan_to_num(self.shares)
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind='stable')[:MOST_CONFUSED]
        pairs = [np.unravel_index(i, wrong.shape) for i in order]
        return [
            (self.classes[i], self.columns[j], wrong[i, j]) for i, j in pairs if wrong[i, j] > 0
        ]


class Gallery(NamedTuple):
    """Pictures of a stage by heading, and (class, CSS colour) of what they show."""

    name: str
    groups: dict[str, list[Picture]]
    legend: list[tuple[str, str]]


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
        intro: What the run did.
        scores: Scores of the stages, in order.
        sizes: Scores by size of object.
        curves: Scores over thresholds.
        confusions: Confusion of classes.
        galleries: Images.
        trainings: Curves of each training by its name.
        steps: Name, seconds and command of each stage.
        environment: Name -> value.
        extra: See :class:`ReportOptions`.
        missing: Parts left out.
    """

    title: str
    intro: str = ''
    scores: list[NamedScore] = field(default_factory=list)
    sizes: list[SizeScore] = field(default_factory=list)
    curves: list[ThresholdCurve] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    galleries: list[Gallery] = field(default_factory=list)
    trainings: dict[str, Curves] = field(default_factory=dict)
    steps: list[tuple[str, float, str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    extra: Mapping[str, str | Markup | Figure] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)

    @property
    def failed(self) -> list[Missing]:
        """Parts left out because something that is there cannot be used."""
        return [part for part in self.missing if part.failed]


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
        ValueError: ``root`` holds nothing of a run.
    """
    report = describe_run(open_run(root), options or ReportOptions())
    path = Path(root, PAGE) if out is None else Path(out)
    with atomic_path(path) as temporary:
        Path(temporary).write_text(render_page(report), encoding='utf-8')
    return path, report


def describe_run(run: Run, options: ReportOptions) -> RunReport:
    """Gather what the records say, score the masks and draw their images."""
    report = RunReport(
        title=options.title or ' / '.join(run.root.resolve().parts[-2:]),
        intro=options.intro,
        trainings=read_curves(run),
        environment={**read_environment(run), 'mmwsss of this page': __version__},
        extra=options.extra,
    )
    for path, record in run.records.items():
        add_recorded(report, run, path, record)
        if record.command:
            report.steps.append((run.name(path), record.seconds, record.command))
    index = image_index(run, options.config, options.cfg_options, options.ground_truth)
    stages = mask_stages(run)
    predictions = [stage.folder for stage in stages if stage.is_predicted]
    for stage in stages:
        counted = count_stage(stage, index, options.instances, options.workers)
        if counted is None:
            reason = 'no true masks of these images, or no list of classes, was found'
            add_missing(report, f'scores and images of {stage.name}', reason, *report_words(run))
            continue
        add_counted(report, run, stage, counted)
        if options.images:
            drawer = StageDrawer(stage, index, counted, [] if stage.is_predicted else predictions)
            add_gallery(report, drawer, options.images)
    add_all_missing(report, run, index, bool(predictions))
    return report


# --- scores ---------------------------------------------------------------------------------------


def add_recorded(report: RunReport, run: Run, path: Path, record: Record) -> None:
    """Add the scores of a record, by the name of what was scored where that is in the run."""
    name = run.name(run.made(record.inputs.get('predictions')) or path)
    argmax = [s.miou for s in record.scores if s.protocol.threshold_source == ARGMAX]
    for score in record.scores:
        title = name if score.what in ('masks', name) else f'{name}: {score.what}'
        title += ' with CRF' * (record.kind == 'test' and bool(score.protocol.crf))
        report.scores.append(NamedScore(title, score))
        if score.curve:
            report.curves.append(ThresholdCurve(name, score.curve, next(iter(argmax), None)))


def add_counted(report: RunReport, run: Run, stage: Stage, counted: Counted) -> None:
    """Add confusion, scores by size, and the score itself where no record has it."""
    if counted.report.failed:
        errors = [f'{name}: {error}' for name, error in counted.report.failed.items()]
        reason = f'{len(errors)} could not be scored, first: {"; ".join(errors[:SHOWN_ERRORS])}'
        report.missing.append(Missing(f'images of {stage.name}', reason, failed=True))
    if not counted.image_iou:
        return
    iou = iou_from_counts(counted.counts)
    per_class = plain_values(dict(zip(counted.classes, iou)))
    if stage.is_predicted:
        add_classes(report, stage, per_class)
    elif not any(
        r.inputs.get('predictions') == stage.record.sha256() for r in run.records.values()
    ):
        metrics = plain_values({'mIoU': float(mean_iou(iou))})
        score = Score('masks', counted_protocol(stage, counted), metrics, per_class)
        report.scores.append(NamedScore(stage.name, score))
    found = counted.instances.result()
    number = found['num_instances']
    report.sizes.append(
        SizeScore(
            stage.name,
            [found[key] for key in INSTANCE_SCORES],
            [number['all'], *(number[size] for size in 'SML')],
            '; '.join(counted.instances.notes()),
        )
    )
    report.confusions.append(Confusion(stage.name, counted.classes, counted.counts))


def add_classes(report: RunReport, stage: Stage, per_class: dict[str, float | None]) -> None:
    """Give the score of a test, which has no classes, those of its predictions (with CRF, if it had one)."""
    own = [
        i
        for i, (_, score) in enumerate(report.scores)
        if score.what == stage.what and any(score is each for each in stage.record.scores)
    ]
    for i in sorted(own, key=lambda i: report.scores[i].score.protocol.crf is True)[-1:]:
        name, score = report.scores[i]
        report.scores[i] = NamedScore(name, replace(score, per_class=score.per_class or per_class))


def counted_protocol(stage: Stage, counted: Counted) -> Protocol:
    """How masks were made, and how many of them are scored."""
    left, protocol = counted.asked - len(counted.image_iou), stage.record.protocol
    notes = [f'{left} others of this folder not scored'] if left else []
    count = len(counted.image_iou)
    return replace(protocol, images=count, failed=0, notes=[*protocol.notes, *notes])


def add_gallery(report: RunReport, drawer: StageDrawer, images: int) -> None:
    """Add the best and the worst images of a stage."""
    name = drawer.stage.name
    groups = {h: pictures for h, pictures in drawer.best_and_worst(images).items() if pictures}
    for problem in dict.fromkeys(drawer.problems):
        add_missing(report, f'parts of the images of {name}', problem)
    if groups:
        report.galleries.append(Gallery(name, groups, drawer.legend()))


# --- what is missing ------------------------------------------------------------------------------


def add_missing(report: RunReport, part: str, reason: str, *words: str) -> None:
    """Say what the page does not have, and the command that makes it."""
    command = shlex.join(['python', *words]) if words else ''
    report.missing.append(Missing(part, reason, command))


def report_words(run: Run) -> tuple[str, ...]:
    """The command that scores and shows masks whose data have moved."""
    return 'tools/report.py', str(run.root), '--gt', 'FOLDER_OF_TRUE_MASKS'


def add_all_missing(report: RunReport, run: Run, index: ImageIndex, predicted: bool) -> None:
    """Say which parts there are not, which stages are not complete and which files cannot be used."""
    root = str(run.root)
    score, test = 'tools/eval_masks.py', ('tools/test.py', 'CONFIG', 'CHECKPOINT')
    wanted: list[tuple[Any, str, str, tuple[str, ...]]] = [
        (
            report.scores,
            'scores',
            'nothing of this run was scored',
            (score, f'{root}/masks', 'GT', '--json', f'{root}/masks_score'),
        ),
        (
            report.curves,
            'threshold curve',
            'no class maps were scored',
            (score, f'{root}/maps', 'GT', '--maps', '--json', f'{root}/maps_score'),
        ),
        (
            report.galleries,
            'images with panels',
            'there are no masks with images and true masks, or none were asked for',
            report_words(run),
        ),
        (
            predicted,
            'predictions of a segmenter',
            'no test of this run kept its predictions',
            (*test, '--work-dir', f'{root}/test', '--out', f'{root}/test/predictions'),
        ),
        (
            report.trainings,
            'training curves',
            'the run has no training with a log',
            ('tools/train.py', 'CONFIG', '--work-dir', f'{root}/localizer'),
        ),
    ]
    for there, part, reason, words in wanted:
        if not there:
            add_missing(report, part, reason, *words)
    for path, record in run.records.items():
        if not record.complete:
            failed = f'; images that failed: {name_some(record.failed)}' if record.failed else ''
            reason = f'its record says that it is not complete{failed}'
            report.missing.append(Missing(f'the rest of {run.name(path)}', reason, record.command))
    for name, reason in index.problems.items():
        add_missing(report, name, reason)
    for name, reason in run.problems.items():
        report.missing.append(Missing(f'file {name}', reason, failed=True))


# --- the page -------------------------------------------------------------------------------------


def render_page(report: RunReport) -> str:
    """Lay out a report as HTML that loads and runs nothing, whatever the names in it contain."""
    environment = Environment(
        loader=PackageLoader('mmwsss.report', '.'),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, duration=duration, picture=picture_uri)
    environment.globals.update(
        colour=charts.series_colour,
        cell_style=charts.cell_style,
        line_chart=charts.line_chart,
        loss_charts=loss_charts,
        max_matrix=MAX_MATRIX,
        max_plain=MAX_PLAIN,
    )
    template = environment.get_template('page.html.j2')
    return template.render(
        report=report,
        others=list(dict.fromkeys(k for _, s in report.scores for k in s.metrics if k != 'mIoU')),
        class_names=[name for name, score in report.scores if score.per_class],
        class_chart=class_chart(report.scores),
        size_chart=size_chart(report.sizes),
        threshold_chart=threshold_chart(report.curves),
    )


def shown(value: Any) -> Any:
    """What the template shows of a value."""
    return charts.plain_text(value) if type(value) is str else value


def class_chart(rows: Sequence[NamedScore]) -> Markup:
    """IoU of each class, a bar for each score."""
    rows = [row for row in rows if row.score.per_class]
    classes = list(dict.fromkeys(name for _, score in rows for name in score.per_class))
    series = [(name, [score.per_class.get(cls) for cls in classes]) for name, score in rows]
    return charts.bar_chart(classes, series, 'IoU per class in percent') if rows else Markup()


def size_chart(sizes: Sequence[SizeScore]) -> Markup:
    """Instance-aware mIoU by size, with the number of objects."""
    series = [(size.name, size.scores) for size in sizes]
    notes = [[f'({count} objects)' for count in size.counts] for size in sizes]
    groups, title = ('all', 'small', 'medium', 'large'), 'IA-mIoU in percent by size of object'
    return charts.bar_chart(groups, series, title, notes) if sizes else Markup()


def threshold_chart(curves: Sequence[ThresholdCurve]) -> Markup:
    """Scores over thresholds."""
    lines = [
        (
            [x for x, _ in curve.points],
            [math.nan if y is None else 100 * y for _, y in curve.points],
        )
        for curve in curves
    ]
    levels = [None if curve.level is None else 100 * curve.level for curve in curves]
    title = 'mIoU in percent over background thresholds'
    return charts.line_chart(lines, title, 'background threshold', levels) if lines else Markup()


def loss_charts(curves: Curves) -> list[tuple[str, list[str], Markup]]:
    """Title, names of lines and chart: the losses of a training in one, each metric in its own.

    Equal lines are one with both names: the sum of a single loss would hide it.
    """
    losses: dict[Any, list[str]] = {}
    for name, (steps, values) in curves.items():
        if 'loss' in name.lower():
            losses.setdefault((tuple(steps), tuple(values)), []).append(name)
    found = []
    if losses:
        names = [' = '.join(each) for each in losses.values()]
        found.append(('losses', names, charts.line_chart(list(losses), 'losses', 'step')))
    for name, line in curves.items():
        if 'loss' not in name.lower():
            found.append((name, [], charts.line_chart([line], name, 'step')))
    return found


def duration(seconds: float) -> str:
    """A duration as people say it.

    Example:
        >>> duration(9.7), duration(218), duration(7260)
        ('10 s', '3 min 38 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f'{whole} s'
    if whole < 3600:
        return f'{whole // 60} min {whole % 60} s'
    return f'{whole // 3600} h {whole % 3600 // 60} min'


def picture_uri(picture: np.ndarray | str | Path) -> str:
    """A picture inside the page: an RGB array (H, W, 3) as JPEG, a PNG or JPEG file as it is."""
    kind = 'jpeg'
    if isinstance(picture, np.ndarray):
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, format='JPEG', quality=88)
        content = stream.getvalue()
    else:
        kind = 'png' if Path(picture).suffix == '.png' else kind
        content = Path(picture).read_bytes()
    return f'data:image/{kind};base64,{base64.b64encode(content).decode("ascii")}'

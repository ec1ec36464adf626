"""The page of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mmwsss.evaluation.tables import percent
from mmwsss.functional.confusion import iou_from_counts, mean_iou
from mmwsss.visualization.report.charts import (
    Line,
    bar_groups,
    colour_key,
    line_chart,
    matrix,
    one_bar,
)
from mmwsss.visualization.report.content import (
    Confusion,
    Gallery,
    Picture,
    RunReport,
    SizeScore,
    ThresholdCurve,
    Training,
)
from mmwsss.visualization.report.html import (
    Html,
    anchors_of,
    data_uri,
    distinct,
    document,
    join,
    section,
    table,
    tag,
)

__all__ = ['render_page']

SIZES = ('all', 'small', 'medium', 'large')
MAX_MATRIX = 41
MAX_PLAIN = 10  # a matrix that one takes in at a glance
MOST_CONFUSED = 12
GROUND_TRUTH_TAG = 'uses ground truth: evaluation only'


def render_page(report: RunReport) -> str:
    """Lay out a report.

    Args:
        report: What it says.

    Returns:
        A page in HTML that holds everything it shows.
    """
    sections = [  # no mapping: two stages may have one name
        ('Scores', scores_part(report)),
        ('IoU per class', classes_part(report)),
        ('IoU by object size', sizes_part(report.sizes)),
        *report.extra.items(),
        *((gallery.title, gallery_part(gallery)) for gallery in report.galleries),
        ('Threshold curve (evaluation only)', curves_part(report.curves)),
        ('Confusion of classes', confusion_part(report.confusions)),
        ('Training', training_part(report.trainings)),
        ('Time', time_part(report.seconds)),
        ('Environment and commands', environment_part(report)),
        ('Not in this report', missing_part(report)),
    ]
    shown = [(title, content) for title, content in sections if content]
    titles = [title for title, _ in shown]
    anchors = anchors_of(titles)
    parts = [
        section(title, content, anchor=anchor) for anchor, (title, content) in zip(anchors, shown)
    ]
    intro = tag('p', report.intro, class_='note') if report.intro else Html('')
    return document(
        report.title, tag('h1', report.title), intro, navigation(anchors, titles), *parts
    )


def navigation(anchors: Sequence[str], titles: Sequence[str]) -> Html:
    """Links to the sections."""
    links = [tag('a', title, href=f'#{anchor}') for anchor, title in zip(anchors, titles)]
    return tag('nav', *links)


def scores_part(report: RunReport) -> Html | None:
    """All scores with their protocol."""
    if not report.scores:
        return None
    others = list(dict.fromkeys(key for score in report.scores for key in score.others))
    rows = []
    for score in report.scores:
        name = [tag('b', score.name)]
        if score.uses_ground_truth:
            name += [' ', tag('span', GROUND_TRUTH_TAG, class_='tag')]
        more = [percent(score.others.get(key)) for key in others]
        rows.append([join(*name), one_bar(score.miou, 'var(--accent)'), *more, score.protocol])
    header = ('what', 'mIoU %', *(f'{key} %' for key in others), 'protocol')
    note = (
        'mIoU: mean over the classes that occur, background included, over all pixels of all images '
        'together; pixels labelled 255 do not count.'
    )
    numbers = range(2, 2 + len(others))
    return join(table(header, rows, numbers, cards=True), tag('p', note, class_='note'))


def classes_part(report: RunReport) -> Html | None:
    """IoU of each class, a bar for each score."""
    scores = [score for score in report.scores if score.iou]
    if not scores:
        return None
    classes = list(dict.fromkeys(name for score in scores for name in score.iou))
    names = distinct([score.name for score in scores])
    series = {name: [score.iou.get(cls) for cls in classes] for name, score in zip(names, scores)}
    return join(bar_groups(classes, series), tag('p', 'IoU in percent.', class_='note'))


def sizes_part(sizes: list[SizeScore]) -> Html | None:
    """Instance-aware mIoU by size, with the number of objects."""
    if not sizes:
        return None
    shown = [key for key in SIZES if any(key in size.scores for size in sizes)]
    names = distinct([size.name for size in sizes])
    series = {name: [size.scores.get(key) for key in shown] for name, size in zip(names, sizes)}
    notes = {
        name: [f'({size.counts[key]} objects)' if key in size.counts else '' for key in shown]
        for name, size in zip(names, sizes)
    }
    sources = '; '.join(dict.fromkeys(f'{size.instances}' for size in sizes))
    note = (
        'Instance-aware mIoU in percent (IA-mIoU, IA_S, IA_M, IA_L): every object counts the same '
        'within its class. Small: below 32 x 32 pixels, large: from 96 x 96 on. '
        f'Objects: {sources}.'
    )
    return join(bar_groups(shown, series, notes), tag('p', note, class_='note'))


def curves_part(curves: list[ThresholdCurve]) -> Html | None:
    """mIoU over thresholds."""
    if not curves:
        return None
    named = dict(zip(distinct([curve.name for curve in curves]), curves))
    lines = {
        name: (curve.thresholds, [100 * (math.nan if m is None else m) for m in curve.miou])
        for name, curve in named.items()
    }
    levels = {name: 100 * c.argmax_miou for name, c in named.items() if c.argmax_miou is not None}
    title = 'mIoU in percent over background thresholds'
    chart = line_chart(lines, title, 'background threshold', levels)
    note = (
        'This uses the ground truth of the images: it says how good the maps are, and must not choose '
        'a threshold. A dashed line is the score of the same maps without a threshold.'
    )
    return join(tag('div', chart, class_='charts'), tag('p', note, class_='note'))


def confusion_part(confusions: list[Confusion]) -> Html | None:
    """Matrices, and the largest confusions."""
    parts: list[Html] = []
    for confusion in confusions:
        counts = np.asarray(confusion.counts, dtype=np.float64)
        totals = counts.sum(1, keepdims=True)
        shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
        columns = [*confusion.classes, 'undecided']
        if not counts[:, -1].any():
            columns, shares = columns[:-1], shares[:, :-1]
        parts.append(tag('h3', confusion.name))
        floor = background_score(confusion.counts)
        if floor is not None:
            text = f'Masks of nothing but background would score {percent(floor)} % mIoU here.'
            parts.append(tag('p', text, class_='note'))
        if len(confusion.classes) <= MAX_MATRIX:
            parts.append(matrix(shares, confusion.classes, columns))
        if len(confusion.classes) > MAX_PLAIN:
            parts.append(confused_table(shares, confusion.classes, columns))
    if not parts:
        return None
    note = tag(
        'p',
        'Rows: true class. Columns: the class its pixels were given, in percent.',
        class_='note',
    )
    return join(note, *parts)


def background_score(counts: np.ndarray) -> float | None:
    """mIoU of masks without any object, from (C, C + 1) counts; None without labelled pixels."""
    given = np.zeros_like(counts)
    given[:, 0] = counts.sum(1)
    return float(mean_iou(iou_from_counts(given))) if given.any() else None


def confused_table(shares: np.ndarray, rows: list[str], columns: list[str]) -> Html:
    """The largest shares of pixels with a wrong class."""
    wrong = np.nan_to_num(shares.copy())
    wrong[np.arange(len(rows)), np.arange(len(rows))] = 0
    order = np.argsort(-wrong, axis=None, kind='stable')[:MOST_CONFUSED]
    pairs = [np.unravel_index(i, wrong.shape) for i in order]
    lines = [[rows[i], columns[j], f'{100 * wrong[i, j]:.1f}'] for i, j in pairs if wrong[i, j] > 0]
    if not lines:
        return Html('')
    return join(
        tag('p', 'Largest:', class_='note'),
        table(('true class', 'given', '% of its pixels'), lines, numbers=(2,)),
    )


def gallery_part(gallery: Gallery) -> Html | None:
    """Images with their tiles."""
    groups = {heading: pictures for heading, pictures in gallery.groups.items() if pictures}
    if not groups:
        return None
    colours = ['rgb({}, {}, {})'.format(*colour) for _, colour in gallery.legend]
    parts = [
        tag('p', gallery.note, class_='note'),
        colour_key([name for name, _ in gallery.legend], colours) if gallery.legend else Html(''),
    ]
    for heading, pictures in groups.items():
        parts += [tag('h3', heading), *(picture_card(picture) for picture in pictures)]
    return join(*parts)


def picture_card(picture: Picture) -> Html:
    """One image."""
    tiles = [
        tag(
            'figure',
            tag('img', src=data_uri(tile), alt=f'{title} of {picture.name}', loading='lazy'),
            tag('figcaption', title),
        )
        for title, tile in picture.tiles
    ]
    head = tag('p', tag('b', tag('bdi', picture.name)), ' ', picture.note)
    return tag('div', head, tag('div', *tiles, class_='tiles'), class_='card')


def training_part(trainings: list[Training]) -> Html | None:
    """Losses of a training in one chart, each metric in its own."""
    parts: list[Html] = []
    for training in trainings:
        charts = []
        if training.losses:
            charts.append(line_chart(joined(training.losses), 'losses', 'step'))
        charts += [
            line_chart({name: line}, name, 'step') for name, line in training.metrics.items()
        ]
        if charts:
            parts += [tag('h3', training.name), tag('div', *charts, class_='charts')]
    return join(*parts) if parts else None


def joined(lines: Mapping[str, Line]) -> dict[str, Line]:
    """The same curves, equal ones as one with both names: the sum of a single loss hides it."""
    names: dict[tuple[tuple[float, ...], ...], list[str]] = {}
    for name, (steps, values) in lines.items():
        names.setdefault((tuple(steps), tuple(values)), []).append(name)
    return {' = '.join(found): line for line, found in names.items()}


def spent_time(seconds: float) -> str:
    """A duration as people say it.

    Example:
        >>> spent_time(9.7), spent_time(218), spent_time(7260)
        ('10 s', '3 min 38 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f'{whole} s'
    if whole < 3600:
        return f'{whole // 60} min {whole % 60} s'
    return f'{whole // 3600} h {whole % 3600 // 60} min'


def time_part(seconds: dict[str, float]) -> Html | None:
    """Wall time of the steps."""
    if not seconds:
        return None
    rows = [[name, spent_time(spent)] for name, spent in seconds.items()]
    return table(('step', 'wall time'), [*rows, ['sum', spent_time(sum(seconds.values()))]], (1,))


def environment_part(report: RunReport) -> Html | None:
    """Versions, hardware and the commands of the run."""
    parts = []
    if report.environment:
        parts.append(table(('', ''), list(report.environment.items())))
    if report.commands:
        parts.append(tag('h3', 'Commands'))
    for command, seconds in report.commands:
        took = f'  # {spent_time(seconds)}' if seconds is not None else ''
        parts.append(tag('pre', command + took))
    return join(*parts) if parts else None


def missing_part(report: RunReport) -> Html | None:
    """What was left out, why, and how to get it."""
    if not report.missing:
        return None
    entries = []
    for part in report.missing:
        command = tag('pre', part.command) if part.command else Html('')
        entries.append(tag('li', tag('b', part.part), f': {part.reason}', command))
    return tag('ul', *entries)

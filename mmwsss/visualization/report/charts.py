"""Bars, curves and matrices as HTML and SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np

from mmwsss.visualization.report.html import Html, join, tag

__all__ = ['COLOURS', 'Line', 'bar_groups', 'colour_key', 'line_chart', 'matrix']

# Okabe and Ito's colours, which colour-blind readers tell apart.
COLOURS = ('#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#999999')
DASHES = (None, '6 3', '2 2', '8 3 2 3')
WIDTH, HEIGHT = 360, 220
LEFT, TOP, RIGHT, BOTTOM = 42, 10, 10, 34
MAX_POINTS = 300

Line = tuple[Sequence[float], Sequence[float]]


def series_colour(index: int) -> str:
    """Colour of a series; they repeat with other dashes."""
    return COLOURS[index % len(COLOURS)]


def colour_key(names: Sequence[str], colours: Sequence[str] | None = None) -> Html:
    """Which colour is what."""
    colours = [series_colour(i) for i in range(len(names))] if colours is None else colours
    entries = [
        tag('span', tag('span', '', class_='swatch', style=f'background:{colour}'), name)
        for name, colour in zip(names, colours)
    ]
    return tag('div', *entries, class_='key')


def bar_groups(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    notes: Mapping[str, Sequence[str]] | None = None,
) -> Html:
    """Horizontal bars of scores in 0..1, one group below the other, with the percent beside them.

    Args:
        groups: Name of each group, such as a class.
        series: Per series, one score for each group; None or NaN where it is undefined.
        notes: Per series, a text behind each number.
    """
    cells: list[Html] = []
    longest = max((len(note) for given in (notes or {}).values() for note in given), default=0)
    for i, group in enumerate(groups):
        bars = [
            one_bar(values[i], series_colour(j), notes[name][i] if notes else '', longest)
            for j, (name, values) in enumerate(series.items())
        ]
        cells += [tag('span', group), tag('div', *bars, class_='group')]
    return join(colour_key(list(series)), tag('div', *cells, class_='bars'))


def one_bar(value: float | None, colour: str, note: str = '', longest: int = 0) -> Html:
    """A bar with its number; a dash where there is no score. ``longest``: letters of the longest note."""
    if value is None or math.isnan(value):
        return tag('div', tag('b', f'- {note}'.strip()), class_='bar')
    room = 3.2 + 0.45 * longest  # for the number and the note behind a full bar
    width = f'calc((100% - {room:.2f}rem) * {min(max(value, 0.0), 1.0):.4f})'
    bar = tag('i', '', style=f'width:{width};background:{colour}')
    return tag('div', bar, tag('b', f'{100 * value:.2f} {note}'.strip()), class_='bar')


def line_chart(
    lines: Mapping[str, Line],
    title: str,
    x_title: str,
    levels: Mapping[str, float] | None = None,
) -> Html:
    """Curves on common axes.

    Args:
        lines: Name -> (x, y); points that are not finite are left out.
        title: What is shown; the text for readers who do not see it.
        x_title: Below the axis.
        levels: Name of a line -> a level drawn across in its colour.
    """
    points = {name: thinned(line) for name, line in lines.items()}
    levels = dict(levels or {})
    x_ticks = nice_ticks([x for line in points.values() for x, _ in line])
    values = [y for line in points.values() for _, y in line] + list(levels.values())
    y_ticks = nice_ticks(values)
    x_axis, y_axis = (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1])
    parts = axes(x_ticks, y_ticks, x_title)
    for i, (name, line) in enumerate(points.items()):
        stroke = dict(stroke=series_colour(i), stroke_width=1.8, fill='none')
        dash = DASHES[i // len(COLOURS) % len(DASHES)]
        path = ' '.join('{:.1f},{:.1f}'.format(*place(x, y, x_axis, y_axis)) for x, y in line)
        parts.append(tag('polyline', points=path, stroke_dasharray=dash, **stroke))
        if name in levels:
            y = place(0, levels[name], x_axis, y_axis)[1]
            across = f'M{LEFT} {y:.1f}H{WIDTH - RIGHT}'
            parts.append(tag('path', d=across, stroke_dasharray='4 3', **stroke))
    box = f'0 0 {WIDTH} {HEIGHT}'
    chart = tag('svg', *parts, viewBox=box, role='img', aria_label=title)
    return tag('figure', tag('figcaption', title), chart, colour_key(list(lines)))


def thinned(line: Line) -> list[tuple[float, float]]:
    """At most ``MAX_POINTS`` finite points, the last one among them."""
    points = [(x, y) for x, y in zip(*line) if math.isfinite(x) and math.isfinite(y)]
    step = -(-len(points) // MAX_POINTS) or 1
    return points[len(points) - 1 :: -step][::-1] if points else []


def nice_ticks(values: Sequence[float], intervals: int = 5) -> list[float]:
    """Round numbers around the values, 0 among them where it is near."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if 0 < low < 0.5 * high:
        low = 0.0
    least = 1e-9 * max(abs(low), abs(high))  # below it, rounding would make the ticks equal
    if high - low <= least:
        half = max(0.5, least)
        low, high = low - half, low + half
    rough = (high - low) / intervals
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = 12 - math.floor(math.log10(step))
    return [round(i * step, digits) for i in range(first, last + 1)]


def place(
    x: float, y: float, x_axis: tuple[float, float], y_axis: tuple[float, float]
) -> tuple[float, float]:
    """Position of a point in the drawing."""
    across = (x - x_axis[0]) / (x_axis[1] - x_axis[0])
    up = (y - y_axis[0]) / (y_axis[1] - y_axis[0])
    return LEFT + across * (WIDTH - LEFT - RIGHT), TOP + (1 - up) * (HEIGHT - TOP - BOTTOM)


def axes(x_ticks: Sequence[float], y_ticks: Sequence[float], x_title: str) -> list[Html]:
    """Grid lines and numbers."""
    parts = []
    x_axis, y_axis = (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1])
    line = dict(stroke='#8886', stroke_width=0.6)
    for level in y_ticks:
        x, y = place(x_axis[0], level, x_axis, y_axis)
        parts.append(tag('path', d=f'M{x} {y:.1f}H{WIDTH - RIGHT}', **line))
        parts.append(text(x - 4, y + 3.5, short(level), 'end'))
    for at in x_ticks:
        x, y = place(at, y_axis[0], x_axis, y_axis)
        parts.append(tag('path', d=f'M{x:.1f} {y:.1f}v3', **line))
        parts.append(text(x, y + 14, short(at), 'middle'))
    return [*parts, text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, x_title, 'middle')]


def short(value: float) -> str:
    """A number for an axis: three digits, no exponent below a million."""
    return f'{value:.0f}' if 1000 <= abs(value) < 1e6 else f'{value:.3g}'


def text(x: float, y: float, content: str, anchor: str) -> Html:
    """Text in an SVG."""
    place = dict(x=f'{x:.1f}', y=f'{y:.1f}')
    return tag('text', content, **place, font_size=10, fill='currentColor', text_anchor=anchor)


def matrix(shares: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Html:
    """A table of shares as coloured cells with percent in them.

    Args:
        shares: (len(rows), len(columns)), 0..1; NaN rows are empty.
        rows: Names of the rows.
        columns: Names of the columns.
    """
    head = tag('tr', tag('th', ''), *(tag('th', name, class_='up') for name in columns))
    body = [
        tag('tr', tag('th', name), *(cell(share) for share in line))
        for name, line in zip(rows, shares)
    ]
    return tag('div', tag('table', head, *body, class_='matrix'), class_='scroll')


def cell(share: float) -> Html:
    """A cell of a matrix, empty below half a percent."""
    if not share >= 0.005:
        return tag('td', '')
    colour = matplotlib.colormaps['cividis'](share)
    bright = 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2] > 0.5
    style = f'background:{matplotlib.colors.to_hex(colour)};color:{"#000" if bright else "#fff"}'
    return tag('td', f'{100 * share:.0f}', style=style)

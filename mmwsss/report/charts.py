"""Charts of a report as SVG inside the page, in the text colour of the page."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

__all__ = ['bar_chart', 'cell_style', 'line_chart', 'plain_text', 'series_colour']

# Okabe and Ito's colours, which colour-blind readers tell apart.
COLOURS = ('#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#999999')
STYLES = ('-', '--', ':', '-.')
WIDTH, HEIGHT = 5.0, 3.0  # inches of 72 units
TEXT_COLOUR = '#010203'  # replaced by that of the page
SETTINGS: dict[Any, Any] = {
    'svg.fonttype': 'none',  # text stays text
    'svg.hashsalt': 'mmwsss',  # the same data give the same file
    'text.parse_math': False,
    'font.family': 'sans-serif',
    'font.sans-serif': ['DejaVu Sans'],
    'font.size': 10,
    **dict.fromkeys(('text.color', 'axes.labelcolor', 'xtick.color', 'ytick.color'), TEXT_COLOUR),
}
MAX_POINTS = 300
CONTROL = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]')


def plain_text(text: str) -> str:
    """A text with control characters and half characters made visible, as HTML and fonts need it."""
    return CONTROL.sub('\ufffd', text)


def series_colour(index: int) -> str:
    """Colour of a series; lines repeat them with other dashes."""
    return COLOURS[index % len(COLOURS)]


def line_chart(
    lines: Sequence[tuple[Sequence[float], Sequence[float]]],
    title: str,
    x_title: str,
    levels: Sequence[float | None] = (),
) -> Markup:
    """Curves on common axes; the page names them by their colours.

    Args:
        lines: (x, y) of each.
        title: What is shown, for readers who do not see it.
        x_title: Below the axis.
        levels: For each line, a level drawn across in its colour, or None.
    """
    with matplotlib.rc_context(SETTINGS):
        figure, axes = new_axes(HEIGHT)
        for i, (x, y) in enumerate(lines):
            step = -(-len(x) // MAX_POINTS) or 1
            kept = slice((len(x) - 1) % step, None, step)  # the last point is among them
            style = STYLES[i // len(COLOURS) % len(STYLES)]
            marker = 'o' if len(x) < 3 else None
            axes.plot(x[kept], y[kept], style, color=series_colour(i), marker=marker, ms=3)
        for i, level in enumerate(levels):
            if level is not None:
                axes.axhline(level, color=series_colour(i), linestyle='--', linewidth=1)
        axes.grid(color='#888888', alpha=0.4, linewidth=0.6)
        axes.set_xlabel(plain_text(x_title))
        return svg(figure, title)


def bar_chart(
    groups: Sequence[str],
    series: Sequence[Sequence[float | None]],
    title: str,
    notes: Sequence[Sequence[str]] = (),
) -> Markup:
    """Horizontal bars of scores in 0..1 with the percent beside them, one group below the other.

    Args:
        groups: Name of each group, such as a class.
        series: Scores, one for each group; None or NaN where it is undefined.
        title: What is shown, for readers who do not see it.
        notes: For each series, a text behind each number.
    """
    number, longest = len(series), max((len(note) for row in notes for note in row), default=0)
    with matplotlib.rc_context({**SETTINGS, 'font.size': 9}):
        figure, axes = new_axes(0.2 + len(groups) * (0.14 + 0.155 * number))
        place = np.arange(len(groups)) * (number + 0.9)
        for j, values in enumerate(series):
            widths = np.array(values, float)  # None becomes NaN
            bars = axes.barh(place + j, np.nan_to_num(widths), 0.8, color=series_colour(j))
            texts = ['-' if math.isnan(width) else f'{100 * width:.2f}' for width in widths]
            texts = [f'{t} {note}' for t, note in zip(texts, notes[j])] if notes else texts
            axes.bar_label(bars, [plain_text(text) for text in texts], padding=3, fontsize=8)
        axes.set_yticks(place + (number - 1) / 2, [plain_text(group) for group in groups])
        axes.set_xlim(0, 1.14 + 0.022 * longest)
        axes.set_ylim((number + 0.9) * len(groups) - 1, -0.8)
        axes.set_xticks([])
        axes.tick_params(length=0)
        return svg(figure, title)


def new_axes(height: float) -> tuple[Figure, Axes]:
    """Axes without a frame, as wide as a phone shows them."""
    figure = Figure(figsize=(WIDTH, height), layout='constrained')
    axes = figure.subplots()
    axes.spines[:].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    return figure, axes


def svg(figure: Figure, title: str) -> Markup:
    """A figure as an element of the page."""
    stream = io.StringIO()
    FigureCanvasSVG(figure)
    nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Glyph', UserWarning)  # the reader's font has it
        figure.savefig(stream, format='svg', transparent=True, metadata=nothing)
    text = stream.getvalue()
    text = text[text.index('<svg') :].replace(TEXT_COLOUR, 'currentColor')
    text = re.sub(r' id="[\w.]+_\d+"| xmlns(:xlink)?="[^"]*"|<!--.*?-->|\n\s*', ' ', text)
    text = text.replace('<svg', f'<svg role="img" aria-label="{escape(title)}"', 1)
    return Markup(text)  # noqa: S704  (Matplotlib escapes the names in it)


def cell_style(share: float) -> str:
    """CSS colours of a cell of a matrix with a share in 0..1, none below half a percent."""
    if not share >= 0.005:
        return ''
    colour = matplotlib.colormaps['cividis'](share)
    bright = 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2] > 0.5
    return f'background:{matplotlib.colors.to_hex(colour)};color:{"#000" if bright else "#fff"}'

"""Figures of how many objects of which size there are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmwsss.functional.ia_miou import LARGE_AREA, SMALL_AREA
from mmwsss.io import atomic_path

__all__ = ['SIZE_COLOURS', 'draw_sides', 'draw_size_bars', 'save_figure']

SIZE_COLOURS = {'S': '#d1495b', 'M': '#edae49', 'L': '#30638e'}
LABELS = {'S': 'small, below 32²', 'M': 'medium, below 96²', 'L': 'large'}


def draw_size_bars(axes: Axes, objects: Mapping[str, Mapping[str, int]]) -> None:
    """Draw three bars per class, on a logarithmic scale: its small, medium and large objects.

    Args:
        axes: Where to draw.
        objects: Class name -> number of objects by ``'S'``, ``'M'``, ``'L'``.
    """
    names, place = list(objects), np.arange(len(objects))
    for k, (size, label) in enumerate(LABELS.items()):
        heights = [objects[name][size] for name in names]
        axes.bar(place + 0.28 * (k - 1), heights, 0.28, label=label, color=SIZE_COLOURS[size])
    axes.set_xticks(place, names, rotation=50, ha='right')
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_yscale('symlog', linthresh=1)
    most = max((n for of_class in objects.values() for n in of_class.values()), default=0)
    axes.set_ylim(0, 2 * max(1, most))
    axes.set_ylabel('objects')
    axes.yaxis.set_major_formatter('{x:.0f}')
    axes.grid(axis='y', linewidth=0.4)
    axes.set_axisbelow(True)


def draw_sides(axes: Axes, areas: Sequence[int]) -> None:
    """Draw a histogram of the objects' sides, the roots of ``areas`` >= 1, with the bounds of sizes."""
    sides = np.sqrt(np.asarray(areas, dtype=float))
    bins = np.geomspace(1, max(1024.0, sides.max(initial=1)), 41)
    axes.hist(sides, bins=bins, color='0.45')
    axes.set_xscale('log', base=2)
    axes.xaxis.set_major_formatter('{x:.0f}')
    axes.set_xlabel('side of the object in pixels (square root of its area)')
    axes.set_ylabel('objects')
    for bound in (SMALL_AREA, LARGE_AREA):
        axes.axvline(bound**0.5, zorder=0, color='black', linestyle='--', linewidth=1)
    top = 1.25 * axes.get_ylim()[1]
    axes.set_ylim(0, top)
    share = np.histogram(sides, [0, SMALL_AREA**0.5, LARGE_AREA**0.5, np.inf])[0]
    for x, ha, size, count in zip((30, 55, 102), ('right', 'center', 'left'), LABELS, share):
        text = f'{LABELS[size].split(",")[0]}: {count}'
        place = dict(ha=ha, va='top', color=SIZE_COLOURS[size], weight='bold')
        axes.text(x, 0.96 * top, text, **place)


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int = 100) -> None:
    """Write a figure as PNG, whole or not at all; it needs no display."""
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format='png')

"""Figures of how many objects of which size there are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

__all__ = ['LABELS', 'SIZE_COLOURS', 'draw_size_bars']

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

"""Scores as text tables and as values that JSON can hold."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from mmwsss.io.record import percent

__all__ = ['class_table', 'percent', 'share_table', 'threshold_table']

Floats = Union[Sequence[float], np.ndarray]
USES_GROUND_TRUTH = 'uses ground truth: an evaluation aid, not a way to choose a threshold'


def class_table(names: Sequence[str], columns: Mapping[str, Floats]) -> str:
    """Lay out scores in 0..1 per class, in percent.

    Args:
        names: Class names.
        columns: Scores per class by title.
    """
    rows = zip(*(map(percent, map(float, column)) for column in columns.values()))
    return _text(['class', *columns], [[name, *cells] for name, cells in zip(names, rows)])


def share_table(shares: Sequence[Mapping[str, Any]]) -> str:
    """Lay out how much of some masks each class is: rows of ``mmwsss.stages.predict.class_shares``."""
    rows = [[r['name'], f'{r["pixels"]:,}', percent(r['share']), str(r['images'])] for r in shares]
    return _text(['class', 'pixels', '% of all', 'images'], rows)


def threshold_table(
    thresholds: Sequence[float], miou: Floats, argmax_miou: float | None = None
) -> str:
    """Lay out mIoU over background thresholds, marking the best; says that it uses ground truth.

    Args:
        thresholds: T thresholds.
        miou: T scores in 0..1.
        argmax_miou: Score of the argmax over background and classes, without threshold.
    """
    rows = _marked(thresholds, miou, 'best')
    if argmax_miou is not None:
        rows.append(['none (argmax)', percent(argmax_miou), ''])
    table = _text(['threshold', 'mIoU', ''], rows)
    return f'mIoU of class maps over thresholds ({USES_GROUND_TRUTH})\n{table}'


def separation_table(thresholds: Sequence[float], separation: Floats) -> str:
    """Lay out how well thresholds (T) separate colours (T numbers in 0..1), marking the best one."""
    table = _text(['threshold', 'separation %', ''], _marked(thresholds, separation, 'chosen'))
    about = '100: the best of every image; no masks are used'
    return f'separation of the colours of foreground and background ({about})\n{table}'


def _marked(thresholds: Sequence[float], values: Floats, mark: str) -> list[list[str]]:
    """Rows of thresholds and values in 0..1; ``mark`` stands beside the largest value."""
    best = best_index(values)
    return [
        [f'{threshold:.3g}', percent(float(value)), mark if i == best else '']
        for i, (threshold, value) in enumerate(zip(thresholds, values))
    ]


def _text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table whose first column is text and the others are numbers."""
    table = Table(box=box.ASCII2)
    for i, title in enumerate(header):
        table.add_column(title, justify='right' if i else 'left', no_wrap=True)
    for row in rows:
        table.add_row(*row)
    file = io.StringIO()
    Console(file=file, width=10_000, markup=False, emoji=False, highlight=False).print(table)
    return file.getvalue().rstrip('\n')


def best_index(miou: Floats) -> int:
    """Position of the largest score, the first of equals; 0 where none is defined."""
    return int(np.nan_to_num(np.asarray(miou, dtype=float), nan=-1.0).argmax())

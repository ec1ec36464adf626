"""Scores as text tables and as values that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np
from prettytable import PrettyTable

__all__ = ['class_table', 'jsonable', 'percent', 'threshold_table']

Floats = Union[Sequence[float], np.ndarray]
USES_GROUND_TRUTH = 'uses ground truth: an evaluation aid, not a way to choose a threshold'


def percent(value: float | None) -> str:
    """Format a score in 0..1 as percent with two decimals; ``-`` where it is undefined."""
    return '-' if value is None or math.isnan(value) else f'{100 * value:.2f}'


def class_table(names: Sequence[str], columns: Mapping[str, Floats]) -> str:
    """Lay out scores in 0..1 per class, in percent.

    Args:
        names: Class names.
        columns: Scores per class by title.
    """
    table = PrettyTable(['class', *columns])
    table.align['class'] = 'l'
    for i, name in enumerate(names):
        table.add_row([name, *(percent(float(column[i])) for column in columns.values())])
    return table.get_string()


def threshold_table(
    thresholds: Sequence[float], miou: Floats, argmax_miou: float | None = None
) -> str:
    """Lay out mIoU over background thresholds, marking the best; says that it uses ground truth.

    Args:
        thresholds: T thresholds.
        miou: T scores in 0..1.
        argmax_miou: Score of the argmax over background and classes, without threshold.
    """
    best = best_index(miou)
    table = PrettyTable(['threshold', 'mIoU', ''])
    for i, (threshold, score) in enumerate(zip(thresholds, miou)):
        table.add_row([f'{threshold:.3g}', percent(float(score)), 'best' if i == best else ''])
    if argmax_miou is not None:
        table.add_row(['none (argmax)', percent(argmax_miou), ''])
    return f'mIoU of class maps over thresholds ({USES_GROUND_TRUTH})\n{table.get_string()}'


def best_index(miou: Floats) -> int:
    """Position of the largest score, the first of equals; 0 where none is defined."""
    return int(np.nan_to_num(np.asarray(miou, dtype=float), nan=-1.0).argmax())


def jsonable(value: Any) -> Any:
    """Turn NumPy values into Python's and NaN into None."""
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return jsonable(value.tolist())
    return None if isinstance(value, float) and math.isnan(value) else value

"""Slow loops of SEAM's formulas, in plain Python floats."""

from __future__ import annotations

import math

import numpy as np


def winners_loop(scores: np.ndarray) -> np.ndarray:
    """(K, h, w) -> (K + 1, h, w)."""
    classes, height, width = scores.shape
    out = np.zeros((classes + 1, height, width))
    for y in range(height):
        for x in range(width):
            column = [float(v) for v in scores[:, y, x]]
            out[0, y, x] = 1 - max(column)
            for k in range(classes):
                out[k + 1, y, x] = column[k] if column[k] == max(column) else 0
    return out


def correlation_loop(features: np.ndarray, scores: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(C, h, w), (M, h, w), (h, w) -> (M, h, w); pixels outside give and get nothing."""
    _, height, width = features.shape
    places = list(np.ndindex(height, width))
    unit = {}
    for y, x in places:
        vector = [float(v) * float(inside[y, x]) for v in features[:, y, x]]
        length = math.sqrt(sum(v * v for v in vector)) + 1e-5
        unit[y, x] = [v / length for v in vector]
    out = np.zeros(scores.shape)
    for here in places:
        weights = [max(sum(a * b for a, b in zip(unit[here], unit[p])), 0) for p in places]
        for m in range(len(scores)):
            total = sum(weight * scores[m][place] for weight, place in zip(weights, places))
            out[(m, *here)] = total / (sum(weights) + 1e-5)
    return out


def hardest_loop(errors: np.ndarray, inside: np.ndarray, fraction: float) -> float:
    """(N, M, h, w), (N, h, w)."""
    means = []
    for error, mask in zip(errors, inside):
        values = sorted(
            (e[p] for e in error for p in np.ndindex(mask.shape) if mask[p]), reverse=True
        )
        count = max(int(fraction * len(values)), 1)
        means.append(sum(values[:count]) / count)
    return sum(means) / len(means)

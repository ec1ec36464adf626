"""Otsu's criterion on colours, pixel by pixel."""

from __future__ import annotations

import numpy as np


def plain_separation(colours, scores, threshold: float) -> float:
    """Variance of the halves' mean colours over the variance of the colours."""
    halves = {True: [], False: []}
    for y in range(len(scores)):
        for x in range(len(scores[0])):
            halves[bool(scores[y][x] > threshold)].append(colours[y, x].astype(np.float64))
    if not halves[True] or not halves[False]:
        return 0.0
    pixels = halves[True] + halves[False]
    mean = sum(pixels) / len(pixels)
    total = sum(((pixel - mean) ** 2).sum() for pixel in pixels)
    if not total:
        return 0.0
    between = 0.0
    for half in halves.values():
        between += len(half) * ((sum(half) / len(half) - mean) ** 2).sum()
    return between / total

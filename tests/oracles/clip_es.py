"""Slow loops of CLIP-ES's formulas, in plain Python floats."""

from __future__ import annotations

import numpy as np


def min_max_loop(values: np.ndarray) -> np.ndarray:
    """One map (h, w) to 0..1."""
    low, high = float(values.min()), float(values.max())
    out = np.zeros(values.shape)
    for place in np.ndindex(values.shape):
        out[place] = (float(values[place]) - low) / (high - low + 1e-7)
    return out


def gradient_map_loop(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """GradCAM of one class from (C, h, w) twice."""
    channels, height, width = activations.shape
    total = np.zeros((height, width))
    for c in range(channels):
        weight = 0.0
        for y in range(height):
            for x in range(width):
                weight += float(gradients[c, y, x]) / (height * width)
        for y in range(height):
            for x in range(width):
                total[y, x] += weight * float(activations[c, y, x])
    for place in np.ndindex(total.shape):
        total[place] = max(total[place], 0.0)
    return min_max_loop(total)


def affinity_loop(attention: np.ndarray) -> np.ndarray:
    """Mean of (blocks, L, L), three times columns then rows, symmetric, squared."""
    blocks, length, _ = attention.shape
    w = np.zeros((length, length))
    for b in range(blocks):
        for i in range(length):
            for j in range(length):
                w[i, j] += float(attention[b, i, j]) / blocks
    for _ in range(3):
        for j in range(length):
            column = sum(w[i, j] for i in range(length))
            for i in range(length):
                w[i, j] /= column
        for i in range(length):
            row = sum(w[i, j] for j in range(length))
            for j in range(length):
                w[i, j] /= row
    even = np.zeros_like(w)
    for i in range(length):
        for j in range(length):
            even[i, j] = (w[i, j] + w[j, i]) / 2
    out = np.zeros_like(w)
    for i in range(length):
        for j in range(length):
            for k in range(length):
                out[i, j] += even[i, k] * even[k, j]
    return out


def boxes_loop(values: np.ndarray, threshold: float) -> np.ndarray:
    """Pixels in the boxes of the regions (8 neighbours) above a share of the peak, by flooding."""
    height, width = values.shape
    limit = threshold * values.max()
    inside, seen = np.zeros((height, width), bool), set()
    for start in np.ndindex(height, width):
        if start in seen or not values[start] > limit:
            continue
        region, todo = {start}, [start]
        while todo:
            y, x = todo.pop()
            for ny in range(max(y - 1, 0), min(y + 2, height)):
                for nx in range(max(x - 1, 0), min(x + 2, width)):
                    if (ny, nx) not in region and values[ny, nx] > limit:
                        region.add((ny, nx))
                        todo.append((ny, nx))
        seen |= region
        for y in range(min(p[0] for p in region), max(p[0] for p in region) + 1):
            for x in range(min(p[1] for p in region), max(p[1] for p in region) + 1):
                inside[y, x] = True
    return inside


def refined_loop(values: np.ndarray, affinity: np.ndarray, threshold: float) -> np.ndarray:
    """``minmax(W M)`` with the columns of W that lie in M's boxes."""
    height, width = values.shape
    inside = boxes_loop(values, threshold)
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for v in range(height):
                for u in range(width):
                    if inside[v, u]:
                        out[y, x] += affinity[y * width + x, v * width + u] * float(values[v, u])
    return min_max_loop(out)

"""Slow loops of WeCLIP's formulas, in plain Python floats."""

from __future__ import annotations

import math

import numpy as np


def affinity_loop(features: np.ndarray) -> np.ndarray:
    """``sigmoid(f_i . f_j)`` of all cells of (C, h, w)."""
    cells = [features[:, y, x] for y in range(features.shape[1]) for x in range(features.shape[2])]
    out = np.zeros((len(cells), len(cells)))
    for i, one in enumerate(cells):
        for j, other in enumerate(cells):
            out[i, j] = 1 / (1 + math.exp(-sum(float(a) * float(b) for a, b in zip(one, other))))
    return out


def selected_loop(attention: np.ndarray, affinity: np.ndarray) -> np.ndarray:
    """Mean of those of (blocks, L, L) with ``sum (A - W)`` at most the mean of these sums, times A."""
    gaps = []
    for block in attention:
        gap = 0.0
        for place in np.ndindex(affinity.shape):
            gap += float(affinity[place]) - float(block[place])
        gaps.append(gap)
    limit = sum(gaps) / len(gaps)
    kept = [block for block, gap in zip(attention, gaps) if gap <= limit]
    out = np.zeros(affinity.shape)
    for place in np.ndindex(affinity.shape):
        mean = sum(float(block[place]) for block in kept) / len(kept)
        out[place] = mean * float(affinity[place])
    return out


def affinity_loss_loop(
    affinity: np.ndarray, labels: np.ndarray, radius: int, ignore_index: int = 255
) -> float:
    """The affinity's loss of (N, L, L) and labels (N, h, w)."""
    same, different = [], []
    _, height, width = labels.shape
    for matrix, label in zip(affinity, labels):
        for y, x, v, u in np.ndindex(height, width, height, width):
            if abs(y - v) > radius or abs(x - u) > radius:
                continue
            if ignore_index in (label[y, x], label[v, u]):
                continue
            value = float(matrix[y * width + x, v * width + u])
            if label[y, x] == label[v, u]:
                same.append(1 - value)
            else:
                different.append(value)
    return sum(sum(part) / len(part) if part else 0.0 for part in (same, different)) / 2


def halved_ce_loop(logits: np.ndarray, labels: np.ndarray, ignore_index: int = 255) -> list[float]:
    """Half of the mean cross-entropy of background and of foreground pixels: (N, C, H, W), (N, H, W)."""
    parts: tuple[list[float], list[float]] = ([], [])
    for n, y, x in np.ndindex(labels.shape):
        label = int(labels[n, y, x])
        if label == ignore_index:
            continue
        values = [float(v) for v in logits[n, :, y, x]]
        total = sum(math.exp(v) for v in values)
        parts[label > 0].append(math.log(total) - values[label])
    return [sum(part) / len(part) / 2 if part else 0.0 for part in parts]

"""IRNet's losses by explicit loops over pixel pairs (float64 python numbers)."""

from __future__ import annotations

import math

import numpy as np

from tests.oracles.random_walk import pair_affinity


def losses(
    edge: np.ndarray, displacement: np.ndarray, labels: np.ndarray, radius: float, eps: float = 1e-5
) -> dict[str, float]:
    """Edge (N, h, w), displacement (N, 2, h, w), labels (N, h, w) -> the two halves and the total."""
    bg_pos, fg_pos, neg, fg_move, bg_move = [], [], [], [], []
    number, height, width = edge.shape
    for n in range(number):
        for yi in range(height):
            for xi in range(width):
                for yj in range(yi, height):
                    for xj in range(width):
                        dy, dx = yj - yi, xj - xi
                        if not (dy > 0 or dx > 0) or dy**2 + dx**2 >= radius**2:
                            continue
                        first, second = labels[n, yi, xi], labels[n, yj, xj]
                        if 255 in (first, second):
                            continue
                        affinity = pair_affinity(edge[n], (yi, xi), (yj, xj))
                        if first != second:
                            neg.append(-math.log(1 + eps - affinity))
                            continue
                        move = displacement[n, :, yi, xi] - displacement[n, :, yj, xj]
                        if first == 0:
                            bg_pos.append(-math.log(affinity + eps))
                            bg_move += [abs(move[0]), abs(move[1])]
                        else:
                            fg_pos.append(-math.log(affinity + eps))
                            fg_move += [abs(move[0] - dy), abs(move[1] - dx)]
    pos = (_mean(bg_pos) + _mean(fg_pos)) / 2
    affinity_part = (pos + _mean(neg)) / 2
    displacement_part = (_mean(fg_move) + _mean(bg_move)) / 2
    return {
        'affinity': affinity_part,
        'displacement': displacement_part,
        'total': affinity_part + displacement_part,
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0

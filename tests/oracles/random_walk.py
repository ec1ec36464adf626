"""IRNet's random walk with a dense transition matrix, paths walked pixel by pixel (float64)."""

from __future__ import annotations

import math

import numpy as np


def distance_to_line(y: int, x: int, start: tuple[int, int], end: tuple[int, int]) -> float:
    """Distance of (y, x) to the straight line through ``start`` and ``end``."""
    along_y, along_x = end[0] - start[0], end[1] - start[1]
    area = abs(along_y * (x - start[1]) - along_x * (y - start[0]))
    return area / math.hypot(along_y, along_x)


def pair_affinity(edge: np.ndarray, start: tuple[int, int], end: tuple[int, int]) -> float:
    """One minus the largest edge on the straight path between two pixels, ends included."""
    strongest = -np.inf
    for y in range(min(start[0], end[0]), max(start[0], end[0]) + 1):
        for x in range(min(start[1], end[1]), max(start[1], end[1]) + 1):
            if distance_to_line(y, x, start, end) < 1 - 1e-12:
                strongest = max(strongest, edge[y, x])
    return 1 - strongest


def transition_matrix(edge: np.ndarray, radius: float, beta: float) -> np.ndarray:
    """Dense (hw, hw) matrix, columns summing to one."""
    height, width = edge.shape
    matrix = np.eye(height * width)
    for yi in range(height):
        for xi in range(width):
            for yj in range(height):
                for xj in range(width):
                    apart = (yi - yj) ** 2 + (xi - xj) ** 2
                    if 0 < apart < radius**2:
                        affinity = pair_affinity(edge, (yi, xi), (yj, xj))
                        matrix[yi * width + xi, yj * width + xj] = affinity**beta
    return matrix / matrix.sum(axis=0)


def dense_walk(
    scores: np.ndarray, edge: np.ndarray, radius: float, beta: float, exp_times: int
) -> np.ndarray:
    """(K, h, w) maps after 2^exp_times steps, by squaring the dense matrix exp_times times."""
    matrix = transition_matrix(edge, radius, beta)
    for _ in range(exp_times):
        matrix = matrix @ matrix
    return ((scores * (1 - edge)).reshape(len(scores), -1) @ matrix).reshape(scores.shape)

"""Slow loops of the class activation map formulas, in plain Python floats."""

from __future__ import annotations

import numpy as np


def peak_normalize_loop(cam: np.ndarray, eps: float) -> np.ndarray:
    """``relu(A_k) / (max_xy relu(A_k) + eps)``, one value at a time."""
    out = np.zeros(cam.shape, dtype=np.float64)
    images, classes, height, width = cam.shape
    for n in range(images):
        for k in range(classes):
            peak = 0.0
            for y in range(height):
                for x in range(width):
                    peak = max(peak, float(cam[n, k, y, x]))
            for y in range(height):
                for x in range(width):
                    out[n, k, y, x] = max(float(cam[n, k, y, x]), 0.0) / (peak + eps)
    return out


def background_loop(scores: np.ndarray) -> np.ndarray:
    """``1 - max_k S_k`` at each pixel."""
    images, classes, height, width = scores.shape
    out = np.zeros((images, height, width), dtype=np.float64)
    for n in range(images):
        for y in range(height):
            for x in range(width):
                out[n, y, x] = 1.0 - max(float(scores[n, k, y, x]) for k in range(classes))
    return out

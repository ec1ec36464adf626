"""Slow loop of pixel-adaptive refinement, in plain Python floats."""

from __future__ import annotations

import math

import numpy as np


def resize_loop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear resize of (C, H, W) with half-pixel centres."""
    channels, full_height, full_width = image.shape
    out = np.zeros((channels, height, width))
    for y in range(height):
        for x in range(width):
            v = min(max((y + 0.5) * full_height / height - 0.5, 0), full_height - 1)
            u = min(max((x + 0.5) * full_width / width - 0.5, 0), full_width - 1)
            top, left = int(v), int(u)
            down, right = min(top + 1, full_height - 1), min(left + 1, full_width - 1)
            a, b = v - top, u - left
            for c in range(channels):
                upper = (1 - b) * image[c, top, left] + b * image[c, top, right]
                lower = (1 - b) * image[c, down, left] + b * image[c, down, right]
                out[c, y, x] = (1 - a) * upper + a * lower
    return out


def deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def softmax(values: list[float]) -> list[float]:
    exps = [math.exp(v - max(values)) for v in values]
    return [e / sum(exps) for e in exps]


def refine_loop(
    image: np.ndarray,
    scores: np.ndarray,
    dilations: tuple[int, ...],
    iterations: int,
    w: float = 0.3,
    v: float = 0.01,
) -> np.ndarray:
    """(C, H, W) and (K, h, w) -> (K, h, w)."""
    classes, height, width = scores.shape
    image = resize_loop(image.astype(float), height, width)
    offsets = []
    for dilation in dilations:
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                if (dy, dx) != (0, 0):
                    offsets.append((dilation * dy, dilation * dx))
    distances = [math.sqrt(dy * dy + dx * dx) for dy, dx in offsets]
    spread = deviation(distances)
    near = softmax([-((d / (w * spread)) ** 2) for d in distances])

    def inside(y: int, x: int) -> tuple[int, int]:
        return min(max(y, 0), height - 1), min(max(x, 0), width - 1)

    weights = {}
    for y in range(height):
        for x in range(width):
            around = [inside(y + dy, x + dx) for dy, dx in offsets]
            logits = [0.0] * len(offsets)
            for channel in image:
                sigma = deviation([channel[place] for place in around])
                for i, place in enumerate(around):
                    ratio = abs(channel[place] - channel[y, x]) / (w * (sigma + 1e-8))
                    logits[i] -= ratio**2 / len(image)
            like = softmax(logits)
            weights[y, x] = [(p, a + v * b) for p, a, b in zip(around, like, near)]
    for _ in range(iterations):
        new = np.zeros((classes, height, width))
        for (y, x), pairs in weights.items():
            for k in range(classes):
                new[k, y, x] = sum(weight * scores[k][place] for place, weight in pairs)
        scores = new
    return scores

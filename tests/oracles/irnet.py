"""IRNet's branches, test-time padding and enlargement in the released order, by loops (float64)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

Weights = dict[str, np.ndarray]


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """1x1 convolution of (C, h, w) by (O, C)."""
    out = np.zeros((len(weight), *x.shape[1:]))
    for o in range(len(weight)):
        for c in range(len(x)):
            out[o] += weight[o, c] * x[c]
        out[o] += 0 if bias is None else bias[o]
    return out


def group_norm(x: np.ndarray, groups: int, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """GroupNorm of (C, h, w), eps 1e-5, variance divided by the count."""
    out = np.zeros_like(x)
    size = len(x) // groups
    for g in range(groups):
        values = [v for c in range(g * size, (g + 1) * size) for v in x[c].ravel()]
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        for c in range(g * size, (g + 1) * size):
            out[c] = (x[c] - mean) / math.sqrt(variance + 1e-5) * weight[c] + bias[c]
    return out


def upsample(x: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear enlargement of (C, h, w) by a whole factor; pixel centres at 0.5, 1.5, ..."""
    channels, height, width = x.shape
    out = np.zeros((channels, height * factor, width * factor))
    for y in range(height * factor):
        for x_ in range(width * factor):
            sy, sx = max((y + 0.5) / factor - 0.5, 0), max((x_ + 0.5) / factor - 0.5, 0)
            y0, x0 = int(sy), int(sx)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            fy, fx = sy - y0, sx - x0
            top = (1 - fx) * x[:, y0, x0] + fx * x[:, y0, x1]
            bottom = (1 - fx) * x[:, y1, x0] + fx * x[:, y1, x1]
            out[:, y, x_] = (1 - fy) * top + fy * bottom
    return out


def _block(x: np.ndarray, weights: Weights, name: str, groups: int, factor: int) -> np.ndarray:
    """Convolution, GroupNorm, upsampling, and only then the ReLU."""
    x = convolve(x, weights[f'{name}.0.weight'][:, :, 0, 0])
    x = group_norm(x, groups, weights[f'{name}.1.weight'], weights[f'{name}.1.bias'])
    return np.maximum(upsample(x, factor), 0)


def edge_logits(
    stages: Sequence[np.ndarray], weights: Weights, groups: int, factors: Sequence[int]
) -> np.ndarray:
    """(h, w) at the first stage's size; ``factors`` bring each stage to it or beyond."""
    height, width = stages[0].shape[1:]
    parts = [
        _block(x, weights, f'stages.{i}', groups, factor)[:, :height, :width]
        for i, (x, factor) in enumerate(zip(stages, factors))
    ]
    joined = np.concatenate(parts)
    return convolve(joined, weights['predict.weight'][:, :, 0, 0], weights['predict.bias'])[0]


def displacement(stages: Sequence[np.ndarray], weights: Weights, groups: Sequence[int], join: int):
    """(2, h, w) of five stages of strides 4, 4, 8, 16, 16."""
    first, third = stages[0].shape[1:], stages[2].shape[1:]
    parts = [
        _block(x, weights, f'stages.{i}', group, factor)
        for i, (x, group, factor) in enumerate(zip(stages, groups, (1, 1, 1, 2, 2)))
    ]
    deep = np.concatenate([part[:, : third[0], : third[1]] for part in parts[2:]])
    deep = _block(deep, weights, 'deep', join, 2)[:, : first[0], : first[1]]
    joined = _block(np.concatenate([*parts[:2], deep]), weights, 'join', join, 1)
    field = convolve(joined, weights['predict.weight'][:, :, 0, 0])
    return field - weights['mean_shift'][:, None, None]


def edge_map_at_test_time(
    logits: Callable[[np.ndarray], np.ndarray], image: np.ndarray, size: int, stride: int = 4
) -> np.ndarray:
    """Edge map of a normalised image (C, H, W), padded with zeros to ``size``, with its mirror."""
    channels, height, width = image.shape
    rows, cols = (height - 1) // stride + 1, (width - 1) // stride + 1
    total = np.zeros((rows, cols))
    for mirrored in (False, True):
        padded = np.zeros((channels, size, size))
        padded[:, :height, :width] = image[:, :, ::-1] if mirrored else image
        part = logits(padded)[:rows, :cols]
        total += (part[:, ::-1] if mirrored else part) / 2
    return 1 / (1 + np.exp(-total))


def enlarge(maps: np.ndarray, image_size: tuple[int, int], stride: int = 4) -> np.ndarray:
    """Walked maps (K, h, w) times the stride, cropped to the image."""
    return upsample(maps, stride)[:, : image_size[0], : image_size[1]]

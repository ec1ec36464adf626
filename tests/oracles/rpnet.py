"""Slow loops in float64 for the RPNet functions, one image at a time, written from the formulas."""

from __future__ import annotations

import math

import numpy as np

from tests.oracles.sipe import cosine, peak_normalize

__all__ = [
    'confidence_map',
    'foreground_probability',
    'gaussian_smooth',
    'normalized_consistency',
    'project',
    'raw_consistency',
    'region_prototype',
    'released_foreground',
    'resize_bilinear',
    'resize_nearest',
]


def confidence_map(features: np.ndarray, peak: str = 'channel', eps: float = 1e-5) -> np.ndarray:
    """Largest rectified response over its peak: (C,h,w) -> (h,w)."""
    channels, h, w = features.shape
    out = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            for c in range(channels):
                top = features[c].max() if peak == 'channel' else features.max()
                ratio = max(0.0, features[c, y, x]) / (max(0.0, top) + eps)
                out[y, x] = max(out[y, x], ratio)
    return out


def region_prototype(features: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean feature over a mask: (C,h,w), (h,w) -> (C,); zero for an empty mask."""
    channels, h, w = features.shape
    out, total = np.zeros(channels), 0.0
    for y in range(h):
        for x in range(w):
            out += mask[y, x] * features[:, y, x]
            total += mask[y, x]
    return out / total if total > 0 else out


def foreground_probability(features: np.ndarray, prototypes: np.ndarray) -> np.ndarray:
    """Largest cosine of each pixel with a prototype: (C,h,w), (P,C) -> (h,w)."""
    _, h, w = features.shape
    out = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            out[y, x] = max(cosine(p, features[:, y, x]) for p in prototypes)
    return out


def released_foreground(
    projected: dict[int, np.ndarray], prototypes: dict[int, list[np.ndarray]], size: tuple[int, int]
) -> np.ndarray:
    """Largest cosine with a prototype of the same block, the peak at 1.3: -> ``size``.

    ``projected`` holds one image's projected feature (C',h,w) of each block, ``prototypes`` those of its
    group (C',), of the dropped and of the whole mask.
    """
    out = np.full(size, -np.inf)
    for block, feature in projected.items():
        own = resize_bilinear(foreground_probability(feature, prototypes[block]), size)
        for y in range(size[0]):
            for x in range(size[1]):
                out[y, x] = max(out[y, x], own[y, x])
    return 1.3 * out / out.max()


def resize_nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Take for each new pixel the old one below its upper left corner: (h,w) -> size."""
    h, w = values.shape
    out = np.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            out[y, x] = values[y * h // size[0], x * w // size[1]]
    return out


def resize_bilinear(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate between pixel centres, the border repeated: (h,w) -> size."""
    h, w = values.shape
    out = np.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            for dy, row in _neighbours((y + 0.5) * h / size[0] - 0.5, h):
                for dx, column in _neighbours((x + 0.5) * w / size[1] - 0.5, w):
                    out[y, x] += dy * dx * values[row, column]
    return out


def _neighbours(place: float, length: int) -> list[tuple[float, int]]:
    place = min(max(place, 0.0), length - 1.0)
    low = int(place)
    return [(1 - (place - low), low), (place - low, min(low + 1, length - 1))]


def gaussian_smooth(
    values: np.ndarray, sigma: float, size: int, padding: str = 'replicate'
) -> np.ndarray:
    """Weighted mean of the size x size neighbours, the border repeated or zero: (h,w) -> (h,w)."""
    h, w = values.shape
    radius = size // 2
    out = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            total = 0.0
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    weight = math.exp(-(dy**2 + dx**2) / (2 * sigma**2))
                    row, column = min(max(y + dy, 0), h - 1), min(max(x + dx, 0), w - 1)
                    is_inside = (row, column) == (y + dy, x + dx)
                    total += weight
                    if is_inside or padding == 'replicate':
                        out[y, x] += weight * values[row, column]
            out[y, x] /= total
    return out


def normalized_consistency(logits: np.ndarray, scales: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared difference of peak-normalised maps of labelled classes: (N,K,h,w), (S,N,K,h,w), (N,K).

    The maps of the S scales are normalised each and averaged.
    """
    total = 0.0
    for n in range(len(logits)):
        plain = peak_normalize(logits[n])
        target = sum(peak_normalize(enhanced[n]) for enhanced in scales) / len(scales)
        for k in range(logits.shape[1]):
            if labels[n, k] > 0:
                total += sum((a - b) ** 2 for a, b in zip(plain[k].ravel(), target[k].ravel()))
    return float(total / logits.size)


def raw_consistency(features: np.ndarray, enhanced: np.ndarray) -> float:
    """Squared differences, summed over an image and averaged over images: (N,C,h,w) x2."""
    sums = [
        sum((a - b) ** 2 for a, b in zip(f.ravel(), e.ravel())) for f, e in zip(features, enhanced)
    ]
    return float(sum(sums) / len(sums))


def project(features: np.ndarray, weight: np.ndarray, peak: str = 'image') -> np.ndarray:
    """``proj(relu(f / max f))``, the peak of each channel or of all: (C,h,w), (C',C) -> (C',h,w)."""
    scaled = np.zeros_like(features)
    for c, channel in enumerate(features):
        top = channel.max() if peak == 'channel' else features.max()
        scaled[c] = np.maximum(channel, 0) / (top + 1e-5) if top > 0 else 0.0
    _, h, w = features.shape
    out = np.zeros((len(weight), h, w))
    for y in range(h):
        for x in range(w):
            out[:, y, x] = weight @ scaled[:, y, x]
    return out

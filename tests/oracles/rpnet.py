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


def gaussian_smooth(values: np.ndarray, sigma: float, size: int) -> np.ndarray:
    """Weighted mean of the size x size neighbours, the border repeated: (h,w) -> (h,w)."""
    h, w = values.shape
    radius = size // 2
    out = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            total = 0.0
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    weight = math.exp(-(dy**2 + dx**2) / (2 * sigma**2))
                    near = values[min(max(y + dy, 0), h - 1), min(max(x + dx, 0), w - 1)]
                    out[y, x] += weight * near
                    total += weight
            out[y, x] /= total
    return out


def normalized_consistency(logits: np.ndarray, enhanced: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared difference of peak-normalised maps of labelled classes: (N,K,h,w) x2, (N,K)."""
    total = 0.0
    for n in range(len(logits)):
        plain, other = peak_normalize(logits[n]), peak_normalize(enhanced[n])
        for k in range(logits.shape[1]):
            if labels[n, k] > 0:
                total += sum((a - b) ** 2 for a, b in zip(plain[k].ravel(), other[k].ravel()))
    return float(total / logits.size)


def raw_consistency(features: np.ndarray, enhanced: np.ndarray) -> float:
    """Squared differences, summed over an image and averaged over images: (N,C,h,w) x2."""
    sums = [
        sum((a - b) ** 2 for a, b in zip(f.ravel(), e.ravel())) for f, e in zip(features, enhanced)
    ]
    return float(sum(sums) / len(sums))


def project(features: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``proj(relu(f / max f))`` with the paper's division: (C,h,w), (C',C) -> (C',h,w)."""
    scaled = np.maximum(features / features.max(), 0)
    _, h, w = features.shape
    out = np.zeros((len(weight), h, w))
    for y in range(h):
        for x in range(w):
            out[:, y, x] = weight @ scaled[:, y, x]
    return out

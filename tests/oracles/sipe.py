"""Slow loops in float64 for the SIPE functions, one image at a time, written from the formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = [
    'cosine',
    'gsc_loss',
    'locate_seeds',
    'numeric_gradient',
    'peak_normalize',
    'prototype_activation',
    'prototypes',
    'resize',
    'structure_similarity',
    'valid_mask',
]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two vectors; 0 if one of them is zero."""
    length = np.sqrt(sum(x * x for x in a)) * np.sqrt(sum(x * x for x in b))
    return float(sum(x * y for x, y in zip(a, b)) / length) if length > 0 else 0.0


def structure_similarity(features: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Soft IoU of each pixel's structure map with each class map: (C,h,w), (K+1,h,w) -> (K+1,h,w)."""
    _, h, w = features.shape
    pixels = [(y, x) for y in range(h) for x in range(w)]
    out = np.zeros(scores.shape)
    for yi, xi in pixels:
        structure = {
            (yj, xj): max(0.0, cosine(features[:, yi, xi], features[:, yj, xj]))
            for yj, xj in pixels
        }
        for k in range(scores.shape[0]):
            inter = sum(structure[p] * scores[k][p] for p in pixels)
            union = sum(structure[p] for p in pixels) + sum(scores[k][p] for p in pixels) - inter
            out[k, yi, xi] = inter / union if union > 0 else 0.0
    return out


def locate_seeds(similarity: np.ndarray, valid: np.ndarray, alpha: float) -> np.ndarray:
    """One-hot seeds (K+1,h,w): the class of highest similarity, the background's times alpha."""
    classes, h, w = similarity.shape
    out = np.zeros(similarity.shape)
    for y in range(h):
        for x in range(w):
            column = [similarity[k, y, x] * (alpha if k == 0 else 1.0) for k in range(classes)]
            best = column.index(max(column))
            out[best, y, x] = valid[best, y, x]
    return out


def keep_surest(seeds: np.ndarray, similarity: np.ndarray, fraction: float) -> np.ndarray:
    """Each class's seeds with the largest share in their pixel's similarities: ceil(fraction n) of n."""
    kept = np.zeros_like(seeds)
    classes, height, width = seeds.shape
    for k in range(classes):
        found = []
        for y in range(height):
            for x in range(width):
                if seeds[k, y, x] > 0:
                    found.append((similarity[k, y, x] / similarity[:, y, x].sum(), y, x))
        found.sort(key=lambda entry: -entry[0])
        for _, y, x in found[: int(np.ceil(fraction * len(found)))]:
            kept[k, y, x] = seeds[k, y, x]
    return kept


def prototypes(seeds: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Mean feature over each class's seeds: (K+1,h,w), (C,h,w) -> (K+1,C)."""
    classes, h, w = seeds.shape
    out = np.zeros((classes, features.shape[0]))
    for k in range(classes):
        total = sum(seeds[k, y, x] for y in range(h) for x in range(w))
        for y in range(h):
            for x in range(w):
                if total > 0:
                    out[k] += seeds[k, y, x] * features[:, y, x] / total
    return out


def prototype_activation(prototype: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Rectified cosine of each pixel with each prototype: (K+1,C), (C,h,w) -> (K+1,h,w)."""
    _, h, w = features.shape
    out = np.zeros((len(prototype), h, w))
    for k in range(len(prototype)):
        for y in range(h):
            for x in range(w):
                out[k, y, x] = max(0.0, cosine(prototype[k], features[:, y, x]))
    return out


def peak_normalize(maps: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Each rectified map divided by its peak plus eps: (K,h,w) -> (K,h,w)."""
    rectified = np.maximum(maps, 0)
    return np.stack([m / (m.max() + eps) for m in rectified])


def resize(maps: np.ndarray, size: tuple[int, int], align_corners: bool) -> np.ndarray:
    """Bilinear resize (C,h,w) -> (C,*size), one output pixel at a time.

    The grids have their corner pixels' centres in common (``align_corners``), or their outer edges.
    """
    out = np.zeros((len(maps), *size))
    for y in range(size[0]):
        for x in range(size[1]):
            places = []
            for index, new, old in ((y, size[0], maps.shape[1]), (x, size[1], maps.shape[2])):
                if align_corners:
                    place = index * (old - 1) / (new - 1) if new > 1 else 0.0
                else:
                    place = max(0.0, (index + 0.5) * old / new - 0.5)
                low = min(int(place), old - 1)
                places.append((low, min(low + 1, old - 1), place - low))
            (y0, y1, b), (x0, x1, a) = places
            above = (1 - a) * maps[:, y0, x0] + a * maps[:, y0, x1]
            below = (1 - a) * maps[:, y1, x0] + a * maps[:, y1, x1]
            out[:, y, x] = (1 - b) * above + b * below
    return out


def gsc_loss(scores: np.ndarray, activation: np.ndarray) -> float:
    """Mean absolute difference of the general and the peak-normalised image-specific map."""
    target = peak_normalize(activation)
    total = sum(abs(a - b) for a, b in zip(scores.ravel(), target.ravel()))
    return float(total / scores.size)


def valid_mask(
    labels: np.ndarray,
    boxes: np.ndarray,
    image_size: tuple[int, int],
    size: tuple[int, int],
    cell: str,
) -> np.ndarray:
    """1 where the class is labelled (background always) and the cell's point is in the box.

    The point is the centre of the cell or, ``nearest``, its top-left pixel.
    """
    count, classes = labels.shape
    out = np.zeros((count, classes + 1, *size))
    for n in range(count):
        x1, y1, x2, y2 = boxes[n]
        for i in range(size[0]):
            for j in range(size[1]):
                if cell == 'centre':
                    y = (i + 0.5) * image_size[0] / size[0]
                    x = (j + 0.5) * image_size[1] / size[1]
                else:
                    y = i * image_size[0] // size[0]
                    x = j * image_size[1] // size[1]
                if x1 <= x < x2 and y1 <= y < y2:
                    for k in range(classes + 1):
                        out[n, k, i, j] = 1.0 if k == 0 or labels[n, k - 1] > 0 else 0.0
    return out


def numeric_gradient(
    function: Callable[[np.ndarray], float], point: np.ndarray, step: float = 1e-6
) -> np.ndarray:
    """Central differences of a scalar function at every entry of ``point``."""
    gradient = np.zeros(point.shape)
    for index in np.ndindex(*point.shape):
        ahead, behind = point.copy(), point.copy()
        ahead[index] += step
        behind[index] -= step
        gradient[index] = (function(ahead) - function(behind)) / (2 * step)
    return gradient

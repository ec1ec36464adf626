"""Size weights and the size-weighted cross-entropy as plain loops, written from the formulas."""

from __future__ import annotations

import math

import numpy as np

from tests.oracles.ia_miou import components, pixels_of


def size_weights_loop(
    labels: np.ndarray, tau: float, ignore_index: int = 255, balance_background: bool = False
) -> np.ndarray:
    """``min(tau, sum_m S_m / S_m)`` per component, image by image and class by class."""
    weights = np.ones(labels.shape, dtype=np.float64)
    for n, image in enumerate(labels):
        for c in set(image.ravel().tolist()):
            if c == ignore_index:
                weights[n][image == c] = 0.0
                continue
            if c == 0 and not balance_background:
                continue
            parts = components(pixels_of(image == c))
            total = sum(len(part) for part in parts)
            for part in parts:
                for y, x in part:
                    weights[n, y, x] = min(tau, total / len(part))
    return weights


def size_weighted_cross_entropy_loop(
    logits: np.ndarray,
    labels: np.ndarray,
    tau: float,
    ignore_index: int = 255,
    class_weight: list[float] | None = None,
) -> float:
    """``-(1/(N H W)) sum w log p`` over all pixels, ignored ones included in the count."""
    weights = size_weights_loop(labels, tau, ignore_index)
    total = 0.0
    for n in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                c = int(labels[n, y, x])
                if c == ignore_index:
                    continue
                scores = logits[n, :, y, x].astype(np.float64)
                log_p = scores[c] - scores.max() - math.log(np.exp(scores - scores.max()).sum())
                factor = 1.0 if class_weight is None else class_weight[c]
                total -= factor * weights[n, y, x] * log_p
    return total / labels.size

"""Size weights and the size-weighted cross-entropy as plain loops, written from the formulas."""

from __future__ import annotations

import math

import numpy as np

from tests.oracles.ia_miou import components, pixels_of


def size_weights_loop(
    labels: np.ndarray,
    tau: float,
    ignore_index: int = 255,
    balance_background: bool = False,
    total: str = 'class',
) -> np.ndarray:
    """``min(tau, sum_m S_m / S_m)`` per component, image by image and class by class.

    The sum runs over the components of the class, or with ``total='image'`` over all foreground pixels.
    """
    weights = np.ones(labels.shape, dtype=np.float64)
    for n, image in enumerate(labels):
        left_out = {ignore_index} if balance_background else {0, ignore_index}
        foreground = sum(1 for label in image.ravel().tolist() if label not in left_out)
        for c in set(image.ravel().tolist()):
            if c == ignore_index:
                weights[n][image == c] = 0.0
            if c in left_out:
                continue
            parts = components(pixels_of(image == c))
            pixels = foreground if total == 'image' else sum(len(part) for part in parts)
            for part in parts:
                for y, x in part:
                    weights[n, y, x] = min(tau, pixels / len(part))
    return weights


def size_weighted_cross_entropy_loop(
    logits: np.ndarray,
    labels: np.ndarray,
    tau: float,
    ignore_index: int = 255,
    class_weight: list[float] | None = None,
    total: str = 'class',
    normalize: str = 'pixels',
) -> tuple[float, np.ndarray]:
    """``-sum w log p / D`` and its gradient ``w (p - onehot) / D``.

    D is N H W, ignored pixels included, or with ``normalize='weights'`` the sum of all factors.
    """
    weights = size_weights_loop(labels, tau, ignore_index, total=total)
    loss, divisor, gradient = 0.0, 0.0, np.zeros(logits.shape)
    for n in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                c = int(labels[n, y, x])
                if c == ignore_index:
                    continue
                scores = logits[n, :, y, x].astype(np.float64)
                log_p = scores - scores.max() - math.log(np.exp(scores - scores.max()).sum())
                factor = weights[n, y, x] * (1.0 if class_weight is None else class_weight[c])
                loss -= factor * log_p[c]
                divisor += factor
                gradient[n, :, y, x] = factor * np.exp(log_p)
                gradient[n, c, y, x] -= factor
    if normalize == 'pixels':
        divisor = labels.size
    return loss / divisor, gradient / divisor

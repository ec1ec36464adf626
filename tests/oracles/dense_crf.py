"""Dense CRF by explicit sums over all pixel pairs (float64), for tiny images."""

from __future__ import annotations

import numpy as np


def mean_field_all_pairs(
    image: np.ndarray,
    probs: np.ndarray,
    iterations: int,
    gaussian: tuple[float, float],
    bilateral: tuple[float, float, float],
) -> np.ndarray:
    """Mean field with Potts weights; kernels normalised symmetrically, a pixel not its neighbour.

    ``gaussian`` = (sxy, compat), ``bilateral`` = (sxy, srgb, compat).
    """
    kinds, height, width = probs.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    count = len(pixels)
    kernels = []
    for kind in ('gaussian', 'bilateral'):
        kernel = np.zeros((count, count))
        for i, (yi, xi) in enumerate(pixels):
            for j, (yj, xj) in enumerate(pixels):
                space = (yi - yj) ** 2 + (xi - xj) ** 2
                if kind == 'gaussian':
                    kernel[i, j] = np.exp(-space / (2 * gaussian[0] ** 2))
                else:
                    colour = image[yi, xi].astype(float) - image[yj, xj].astype(float)
                    kernel[i, j] = np.exp(
                        -space / (2 * bilateral[0] ** 2)
                        - (colour**2).sum() / (2 * bilateral[1] ** 2)
                    )
        scale = 1 / np.sqrt(kernel.sum(axis=1))
        kernel = kernel * scale[:, None] * scale[None, :]
        kernels.append((kernel, gaussian[1] if kind == 'gaussian' else bilateral[2]))
    energy = -np.log(np.maximum(probs.reshape(kinds, -1), 1e-5))
    marginals = _softmax(-energy)
    for _ in range(iterations):
        total = -energy
        for kernel, compat in kernels:
            total = total + compat * marginals @ kernel
        marginals = _softmax(total)
    return marginals.reshape(probs.shape)


def _softmax(values: np.ndarray) -> np.ndarray:
    values = np.exp(values - values.max(axis=0))
    return values / values.sum(axis=0)

"""Slow loops for the segmentation heads, written from the definition of a dilated convolution."""

from __future__ import annotations

import numpy as np


def dilated_conv3x3(
    image: np.ndarray, weight: np.ndarray, bias: np.ndarray, dilation: int
) -> np.ndarray:
    """Correlate (C, h, w) with (O, C, 3, 3) at distance ``dilation``, zeros outside, plus bias."""
    channels, height, width = image.shape
    result = np.zeros((weight.shape[0], height, width), dtype=np.float64)
    for out in range(weight.shape[0]):
        for y in range(height):
            for x in range(width):
                total = float(bias[out])
                for c in range(channels):
                    for i in (-1, 0, 1):
                        for j in (-1, 0, 1):
                            yy, xx = y + i * dilation, x + j * dilation
                            if 0 <= yy < height and 0 <= xx < width:
                                total += float(weight[out, c, i + 1, j + 1]) * image[c, yy, xx]
                result[out, y, x] = total
    return result


def conv1x1(image: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Apply the matrix (O, C) and a bias at every pixel of (C, h, w)."""
    channels, height, width = image.shape
    result = np.zeros((weight.shape[0], height, width), dtype=np.float64)
    for y in range(height):
        for x in range(width):
            for out in range(weight.shape[0]):
                result[out, y, x] = bias[out] + sum(
                    weight[out, c] * image[c, y, x] for c in range(channels)
                )
    return result


def deeplabv2_logits(
    features: np.ndarray, branches: list[tuple[int, np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Sum of the branches (dilation, weight, bias) over features (C, h, w)."""
    total = np.zeros((branches[0][1].shape[0], *features.shape[1:]), dtype=np.float64)
    for dilation, weight, bias in branches:
        total = total + dilated_conv3x3(features, weight, bias, dilation)
    return total


def largefov_logits(
    features: np.ndarray,
    fc6: tuple[np.ndarray, np.ndarray],
    fc7: tuple[np.ndarray, np.ndarray],
    classifier: tuple[np.ndarray, np.ndarray],
    dilation: int,
) -> np.ndarray:
    """Dilated 3x3, ReLU, 1x1, ReLU, 1x1 over features (C, h, w); each pair is (weight, bias)."""
    hidden = np.maximum(dilated_conv3x3(features, *fc6, dilation), 0)
    hidden = np.maximum(conv1x1(hidden, *fc7), 0)
    return conv1x1(hidden, *classifier)


def cross_entropy(logits: np.ndarray, labels: np.ndarray, ignore_index: int = 255) -> float:
    """Mean of ``-log softmax`` over the pixels of (N, C, H, W) whose label is not ignored."""
    total, count = 0.0, 0
    for n, y, x in np.ndindex(*labels.shape):
        label = int(labels[n, y, x])
        if label == ignore_index:
            continue
        scores = logits[n, :, y, x].astype(np.float64)
        total += float(np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[label])
        count += 1
    return total / count


def resize_bilinear(
    image: np.ndarray,
    size: tuple[int, int],
    align_corners: bool,
    factor: float | None = None,
) -> np.ndarray:
    """Resize (C, h, w) so that the corner pixels keep their place, or the image's outer edges.

    With ``factor`` a pixel is ``1 / factor`` pixels wide even where ``size`` is rounded.
    """
    channels, height, width = image.shape
    result = np.zeros((channels, *size), dtype=np.float64)
    for y in range(size[0]):
        for x in range(size[1]):
            if align_corners:
                fy = y * (height - 1) / (size[0] - 1) if size[0] > 1 else 0.0
                fx = x * (width - 1) / (size[1] - 1) if size[1] > 1 else 0.0
            else:
                step_y = 1 / factor if factor else height / size[0]
                step_x = 1 / factor if factor else width / size[1]
                fy = min(max((y + 0.5) * step_y - 0.5, 0.0), height - 1)
                fx = min(max((x + 0.5) * step_x - 0.5, 0.0), width - 1)
            y0, x0 = int(fy), int(fx)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            wy, wx = fy - y0, fx - x0
            top = (1 - wx) * image[:, y0, x0] + wx * image[:, y0, x1]
            bottom = (1 - wx) * image[:, y1, x0] + wx * image[:, y1, x1]
            result[:, y, x] = (1 - wy) * top + wy * bottom
    return result

"""Slow loops over pixels: confusion counts and threshold tables from their definitions."""

from __future__ import annotations

import math

import numpy as np


def plain_confusion(pred, gt, num_classes: int, ignore_index: int = 255) -> list[list[int]]:
    """Rows: true class; columns: predicted class, the last one for ``ignore_index``."""
    table = [[0] * (num_classes + 1) for _ in range(num_classes)]
    for row_pred, row_gt in zip(pred.tolist(), gt.tolist()):
        for p, g in zip(row_pred, row_gt):
            if g != ignore_index:
                table[g][num_classes if p == ignore_index else p] += 1
    return table


def plain_iou(pred, gt, num_classes: int, ignore_index: int = 255) -> list[float]:
    """IoU per class from sets of pixels; NaN without any pixel."""
    pixels = [
        (y, x) for y in range(gt.shape[0]) for x in range(gt.shape[1]) if gt[y, x] != ignore_index
    ]
    result = []
    for k in range(num_classes):
        true = {p for p in pixels if gt[p] == k}
        named = {p for p in pixels if pred[p] == k}
        union = true | named
        result.append(len(true & named) / len(union) if union else math.nan)
    return result


def plain_labels(scores, keys, threshold: float) -> np.ndarray:
    """Labels of foreground maps at one threshold: the class of the best score if it exceeds it."""
    _, height, width = scores.shape
    labels = np.zeros((height, width), dtype=np.int64)
    for y in range(height):
        for x in range(width):
            best, label = -math.inf, 0
            for i, key in enumerate(keys):
                if key > 0 and scores[i, y, x] > best:
                    best, label = scores[i, y, x], key
            if best > scores.dtype.type(threshold):
                labels[y, x] = label
    return labels


def plain_average_precision(labels, scores) -> float:
    """Sum over distinct scores, from the top, of (recall step) x (precision at that score)."""
    positives, area, recall = sum(labels), 0.0, 0.0
    for level in sorted(set(scores), reverse=True):
        taken = [label for label, score in zip(labels, scores) if score >= level]
        new_recall = sum(taken) / positives
        area += (new_recall - recall) * sum(taken) / len(taken)
        recall = new_recall
    return area

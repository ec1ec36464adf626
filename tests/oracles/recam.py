"""Slow loops of ReCAM's and AMN's formulas, in plain Python floats."""

from __future__ import annotations

import math

import numpy as np


def log_softmax(values: list[float]) -> list[float]:
    total = math.log(sum(math.exp(v - max(values)) for v in values)) + max(values)
    return [v - total for v in values]


def class_features_loop(cam: np.ndarray, feature: np.ndarray) -> np.ndarray:
    """(K, h, w), (C, h, w) -> (K, C)."""
    classes, height, width = cam.shape
    out = np.zeros((classes, len(feature)))
    for k in range(classes):
        peak = max(max(float(v), 0.0) for v in cam[k].ravel())
        for c in range(len(feature)):
            for y in range(height):
                for x in range(width):
                    score = max(float(cam[k, y, x]), 0.0) / (peak + 1e-5)
                    out[k, c] += score * float(feature[c, y, x]) / (height * width)
    return out


def present_loss_loop(logits: np.ndarray, labels: np.ndarray) -> float:
    """(N, K, K), (N, K) -> mean over images of the mean over their classes."""
    total = 0.0
    for rows, label in zip(logits, labels):
        losses = [-log_softmax(rows[k].tolist())[k] for k in range(len(label)) if label[k] > 0]
        total += sum(losses) / len(losses) if losses else 0.0
    return total / len(labels)


def balanced_loop(logits: np.ndarray, labels: np.ndarray, smoothing: float) -> float:
    """(N, C, h, w), (N, h, w) -> half the mean over background plus half that over foreground."""
    parts: dict[bool, list[float]] = {True: [], False: []}
    channels = logits.shape[1]
    for n, y, x in np.ndindex(labels.shape):
        label = int(labels[n, y, x])
        if label == 255:
            continue
        logs = log_softmax(logits[n, :, y, x].tolist())
        loss = 0.0
        for c in range(channels):
            target = smoothing / channels + (1 - smoothing if c == label else 0)
            loss -= target * logs[c]
        parts[label == 0].append(loss)
    return sum(sum(part) / len(part) / 2 for part in parts.values() if part)

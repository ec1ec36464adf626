"""Confident learning, each class a yes or no, image by image."""

from __future__ import annotations


def plain_contradictions(probabilities, labels) -> list[tuple[int, int]]:
    """(image, class) of the contradicted labels, the least confident first."""
    found = []
    images, classes = range(len(labels)), range(len(labels[0]))
    for k in classes:
        having = [probabilities[n][k] for n in images if labels[n][k]]
        lacking = [1 - probabilities[n][k] for n in images if not labels[n][k]]
        if not having or not lacking:
            continue
        for n in images:
            p = probabilities[n][k]
            if labels[n][k] and 1 - p >= sum(lacking) / len(lacking):
                found.append((p, n, k))
            if not labels[n][k] and p >= sum(having) / len(having):
                found.append((1 - p, n, k))
    return [(n, k) for _, n, k in sorted(found)]

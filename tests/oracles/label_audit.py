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
        present, absent = sum(having) / len(having), sum(lacking) / len(lacking)
        for n in images:
            p = probabilities[n][k]
            able = [
                is_there
                for is_there in (True, False)
                if (p >= present if is_there else 1 - p >= absent)
            ]
            if not able:
                continue
            if len(able) == 1:
                (said,) = able
            elif p == 0.5:
                said = bool(labels[n][k])
            else:
                said = p > 0.5
            if said != bool(labels[n][k]):
                found.append((1 - p if said else p, n, k))
    return [(n, k) for _, n, k in sorted(found)]

"""Probabilities of every group that a draw can give, by listing them all."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

Outcome = tuple[tuple[int, ...], int]


def partner_probabilities(others: Sequence[int], first: int, count: int) -> dict:
    """Ordered partners -> probability: all others before any comes again; alone: the image itself."""
    if count == 0:
        return {(): 1.0}
    if not others:
        return {(first,) * count: 1.0}
    result: dict[tuple[int, ...], float] = defaultdict(float)
    whole_rounds, rest = divmod(count, len(others))
    rounds = [list(itertools.permutations(others))] * whole_rounds
    if rest:
        rounds.append(list(itertools.permutations(others, rest)))
    outcomes = list(itertools.product(*rounds))
    for outcome in outcomes:
        result[tuple(itertools.chain.from_iterable(outcome))] += 1 / len(outcomes)
    return dict(result)


def group_probabilities(
    labels: Sequence[Sequence[int]], first: int | None, group_size: int
) -> dict[Outcome, float]:
    """(images, shared class) -> probability for the item of image ``first``; None: class-balanced."""
    result: dict[Outcome, float] = defaultdict(float)
    classes = sorted({c for label in labels for c in label})
    for c in classes if first is None else labels[first]:
        members = [i for i, label in enumerate(labels) if c in label]
        firsts = members if first is None else [first]
        chance = 1 / (len(classes) if first is None else len(labels[first])) / len(firsts)
        for i in firsts:
            others = [j for j in members if j != i]
            for partners, p in partner_probabilities(others, i, group_size - 1).items():
                result[((i, *partners), c)] += chance * p
    return dict(result)

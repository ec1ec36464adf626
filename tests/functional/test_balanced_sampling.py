from __future__ import annotations

import numpy as np
import pytest

from mmwsss.functional.balanced_sampling import balanced_subset


def plain_loop(counts, target, max_images, order, max_passes):
    """The rule as plain loops over whole sums, images in the order of equals."""

    def total(images):
        return sum((counts[m] for m in images), np.zeros(counts.shape[1]))

    def distance(images):
        return ((total(images) - target) ** 2).sum()

    def best_beside(images):
        free = [m for m in order if m not in images and counts[m].sum() > 0]
        return min(free, key=lambda m: distance([*images, m]), default=None)

    def fill(images):
        while len(images) < max_images:
            best = best_beside(images)
            if best is None or distance([*images, best]) >= distance(images):
                break
            images = [*images, best]
        return images

    chosen = fill([])
    for _ in range(max_passes):
        for m in list(chosen):
            rest = [c for c in chosen if c != m]
            chosen = min([rest, [*rest, m], [*rest, best_beside(rest)]], key=distance)
        chosen = fill(chosen)
    return sorted(chosen)


@pytest.mark.parametrize('seed', [*range(10), 64])  # 64: an image is given up again
@pytest.mark.parametrize('max_passes', [0, 1, 3])
@pytest.mark.parametrize(('target', 'most'), [(2, 30), (5, 12)])
def test_equals_plain_loop(seed, max_passes, target, most):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.5, size=(30, 6)) * rng.integers(1, 4, size=(30, 1))
    order = np.random.default_rng(seed + 1).permutation(30)
    got = balanced_subset(counts, target, most, seed=seed + 1, max_passes=max_passes)
    assert got.tolist() == plain_loop(counts, target, most, order, max_passes)


@pytest.mark.parametrize('seed', range(3))
def test_balances(seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.geomspace(0.05, 3, 12), size=(2000, 12))

    def distance(chosen):
        return ((counts[chosen].sum(axis=0) - 40) ** 2).sum()

    greedy = balanced_subset(counts, target=40, max_images=500, max_passes=0)
    chosen = balanced_subset(counts, target=40, max_images=500)
    assert distance(chosen) < 0.8 * distance(greedy)
    for _ in range(20):
        assert distance(rng.choice(2000, len(chosen), replace=False)) > 3 * distance(chosen)
    total = counts[chosen].sum(axis=0)
    assert counts.sum(axis=0).max() > 40 * counts.sum(axis=0).min()
    assert total.max() < 6 * total.min()
    for one in chosen:  # nothing more to gain by leaving out one image
        assert distance(np.setdiff1d(chosen, one)) >= distance(chosen)


def test_stops_when_nothing_helps_and_at_the_limit():
    counts = np.array([[1, 0]] * 10 + [[0, 0]] * 3 + [[50, 1]])
    assert len(balanced_subset(counts, target=4, max_images=99)) == 4
    assert len(balanced_subset(counts, target=4, max_images=2)) == 2
    assert balanced_subset(np.zeros((3, 2), int), target=4, max_images=9).tolist() == []


def test_the_seed_decides_among_equals_only():
    counts = np.ones((50, 1), dtype=int)
    first = balanced_subset(counts, 5, 50, seed=0)
    assert first.tolist() == balanced_subset(counts, 5, 50, seed=0).tolist()
    assert any(first.tolist() != balanced_subset(counts, 5, 50, seed=s).tolist() for s in (1, 2))


def test_malformed_arguments():
    with pytest.raises(ValueError, match=r'target must lie in \(0, inf\), but got 0'):
        balanced_subset(np.ones((2, 2), int), 0, 1)
    with pytest.raises(ValueError, match=r'max_images must lie in \[1, inf\), but got 0'):
        balanced_subset(np.ones((2, 2), int), 1, 0)

"""Choosing images so that classes and object sizes are equally common."""

from __future__ import annotations

import numpy as np

from mmwsss.functional.checks import check_range, to_numpy

__all__ = ['balanced_subset']


def balanced_subset(
    counts: np.ndarray, target: float, max_images: int, seed: int = 0, *, max_passes: int = 10
) -> np.ndarray:
    """Choose images whose objects come closest to ``target`` per cell.

    A cell is e.g. a class and a size. The sum over cells of ``(number of objects - target)^2`` is lowered
    greedily, image by image, until no further image lowers it. Then each chosen image in turn is
    exchanged for the image that lowers the sum most, or given up, until a pass changes nothing.

    Args:
        counts: Integer (M, D), objects of image m in cell d.
        target: Objects wanted per cell.
        max_images: Most images to choose.
        seed: Of the order among equals.
        max_passes: Most passes of exchanges; each costs (chosen images) x M x D.

    Returns:
        Indices of the chosen images, increasing.

    Raises:
        ValueError: ``target`` or ``max_images`` is not positive.
    """
    check_range('target', target, '(0, inf)')
    check_range('max_images', max_images, '[1, inf)')
    order = np.random.default_rng(seed).permutation(len(counts))
    choice = _Choice(to_numpy(counts)[order].astype(np.float64), target)
    choice.fill(max_images)
    for _ in range(max_passes):
        if not choice.exchange(max_images):
            break
    return np.sort(order[choice.chosen])


class _Choice:
    """The chosen images and how far their objects are from the target."""

    def __init__(self, counts: np.ndarray, target: float) -> None:
        self.counts = counts
        self.squares = (counts**2).sum(axis=1)
        self.is_free = counts.sum(axis=1) > 0
        self.excess = np.full(counts.shape[1], -float(target))  # objects so far - target
        self.chosen = np.zeros(0, dtype=np.int64)

    def best(self) -> tuple[int, float]:
        """The free image that lowers the sum most, and by how much it changes it."""
        if not self.is_free.any():
            return -1, np.inf
        change = np.where(self.is_free, self.squares + 2 * (self.counts @ self.excess), np.inf)
        return int(change.argmin()), float(change.min())

    def add(self, image: int) -> None:
        self.chosen = np.append(self.chosen, image)
        self.is_free[image] = False
        self.excess = self.excess + self.counts[image]

    def remove(self, image: int) -> None:
        self.chosen = self.chosen[self.chosen != image]
        self.is_free[image] = True
        self.excess = self.excess - self.counts[image]

    def fill(self, max_images: int) -> bool:
        """Add images as long as that lowers the sum; return whether any was added."""
        before = len(self.chosen)
        while len(self.chosen) < max_images:
            image, change = self.best()
            if change >= 0:
                break
            self.add(image)
        return len(self.chosen) > before

    def exchange(self, max_images: int) -> bool:
        """Put each image in question once; return whether anything changed."""
        has_changed = False
        for image in self.chosen.tolist():
            self.remove(image)
            back = self.squares[image] + 2 * self.counts[image] @ self.excess
            other, change = self.best()
            if change < min(back, 0):
                self.add(int(other))
                has_changed = True
            elif back < 0:
                self.add(image)
            else:
                has_changed = True
        return self.fill(max_images) or has_changed

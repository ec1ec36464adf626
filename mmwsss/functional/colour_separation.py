"""How well a mask separates the colours of an image: what chooses a background threshold without masks.

Of the two halves that a threshold makes of an image, Otsu's criterion, the share of the variance that lies
between them, is taken of the image's colours, where Otsu (A Threshold Selection Method from Gray-Level
Histograms, 1979) takes it of the values that are thresholded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwsss.functional.checks import check_shapes, to_numpy

__all__ = ['colour_separation']


def colour_separation(
    colours: Any, scores: Any, thresholds: Sequence[float]
) -> NDArray[np.float64]:
    """Return the share of an image's colour variance that lies between foreground and background.

    With the pixels' colours ``c``, their mean ``m``, and n1, m1 and n0, m0 the numbers and mean
    colours of the pixels above a threshold and of the others,
    ``(n1 |m1 - m|^2 + n0 |m0 - m|^2) / sum |c - m|^2``.

    Args:
        colours: (H, W, C) of any colour space; in CIELAB distances are those that people see.
        scores: Largest foreground score of each pixel, floating point (H, W).
        thresholds: Strictly increasing, T numbers; a pixel is foreground where its score is larger.

    Returns:
        float64 (T,) in [0, 1]; 0 where one of the halves is empty, or the image has one colour.

    Raises:
        ValueError: Colours and scores are not of one size.
    """
    colours, scores = to_numpy(colours), to_numpy(scores)
    check_shapes(scores=(scores, 'H W'), colours=(colours, 'H W C'))
    colours = colours.reshape(-1, colours.shape[2]).astype(np.float64)
    colours -= colours[0]  # so that one colour has no variance, not even by rounding
    colours -= colours.mean(0)
    levels = np.searchsorted(thresholds, scores.ravel())  # how many thresholds lie below the score
    bins = len(thresholds) + 1
    counts = _above(np.bincount(levels, minlength=bins))
    sums = np.stack([_above(np.bincount(levels, c, bins)) for c in colours.T])
    shares = np.zeros(len(thresholds))
    both = (counts > 0) & (counts < len(colours))
    # The two halves' sums of centred colours are equal up to their sign.
    inverse = 1 / counts[both] + 1 / (len(colours) - counts[both])
    shares[both] = (sums[:, both] ** 2).sum(0) * inverse
    total = (colours**2).sum()
    return shares / total if total else shares * 0


def _above(per_level: NDArray[Any]) -> NDArray[Any]:
    """Totals of the pixels above each threshold."""
    totals: NDArray[Any] = per_level[::-1].cumsum()[::-1][1:]
    return totals

"""Image labels that a classifier contradicts: the confident-learning rule, each class a question of its own.

Source: Northcutt, Jiang, Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70, 2021
(thresholds and collisions: equations 1 and 2; ranking by self-confidence: section 4). The paper has one label
an image; here each class is a yes or no, as the multi-label loss of a localizer treats it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwsss.functional.checks import check_shapes, to_numpy

__all__ = ['contradicted_labels', 'self_confidence']


def self_confidence(probabilities: Any, labels: Any) -> NDArray[np.float64]:
    """Return the probability that a classifier gives to each label as it stands.

    Args:
        probabilities: That image n shows class k, (N, K) in [0, 1]; NaN: nobody knows.
        labels: Whether it is said to, bool or 0 and 1, (N, K).

    Returns:
        float64 (N, K): ``p`` where the label has the class, else ``1 - p``.

    Raises:
        ValueError: Shapes differ, or there are other values than these.
    """
    shown, given = to_numpy(probabilities).astype(np.float64), to_numpy(labels)
    check_shapes(probabilities=(shown, 'N K'), labels=(given, 'N K'))
    if ((shown < 0) | (shown > 1)).any():
        raise ValueError(
            f'probabilities must lie in [0, 1], but reach from {np.nanmin(shown):g} to '
            f'{np.nanmax(shown):g}'
        )
    if not np.isin(given, (0, 1)).all():
        raise ValueError('labels must hold nothing but 0 and 1 (or booleans)')
    return np.where(given != 0, shown, 1 - shown)


def contradicted_labels(probabilities: Any, labels: Any) -> NDArray[np.intp]:
    """Find the labels that a classifier contradicts, the most suspicious first.

    For a class, ``t1`` is the mean probability of the images that are labelled with it, ``t0`` the mean of
    ``1 - p`` of the others. A class is missing from a label where ``p >= t1``, and surplus where
    ``1 - p >= t0``, unless the label as it stands reaches its threshold, too, and is at least as probable.
    The lower the self-confidence, the more suspicious; equals are in the order of the images, then of the
    classes.

    Args:
        probabilities: See :func:`self_confidence`; of a model that has *not* been trained on the image.
        labels: See there.

    Returns:
        Image and class, both from 0, (n, 2). A class that all images have, or none, is never among them.

    Raises:
        ValueError: See :func:`self_confidence`.
    """
    confidence = self_confidence(probabilities, labels)
    given = to_numpy(labels) != 0
    present, absent = _mean_over(confidence, given), _mean_over(confidence, ~given)
    own, other = np.where(given, present, absent), np.where(given, absent, present)
    agrees = (confidence >= own) & (confidence >= 1 - confidence)
    contradicted = (1 - confidence >= other) & ~agrees
    places = np.argwhere(contradicted)
    return places[np.argsort(confidence[contradicted], kind='stable')]


def _mean_over(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of each column (N, K) over some rows; NaN over none."""
    counts, sums = where.sum(0), np.where(where, values, 0).sum(0)
    means = np.full(len(counts), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means

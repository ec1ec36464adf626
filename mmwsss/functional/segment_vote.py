"""Voting of class-agnostic segments on a label map, without dependence on any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwsss.functional.checks import check_label_map, check_range, check_shapes, to_numpy

__all__ = ['segment_vote']


def segment_vote(
    labels: NDArray[Any],
    segments: NDArray[np.bool_],
    max_area: float = 0.5,
    ignore_index: int = 255,
    min_share: float = 0.5,
    min_cover: float = 0.85,
) -> NDArray[Any]:
    """Let segments take the foreground class that they mostly hold, and clear the others of foreground.

    With ``P`` the pixels of a class and ``S`` a segment, ``S`` can only take the class of which it holds
    most (of equals the smallest id), and takes it if ``|S and P| / |S| > min_share`` or ``|S and P| / |P|
    >= min_cover``. The new region of a class are its accepted segments and what of it lies outside of all
    segments. Where accepted segments overlap, the one with the larger ``|S and P| / |S|`` wins, then the
    smaller one, then the smaller class id.

    Args:
        labels: Integer (H, W), 0 = background.
        segments: bool (S, H, W); they may overlap and leave pixels out.
        max_area: Larger segments, as a share of the image, are left out.
        ignore_index: Label of undecided pixels, which stay so outside of accepted segments.
        min_share: A segment's share of its class, in [0, 1].
        min_cover: The class's share in the segment, in (0, 1].

    Returns:
        Labels (H, W) of the same dtype.

    Raises:
        TypeError: ``labels`` do not hold integers.
        ValueError: Shapes do not fit or a number is out of range.
    """
    labels, segments = to_numpy(labels), to_numpy(segments).astype(bool, copy=False)
    check_label_map('labels', labels)
    check_shapes(segments=(segments, 'S H W'), labels=(labels, 'H W'))
    check_range('max_area', max_area, '[0, 1]')
    check_range('min_share', min_share, '[0, 1]')
    check_range('min_cover', min_cover, '(0, 1]')
    ids, places = np.unique(labels, return_inverse=True)
    places = places.reshape(labels.shape)
    is_class = (ids != 0) & (ids != ignore_index)
    totals = np.bincount(places.ravel(), minlength=len(ids))
    result, accepted = labels.copy(), []
    for segment in segments:
        area = int(np.count_nonzero(segment))
        if not 0 < area <= max_area * labels.size:
            continue
        held = np.bincount(places[segment], minlength=len(ids)) * is_class
        best = int(held.argmax())
        result[segment & is_class[places]] = 0
        share = held[best] / area
        if share > min_share or held[best] / totals[best] >= min_cover:
            accepted.append((share, -area, -int(ids[best]), segment))
    for _, _, negative_id, segment in sorted(accepted, key=lambda entry: entry[:3]):
        result[segment] = -negative_id
    return result

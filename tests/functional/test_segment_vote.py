from __future__ import annotations

import numpy as np
import pytest

from mmwsss.functional.segment_vote import segment_vote
from tests.oracles.segment_vote import vote_loop


def scene(seed):
    """Labels in blocks of 3x3 and rectangles as segments, which overlap and leave pixels out."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.choice([0, 2, 3, 7, 255], (4, 5)), np.ones((3, 3), np.int64))
    segments = np.zeros((9, *labels.shape), bool)
    for segment in segments[1:]:  # the first one is empty
        top, left = rng.integers(0, 9), rng.integers(0, 12)
        segment[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = True
    return labels, segments


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('max_area', [0.15, 1.0])
def test_equals_the_loop_in_any_order(seed, max_area):
    labels, segments = scene(seed)
    before = labels.copy()
    wanted = vote_loop(labels, segments, max_area)
    for order in (slice(None), slice(None, None, -1), [3, 1, 4, 0, 5, 8, 2, 6, 7]):
        np.testing.assert_array_equal(segment_vote(labels, segments[order], max_area), wanted)
    np.testing.assert_array_equal(labels, before)
    assert (wanted != labels).any()


def test_rules_one_by_one():
    labels = np.array([[1, 1, 1, 0, 0, 255], [2, 2, 0, 0, 0, 0]], np.uint8)
    half = np.zeros((1, 2, 6), bool)
    half[0, :, :2] = True  # two of each: the smaller id, whose share is 1/2, not more
    assert segment_vote(labels, half).tolist() == [[0, 0, 1, 0, 0, 255], [0, 0, 0, 0, 0, 0]]
    cover = np.zeros((1, 2, 6), bool)
    cover[0, 0] = True  # 1/2 of it, but all of class 1; 255 is covered
    found = segment_vote(labels, cover)
    assert found.tolist() == [[1] * 6, [2, 2, 0, 0, 0, 0]]
    assert found.dtype == np.uint8
    assert (segment_vote(labels, cover, min_cover=1) == found).all()  # equal is enough
    assert (segment_vote(labels, np.ones((1, 2, 6), bool)) == labels).all()  # too large
    assert (segment_vote(labels, np.zeros((0, 2, 6), bool)) == labels).all()


def test_of_equal_shares_the_smaller_segment_wins_then_the_smaller_class():
    labels = np.array([[1, 1, 1, 1, 0, 2, 2, 3, 3]])
    segments = np.zeros((3, 1, 9), bool)
    segments[0, 0, 1:5] = True  # 3/4 of class 1
    segments[0, 0, 4] = segments[1, 0, 4] = segments[2, 0, 4] = True
    segments[0, 0, :4], segments[1, 0, 5:7], segments[2, 0, 7:9] = True, True, True
    segments[0, 0, 8] = True  # 4/6, and 2/3 of classes 2 and 3
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        found = segment_vote(labels, segments[order], max_area=1)
        assert found.tolist() == [[1, 1, 1, 1, 2, 2, 2, 3, 3]]


def test_what_does_not_fit_is_named():
    labels = np.zeros((2, 3), int)
    with pytest.raises(ValueError, match=r'shapes must be segments \(S, H, W\)'):
        segment_vote(labels, np.zeros((1, 3, 2), bool))
    with pytest.raises(ValueError, match=r'max_area must lie in \[0, 1\]'):
        segment_vote(labels, np.zeros((1, 2, 3), bool), max_area=2)
    with pytest.raises(TypeError, match='labels must hold integers'):
        segment_vote(labels / 2, np.zeros((1, 2, 3), bool))

from __future__ import annotations

import numpy as np
import pytest

from mmwsss.io import ClassMaps
from mmwsss.refine import BackgroundThreshold

MAPS = ClassMaps(np.array([2]), np.array([[[0.2, 0.6]]]), (1, 2))


def test_adds_a_constant_map_in_front():
    before = MAPS.scores.copy()
    result = BackgroundThreshold(0.25)(MAPS)
    assert result.keys.tolist() == [0, 2]
    np.testing.assert_array_equal(result.scores, np.float32([[[0.25, 0.25]], [[0.2, 0.6]]]))
    assert result.image_size == (1, 2)
    np.testing.assert_array_equal(MAPS.scores, before)


@pytest.mark.parametrize('threshold', [0, 1])
def test_bounds_are_allowed(threshold):
    assert BackgroundThreshold(threshold).threshold == threshold


@pytest.mark.parametrize('threshold', [-0.01, 1.01, float('nan')])
def test_outside_the_bounds(threshold):
    with pytest.raises(ValueError, match=r'threshold must lie in \[0, 1\], but got'):
        BackgroundThreshold(threshold)


def test_refuses_maps_with_background_and_labels():
    refiner = BackgroundThreshold(0.3)
    with pytest.raises(ValueError, match='background map of their own'):
        refiner(refiner(MAPS))
    with pytest.raises(TypeError, match=r'needs ClassMaps, but got labels \(1, 2\)'):
        refiner(np.zeros((1, 2), np.int64))


def test_may_take_the_place_of_a_background():
    own = BackgroundThreshold(0.9)(MAPS)
    result = BackgroundThreshold(0.25, replace=True)(own)
    expected = BackgroundThreshold(0.25)(MAPS)
    np.testing.assert_array_equal(result.keys, expected.keys)
    np.testing.assert_array_equal(result.scores, expected.scores)
    assert BackgroundThreshold(0.25, replace=True)(MAPS).keys.tolist() == [0, 2]

from __future__ import annotations

import numpy as np
import pytest

from mmwsss.functional import colour_separation
from tests.oracles.colour_separation import plain_separation

THRESHOLDS = (0.0, 0.25, 0.5, 0.75, 1.0)


def test_equals_the_plain_loop():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    scores = rng.integers(0, 5, (9, 7)).astype(np.float32) / 4  # ties with the thresholds
    found = colour_separation(image, scores, THRESHOLDS)
    expected = [plain_separation(image, scores, t) for t in THRESHOLDS]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert found[-1] == 0 < found[:-1].min()


def test_an_object_of_another_colour_is_separated_whole():
    image = np.full((20, 20, 3), 200, np.uint8)
    image[5:15, 5:15] = (180, 20, 20)
    distance = np.abs(np.mgrid[:20, :20] - 9.5).max(0)  # scores fall off from the centre
    found = colour_separation(image, 1 - distance / 10, THRESHOLDS)
    assert found.argmax() == 2
    assert found[2] == pytest.approx(1)


def test_nothing_to_separate():
    grey = np.full((5, 4, 3), 0.1)
    scores = np.random.default_rng(0).random((5, 4))
    np.testing.assert_array_equal(colour_separation(grey, scores, THRESHOLDS), 0)
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    found = colour_separation(image, np.zeros((4, 4)), (-1.0, 0.5))
    np.testing.assert_array_equal(found, 0)  # all foreground, then none


def test_sizes_must_agree():
    with pytest.raises(ValueError, match='colours'):
        colour_separation(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4)), THRESHOLDS)

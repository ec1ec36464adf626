import numpy as np
import pytest

from mmwsss.functional.boxes import Box, box_slices, constrain_labels, constrain_maps
from tests.oracles.boxes import plain_labels, plain_maps


def case(seed):
    generator = np.random.default_rng(seed)
    labels = generator.choice([0, 1, 2, 3, 255], size=(13, 17)).astype(np.uint8)
    scores = generator.normal(size=(4, 13, 17)).astype(np.float32)
    edges = np.sort(generator.uniform(-3, 20, size=(5, 2, 2)), axis=1)
    boxes = [
        Box(int(generator.integers(1, 4)), x0, y0, x1 + 1, y1 + 1) for (x0, y0), (x1, y1) in edges
    ]
    return labels, scores, boxes


@pytest.mark.filterwarnings('error')  # of means over boxes beyond the image
@pytest.mark.parametrize('seed', range(6))
def test_constraints_equal_loops_over_pixels(seed):
    labels, scores, boxes = case(seed)
    keys = np.arange(4)
    before = labels.copy(), scores.copy()
    np.testing.assert_array_equal(
        constrain_maps(scores, keys, boxes), plain_maps(scores, keys, boxes)
    )
    for min_fill, inner in ((0.0, 0.2), (0.5, 0.2), (0.25, 1.0), (1.0, 0.5)):
        np.testing.assert_array_equal(
            constrain_labels(labels, boxes, min_fill, inner),
            plain_labels(labels, boxes, min_fill, inner),
        )
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(scores, before[1])


def test_without_boxes_all_is_background():
    labels, scores, _ = case(0)
    assert not constrain_labels(labels, []).any()
    assert constrain_maps(scores, np.arange(4), [])[1:].max() <= 0


def test_pixel_centres_decide():
    assert box_slices(Box(1, 1.5, 0.4, 3.5, 2.6), (5, 5)) == (slice(0, 3), slice(1, 3))
    assert box_slices(Box(1, -4, 3, 99, 99), (5, 5)) == (slice(3, 5), slice(0, 5))


def test_a_small_box_labelled_anew_keeps_its_class():
    found = constrain_labels(
        np.zeros((4, 4), np.uint8), [Box(1, 1, 1, 3, 3), Box(2, 3.4, 0, 3.6, 1)]
    )
    assert found.tolist() == [[0, 0, 0, 2], [0, 1, 255, 0], [0, 255, 255, 0], [0, 0, 0, 0]]


def test_deep_labels_keep_their_type():
    labels = np.full((4, 4), 300, np.uint16)
    result = constrain_labels(labels, [Box(300, 0, 0, 2, 4)])
    assert result.dtype == np.uint16
    assert result.tolist() == [[300, 300, 0, 0]] * 4


@pytest.mark.parametrize(
    ('options', 'message'),
    [({'min_fill': 1.1}, 'min_fill must lie'), ({'inner': 0}, 'inner must lie')],
)
def test_numbers_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        constrain_labels(np.zeros((2, 2), int), [], **options)

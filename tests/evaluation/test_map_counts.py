from __future__ import annotations

import numpy as np
import pytest

from mmwsss.evaluation.map_counts import DEFAULT_THRESHOLDS, count_maps, score_map_counts
from mmwsss.io import ClassMaps
from tests.oracles.confusion import plain_iou, plain_labels

C = 5
KEYS = [[0, 1, 2], [0, 4], [0, 2, 4], [0]]


def images(keys_of_images, seed: int = 0):
    """Yield maps and ground truth; the images differ in size."""
    rng = np.random.default_rng(seed)
    for i, keys in enumerate(keys_of_images):
        shape = (4 + i, 7)
        scores = rng.random((len(keys), *shape), dtype=np.float32)
        yield (
            ClassMaps(np.array(keys), scores, shape),
            rng.choice([0, 1, 2, 4, 255], size=shape),
        )


def flat(arrays) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays])[None]


def test_default_thresholds():
    assert len(DEFAULT_THRESHOLDS) == 19
    assert DEFAULT_THRESHOLDS[::6] == (0.05, 0.35, 0.65, 0.95)


def test_scores_equal_loops_over_all_pixels():
    data = list(images(KEYS))
    counts = [count_maps(maps, gt, DEFAULT_THRESHOLDS, C) for maps, gt in data]
    scores = score_map_counts(counts, DEFAULT_THRESHOLDS, C)
    gts = flat(gt for _, gt in data)
    for i in (0, 7, 18):
        labels = flat(plain_labels(m.scores, m.keys, DEFAULT_THRESHOLDS[i]) for m, _ in data)
        expected = plain_iou(labels, gts, C)
        np.testing.assert_allclose(scores.iou[i], expected)
        assert scores.miou[i] == pytest.approx(np.nanmean(expected))
    argmax = flat(maps.keys[maps.scores.argmax(0)] for maps, _ in data)
    np.testing.assert_allclose(scores.argmax_iou, plain_iou(argmax, gts, C))
    assert scores.argmax_miou == pytest.approx(np.nanmean(scores.argmax_iou))
    assert scores.best == int(np.argmax(scores.miou))
    assert np.isnan(scores.iou[:, 3]).all()  # class 3 is nowhere


def test_shares_of_ranks_add_up_exactly():
    counts = [count_maps(maps, gt, (0.3, 0.6), C) for maps, gt in images(KEYS)]
    whole = score_map_counts(counts, (0.3, 0.6), C)
    shares = score_map_counts(counts[1::2] + counts[::2], (0.3, 0.6), C)
    np.testing.assert_array_equal(whole.iou, shares.iou)
    np.testing.assert_array_equal(whole.argmax_iou, shares.argmax_iou)


def test_one_image_without_background_map_leaves_no_argmax():
    counts = [count_maps(maps, gt, (0.5,), C) for maps, gt in images([[0, 1], [1]])]
    scores = score_map_counts(counts, (0.5,), C)
    assert scores.argmax_iou is None
    assert scores.argmax_miou is None
    assert 'argmax' not in scores.table()


def test_coarse_maps_are_brought_to_image_size():
    maps = ClassMaps(np.array([1]), np.array([[[0.0, 1.0]]]), (1, 4))
    counts = count_maps(maps, np.array([[0, 0, 1, 1]]), (0.5,), 2)
    assert counts.intersect.tolist() == [[2, 2]]  # 0, 0.25 | 0.75, 1


def test_size_of_ground_truth_must_be_that_of_the_image():
    maps = ClassMaps(np.array([1]), np.zeros((1, 2, 2)), (4, 4))
    with pytest.raises(ValueError, match=r'scores \(n, H, W\), but got .*\(2, 2\), \(1, 4, 4\)'):
        count_maps(maps, np.zeros((2, 2), int), (0.5,), 2)

from __future__ import annotations

import numpy as np
import pytest

from mmwsss.functional.confusion import (
    confusion_counts,
    iou_from_areas,
    iou_from_counts,
    mean_iou,
    threshold_counts,
)
from tests.oracles.confusion import plain_confusion, plain_iou, plain_labels

C = 5
THRESHOLDS = [0.0, 0.2, 0.25, 0.5, 0.9, 1.0]


def random_labels(rng, with_ignore: bool = True) -> np.ndarray:
    return rng.choice([0, 1, 2, 4, 255] if with_ignore else [0, 1, 2, 4], size=(7, 9))


@pytest.mark.parametrize('seed', range(4))
def test_counts_and_iou_equal_the_plain_loops(seed):
    rng = np.random.default_rng(seed)
    pred, gt = random_labels(rng), random_labels(rng).astype(np.uint8)
    counts = confusion_counts(pred, gt, C)
    assert counts.dtype == np.int64
    assert counts.tolist() == plain_confusion(pred, gt, C)
    iou = iou_from_counts(counts)
    np.testing.assert_allclose(iou, plain_iou(pred, gt, C), rtol=1e-12)
    assert np.isnan(iou[3])


def test_counts_worked_out_by_hand():
    gt = np.array([[0, 0, 1, 1, 255]])
    pred = np.array([[0, 1, 1, 255, 1]])
    counts = confusion_counts(pred, gt, 2)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1]]
    np.testing.assert_allclose(iou_from_counts(counts), [1 / 2, 1 / 3])
    np.testing.assert_allclose(iou_from_counts(counts[:, :2]), [1 / 2, 1 / 2])


def test_undecided_pixels_are_misses_and_not_background():
    gt, pred = np.array([[0, 1]]), np.array([[255, 1]])
    np.testing.assert_array_equal(iou_from_counts(confusion_counts(pred, gt, 2)), [0.0, 1.0])


def test_sums_stay_exact_where_float32_does_not():
    big = np.array([[2**24 + 1, 0], [0, 2**40 + 1]], dtype=np.int64)
    total = big + np.array([[1, 0], [1, 1]])
    iou = iou_from_counts(total)
    assert iou[0] == (2**24 + 2) / (2**24 + 3)


def test_all_ignored_image_counts_nothing():
    gt = np.full((2, 3), 255)
    assert confusion_counts(np.zeros((2, 3), int), gt, C).sum() == 0
    counts = threshold_counts(np.ones((1, 2, 3)), np.array([1]), gt, [0.5], C)
    assert counts.pred_area.sum() == counts.gt_area.sum() == counts.intersect.sum() == 0


def test_mean_iou_leaves_out_undefined_classes():
    table = np.array([[0.5, np.nan, 1.0], [np.nan] * 3])
    mean = mean_iou(table)
    assert mean[0] == 0.75
    assert np.isnan(mean[1])
    assert mean_iou(np.array([0.25, 0.75])) == 0.5


@pytest.mark.parametrize(
    ('pred', 'gt', 'error', 'message'),
    [
        ([[0.5]], [[1]], TypeError, 'pred must hold integers'),
        ([[1]], [[0.5]], TypeError, 'gt must hold integers'),
        ([[5]], [[1]], ValueError, r'pred must hold class ids 0\.\.4 or 255 .* but holds \[5\]'),
        ([[1]], [[-1]], ValueError, r'gt must hold class ids 0\.\.4 .* but holds \[-1\]'),
        ([[1, 1]], [[1]], ValueError, r'pred must be \(1, 1\), but got shape \(1, 2\)'),
        ([1], [1], ValueError, r'gt must be \(H, W\), but got shape \(1,\)'),
    ],
)
def test_bad_label_maps(pred, gt, error, message):
    with pytest.raises(error, match=message):
        confusion_counts(np.array(pred), np.array(gt), C)


def random_maps(seed: int, keys: list[int], dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.random((len(keys), 7, 9)).astype(dtype)
    scores[rng.random(scores.shape) < 0.3] = dtype(0.25)  # ties, and scores on a threshold
    scores[rng.random(scores.shape) < 0.1] = 0
    return scores, np.array(keys, dtype=np.int64), random_labels(rng)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('keys', [[], [0], [2], [1, 3], [0, 1, 2, 4]])
def test_threshold_counts_equal_one_plain_loop_per_threshold(keys, dtype):
    scores, keys, gt = random_maps(len(keys), keys, dtype)
    counts = threshold_counts(scores, keys, gt, THRESHOLDS, C)
    assert {array.dtype for array in counts} == {np.dtype(np.int64)}
    for i, threshold in enumerate(THRESHOLDS):
        table = np.array(plain_confusion(plain_labels(scores, keys, threshold), gt, C))
        np.testing.assert_array_equal(counts.intersect[i], np.diag(table))
        np.testing.assert_array_equal(counts.pred_area[i], table[:, :C].sum(0))
        np.testing.assert_array_equal(counts.gt_area, table.sum(1))
        iou = iou_from_areas(counts.intersect, counts.pred_area, counts.gt_area)[i]
        np.testing.assert_allclose(iou, plain_iou(plain_labels(scores, keys, threshold), gt, C))


def test_a_score_on_the_threshold_is_background():
    counts = threshold_counts(
        np.array([[[0.3, 0.5]]], np.float32), np.array([1]), np.array([[1, 1]]), [0.3, 0.5], 2
    )
    assert counts.pred_area.tolist() == [[1, 1], [2, 0]]  # 0.3 in float32, as the scores


def test_arguments_are_left_alone():
    scores, keys, gt = random_maps(0, [0, 1], np.float32)
    copies = scores.copy(), keys.copy(), gt.copy()
    threshold_counts(scores, keys, gt, THRESHOLDS, C)
    for array, copy in zip((scores, keys, gt), copies):
        np.testing.assert_array_equal(array, copy)


def test_maps_that_do_not_fit():
    scores, gt = np.zeros((1, 2, 2), np.float32), np.zeros((2, 2), int)
    with pytest.raises(ValueError, match=r'scores \(n, H, W\), but got .*\(1, 2, 3\)'):
        threshold_counts(np.zeros((1, 2, 3), np.float32), np.array([1]), gt, [0.5], C)
    with pytest.raises(ValueError, match=r'largest key must lie in \[0, 4\], but got 5'):
        threshold_counts(scores, np.array([5]), gt, [0.5], C)

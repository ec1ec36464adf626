from __future__ import annotations

import numpy as np
import pytest

from mmwsss.functional.crf import dense_crf, dense_crf_labels
from mmwsss.io import ClassMaps
from mmwsss.refine.chain import RefinerChain
from mmwsss.refine.dense_crf import DenseCRF

SIZE = (24, 32)


def scene():
    rng = np.random.default_rng(0)
    truth = np.broadcast_to(np.arange(32) >= 16, SIZE)
    image = np.where(truth[..., None], 200, 50) + rng.normal(0, 2, (*SIZE, 3))
    scores = 0.6 * rng.random((2, *SIZE)) + 0.4 * np.stack([~truth, truth])
    maps = ClassMaps(np.array([0, 7]), scores, SIZE)
    return image.clip(0, 255).astype(np.uint8), maps, 7 * truth


def test_class_maps_stay_class_maps():
    image, maps, truth = scene()
    out = DenseCRF()(maps, image)
    probs = maps.scores / maps.scores.sum(axis=0)
    np.testing.assert_allclose(out.scores, dense_crf(image, probs), atol=1e-5)
    assert out.keys.tolist() == [0, 7]
    labels = RefinerChain([{'type': 'DenseCRF'}])(maps, image)
    assert (labels == truth).mean() > 0.99 > (RefinerChain([])(maps) == truth).mean()


def test_maps_without_any_score_become_uniform():
    image, maps, _ = scene()
    out = DenseCRF()(ClassMaps(maps.keys, 0 * maps.scores, SIZE), image)
    np.testing.assert_allclose(out.scores, 0.5, atol=1e-5)


def test_coarse_maps_come_out_at_image_size():
    image, maps, _ = scene()
    coarse = ClassMaps(maps.keys, maps.scores[:, ::4, ::4], SIZE)
    assert DenseCRF()(coarse, image).scores.shape == (2, *SIZE)


def test_from_labels():
    image, maps, _ = scene()
    out = DenseCRF(from_labels=True, gt_prob=0.6)(maps, image)
    want = dense_crf_labels(image, maps.scores.argmax(axis=0), 2, 0.6)
    assert (out == 7 * want).all()


def test_labels_with_undecided_pixels():
    image, _, truth = scene()
    labels = truth.astype(np.uint8)
    labels[:, 12:20] = 255
    out = DenseCRF()(labels, image)
    assert out.dtype == np.uint8
    assert (out == truth).all()
    undecided = np.full(SIZE, 255, np.uint8)
    assert (DenseCRF()(undecided, image) == 255).all()


def test_more_labels_than_255_in_one_image():
    image, _, _ = scene()
    labels = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 300
    assert len(np.unique(labels)) == 300
    labels[labels == 255] = 300
    flat = DenseCRF(gaussian_compat=0, bilateral_compat=0)
    np.testing.assert_array_equal(flat(labels, image), labels)
    labels[0, 0] = 255
    assert flat(labels, image)[0, 0] != 255


def test_parameters_reach_the_function():
    image, maps, _ = scene()
    flat = DenseCRF(gaussian_compat=0, bilateral_compat=0)(maps, image)
    np.testing.assert_allclose(flat.scores, maps.scores / maps.scores.sum(axis=0), atol=1e-4)
    short = DenseCRF(iterations=1, gaussian_sxy=2, bilateral_sxy=9, bilateral_srgb=20)(maps, image)
    want = dense_crf(
        image,
        maps.scores / maps.scores.sum(axis=0),
        iterations=1,
        gaussian_sxy=2,
        bilateral_sxy=9,
        bilateral_srgb=20,
    )
    np.testing.assert_allclose(short.scores, want, atol=1e-5)


def test_errors():
    image, maps, _ = scene()
    with pytest.raises(ValueError, match='put a BackgroundThreshold before it'):
        DenseCRF()(ClassMaps(maps.keys[1:], maps.scores[1:], SIZE), image)
    with pytest.raises(ValueError, match=r'photo1: image must be RGB uint8 .* None'):
        DenseCRF()(maps, None, 'photo1')
    with pytest.raises(ValueError, match=r'gt_prob must lie in \(0, 1\)'):
        DenseCRF(gt_prob=1)

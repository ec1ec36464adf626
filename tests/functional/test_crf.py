from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from mmwsss.functional.crf import SEED_KERNELS, CRFLattice, dense_crf, dense_crf_labels
from tests.oracles.dense_crf import mean_field_all_pairs


def scene(height: int = 24, width: int = 32, labels: int = 3, seed: int = 0):
    """An image of vertical stripes, one colour a label, and noisy probabilities of the labels."""
    rng = np.random.default_rng(seed)
    truth = np.minimum(np.arange(width) * labels // width, labels - 1)
    truth = np.broadcast_to(truth, (height, width)).copy()
    colours = rng.permutation(np.linspace(20, 230, labels))
    image = colours[truth][..., None] + rng.normal(0, 2, (height, width, 3))
    noise = rng.dirichlet(np.ones(labels), (height, width)).transpose(2, 0, 1)
    probs = 0.5 * noise + 0.5 * (truth == np.arange(labels)[:, None, None])
    return image.clip(0, 255).astype(np.uint8), probs.astype(np.float32), truth


NO_PAIRWISE = {'gaussian_compat': 0, 'bilateral_compat': 0}


@pytest.mark.parametrize('seed', range(3))
def test_zero_pairwise_is_the_input_and_its_argmax(seed):
    image, probs, _ = scene(seed=seed)
    out = dense_crf(image, probs, **NO_PAIRWISE)
    np.testing.assert_allclose(out, np.maximum(probs, 1e-5) / probs.sum(axis=0), atol=2e-5)
    assert (out.argmax(axis=0) == probs.argmax(axis=0)).all()
    noisy = probs.argmax(axis=0)
    assert (dense_crf_labels(image, noisy, 3, **NO_PAIRWISE) == noisy).all()


def with_errors(truth, labels, seed=0):
    """The label map with a fifth of its pixels wrong."""
    wrong = np.random.default_rng(seed).random(truth.shape) < 0.2
    return np.where(wrong, (truth + 1) % labels, truth)


def test_follows_the_sum_over_all_pairs():
    image, _, truth = scene(9, 12, labels=2, seed=4)
    probs = label_probabilities(with_errors(truth, 2), 2, 0.6)
    kernels = {
        'gaussian_sxy': 1.5,
        'gaussian_compat': 1,
        'bilateral_sxy': 2.5,
        'bilateral_srgb': 120,
        'bilateral_compat': 1.5,
    }
    want = mean_field_all_pairs(image, probs, 2, (1.5, 1), (2.5, 120, 1.5))
    assert (want.argmax(axis=0) != probs.argmax(axis=0)).sum() > 10

    def error(**changes):
        return np.abs(dense_crf(image, probs, iterations=2, **{**kernels, **changes}) - want).mean()

    # The library filters on a permutohedral lattice, an approximation of the sums.
    assert error() < 0.004
    for name, value in kernels.items():
        assert error(**{name: 2 * value}) > 0.005, name
    got = dense_crf(image, probs, iterations=2, **kernels)
    assert (got.argmax(axis=0) == want.argmax(axis=0)).mean() > 0.97


def label_probabilities(labels, num_labels, gt_prob, ignore_index=255):
    """Probability of every label at every pixel, those that do not occur included."""
    probs = np.zeros((num_labels, *labels.shape))
    for y, x in np.ndindex(labels.shape):
        for label in range(num_labels):
            if labels[y, x] == ignore_index:
                probs[label, y, x] = 1 / num_labels
            elif labels[y, x] == label:
                probs[label, y, x] = gt_prob
            else:
                probs[label, y, x] = (1 - gt_prob) / (num_labels - 1)
    return probs


@pytest.mark.parametrize(('num_labels', 'gt_prob'), [(2, 0.7), (3, 0.7), (5, 0.4)])
def test_unary_of_labels(num_labels, gt_prob, monkeypatch):
    energies = []
    infer = CRFLattice._infer
    monkeypatch.setattr(
        CRFLattice, '_infer', lambda *args: (energies.extend(args[1]), infer(*args))[1]
    )
    image, probs, _ = scene(labels=2)
    labels = probs.argmax(axis=0)
    labels[3:5] = 255
    dense_crf_labels(image, labels, num_labels, gt_prob, ignore_index=255)
    want = label_probabilities(labels, num_labels, gt_prob)
    np.testing.assert_allclose(want.sum(axis=0), 1)
    np.testing.assert_allclose(np.exp(-energies[0]), want[:2], rtol=1e-6)  # the two that occur


@pytest.mark.parametrize('num_labels', [2, 3])
def test_labels_follow_the_sum_over_all_pairs(num_labels):
    image, _, truth = scene(9, 12, labels=2, seed=4)
    labels = np.where(np.random.default_rng(0).random(truth.shape) < 0.2, 1 - truth, truth)
    unary = label_probabilities(labels, num_labels, 0.6)[:2]
    want = mean_field_all_pairs(image, unary, 10, (1.5, 1.0), (6.0, 30.0, 1.5))
    kernels = {'gaussian_sxy': 1.5, 'gaussian_compat': 1, 'bilateral_sxy': 6}
    got = dense_crf_labels(
        image, labels, num_labels, 0.6, bilateral_srgb=30, bilateral_compat=1.5, **kernels
    )
    assert (got == want.argmax(axis=0)).mean() > 0.97
    assert (got != labels).any()


def test_kernels_are_the_published_ones():
    names = [
        'gaussian_sxy',
        'gaussian_compat',
        'bilateral_sxy',
        'bilateral_srgb',
        'bilateral_compat',
    ]
    assert CRFLattice.__init__.__kwdefaults__ == dict(zip(names, (1, 3, 67, 3, 4)))
    assert dict(zip(names, (3, 3, 50, 5, 10))) == SEED_KERNELS


def test_three_labels_follow_the_sum_over_all_pairs():
    image, probs, _ = scene(9, 12, labels=3, seed=4)
    want = mean_field_all_pairs(image, probs, 5, (1.5, 2.0), (6.0, 30.0, 3.0))
    got = dense_crf(
        image,
        probs,
        iterations=5,
        gaussian_sxy=1.5,
        gaussian_compat=2,
        bilateral_sxy=6,
        bilateral_srgb=30,
        bilateral_compat=3,
    )
    assert np.abs(got - want).mean() < 0.001
    assert (got.argmax(axis=0) == want.argmax(axis=0)).mean() > 0.97


def test_removes_noise_along_colours():
    image, _, truth = scene(labels=2, seed=1)
    noisy = with_errors(truth, 2)
    probs = label_probabilities(noisy, 2, 0.7)
    clean = dense_crf_labels(image, noisy, 2)
    assert (noisy == truth).mean() < 0.85
    assert (clean == truth).mean() > 0.99
    assert (dense_crf(image, probs).argmax(axis=0) == truth).mean() > 0.99


def test_labels_outside_the_image_are_impossible():
    image, probs, _ = scene(labels=3)
    wide = np.zeros((6, *probs.shape[1:]), np.float32)
    wide[[0, 2, 5]] = probs
    out = dense_crf(image, wide)
    assert (out[[1, 3, 4]] == 0).all()
    np.testing.assert_allclose(out[[0, 2, 5]], dense_crf(image, probs), atol=1e-6)
    np.testing.assert_allclose(out.sum(axis=0), 1, atol=1e-5)
    sparse = np.array([0, 2, 5], np.uint8)[probs.argmax(axis=0)]
    cleaned = dense_crf_labels(image, sparse, 9)
    assert cleaned.dtype == np.uint8
    assert set(np.unique(cleaned)) <= {0, 2, 5}


def test_shared_lattice_equals_separate_ones():
    image, probs, _ = scene(labels=4, seed=2)
    other = scene(labels=4, seed=3)[1]
    lattice = CRFLattice(image, 4)
    for unary in (probs, other, probs, other[:2], probs):
        np.testing.assert_allclose(lattice.probabilities(unary), dense_crf(image, unary), atol=2e-5)


def test_shared_lattice_for_labels():
    image, _, truth = scene(labels=3, seed=2)
    first, second = with_errors(truth, 3), with_errors(np.minimum(truth, 1), 2, seed=1)
    params = {
        'gaussian_sxy': 3,
        'bilateral_sxy': 50,
        'bilateral_srgb': 5,
        'bilateral_compat': 10,
    }
    lattice = CRFLattice(image, 3, **params)
    for labels in (first, second):
        got = lattice.labels_together([labels], 3)[0]
        assert (got == dense_crf_labels(image, labels, 3)).all()
        assert (got != labels).any()


def test_maps_cleaned_together_do_not_influence_each_other():
    image, _, truth = scene(labels=3, seed=2)
    maps = [
        with_errors(truth, 3),
        with_errors(np.minimum(truth, 1), 2, seed=1),
        np.full(image.shape[:2], 2),
        with_errors(truth, 3, seed=2).astype(np.uint8),
    ]
    maps[3][:5] = 255
    params = {
        'gaussian_sxy': 3,
        'bilateral_sxy': 50,
        'bilateral_srgb': 5,
        'bilateral_compat': 10,
    }
    got = CRFLattice(image, 9, **params).labels_together(maps, 3, ignore_index=255)
    assert len(got) == 4
    for one, labels in zip(got, maps):
        assert one.dtype == labels.dtype
        assert (one == dense_crf_labels(image, labels, 3, ignore_index=255)).all()
        assert (one != labels)[labels != 255].any() == (len(np.unique(labels)) > 1)
    with pytest.raises(ValueError, match='built for 5 labels, got 8'):
        CRFLattice(image, 5, **params).labels_together(maps, 3, ignore_index=255)
    assert CRFLattice(image, 5).labels_together([], 3) == []


@pytest.mark.parametrize('compat', [20, 100, 400])
def test_maps_cleaned_together_stay_apart_whatever_the_kernels_weigh(compat):
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 255, (4, 4, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    scores = rng.random((4, 32, 32))
    maps = [np.insert(scores[1:], 0, background, 0).argmax(0) for background in (0.5, 0.3)]
    lattice = CRFLattice(image, 8, bilateral_compat=compat)
    for one, labels in zip(lattice.labels_together(maps, 4), maps):
        assert (one == lattice.labels_together([labels], 4)[0]).all()


@pytest.mark.parametrize('size', [(1, 1), (1, 300), (300, 1), (2, 700)])
def test_extreme_sizes(size):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    probs = rng.dirichlet([1, 1], size).transpose(2, 0, 1)
    out = dense_crf(image, probs)
    assert out.shape == (2, *size)
    np.testing.assert_allclose(out.sum(axis=0), 1, atol=1e-5)
    labels = probs.argmax(axis=0)
    assert set(np.unique(dense_crf_labels(image, labels, 2))) <= set(np.unique(labels))


def test_one_label_is_returned_as_it_is():
    image, probs, _ = scene()
    labels = np.full(image.shape[:2], 4, np.int64)
    out = dense_crf_labels(image, labels, 5)
    assert (out == 4).all()
    assert out is not labels
    assert (dense_crf(image, probs[:1]) == 1).all()


def test_unknown_pixels_are_filled_along_colours():
    image, _, truth = scene(labels=2, seed=1)
    known = truth.astype(np.uint8)
    known[:, 8:20] = 255
    assert (dense_crf_labels(image, known, 2, ignore_index=255) == truth).all()
    assert (dense_crf_labels(image, known, 2, ignore_index=255, **NO_PAIRWISE) < 2).all()
    unknown = np.full_like(known, 255)
    assert (dense_crf_labels(image, unknown, 2, ignore_index=255) == 255).all()
    with pytest.raises(ValueError, match=r'labels must hold class ids 0\.\.1'):
        dense_crf_labels(image, known, 2)


def test_inputs_are_unchanged_and_may_be_strided():
    image, probs, _ = scene(labels=3, seed=5)
    want = dense_crf(image, probs)
    want_labels = dense_crf_labels(image, probs.argmax(axis=0), 3)
    strided_image = np.asfortranarray(image)
    strided_probs = np.asfortranarray(probs.astype(np.float64))
    copies = strided_image.copy(), strided_probs.copy()
    np.testing.assert_allclose(dense_crf(strided_image, strided_probs), want, atol=1e-6)
    strided_labels = np.asfortranarray(probs.argmax(axis=0))
    assert (dense_crf_labels(strided_image, strided_labels, 3) == want_labels).all()
    assert (strided_image == copies[0]).all()
    assert (strided_probs == copies[1]).all()
    mirrored = dense_crf(image[:, ::-1], probs[..., ::-1])[..., ::-1]
    assert np.abs(mirrored - want).mean() < 0.01


def test_pixel_without_any_probability_is_decided_by_its_neighbours():
    image, probs, truth = scene(labels=2, seed=1)
    probs[:, 10, 5] = 0
    out = dense_crf(image, probs)
    assert out[:, 10, 5].argmax() == truth[10, 5]


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        ({'image': np.zeros((4, 5), np.uint8)}, ValueError, r'image \(H, W, 3\), but got \(4, 5\)'),
        ({'image': np.zeros((4, 5, 3))}, TypeError, 'image must be uint8'),
        ({'probs': np.ones((2, 5, 4))}, ValueError, r'probs \(K, 4, 5\), but got \(2, 5, 4\)'),
        ({'probs': -np.ones((2, 4, 5))}, ValueError, 'not negative'),
        ({'probs': np.full((2, 4, 5), np.nan)}, ValueError, 'finite'),
        ({'probs': np.zeros((2, 4, 5))}, ValueError, '0 everywhere'),
        ({'bilateral_srgb': 0}, ValueError, r'bilateral_srgb must lie in \(0, inf\)'),
        (
            {'gaussian_compat': -1},
            ValueError,
            r'gaussian_compat must lie in \[0, inf\), but got -1',
        ),
        ({'iterations': -1}, ValueError, r'iterations must lie in \[0, inf\)'),
        ({'min_prob': 0}, ValueError, r'min_prob must lie in \(0, 1\]'),
    ],
)
def test_bad_arguments_of_dense_crf(change, error, message):
    arguments = {'image': np.zeros((4, 5, 3), np.uint8), 'probs': np.full((2, 4, 5), 0.5)}
    with pytest.raises(error, match=message):
        dense_crf(**{**arguments, **change})


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (
            {'labels': np.zeros((4, 4), int)},
            ValueError,
            r'labels must be \(4, 5\), but got shape \(4, 4\)',
        ),
        ({'labels': np.zeros((4, 5))}, TypeError, 'labels must hold integers'),
        ({'labels': np.full((4, 5), 2)}, ValueError, r'labels must hold class ids 0\.\.1'),
        ({'labels': np.full((4, 5), -1)}, ValueError, r'labels must hold class ids 0\.\.1'),
        ({'gt_prob': 1.0}, ValueError, r'gt_prob must lie in \(0, 1\)'),
    ],
)
def test_bad_arguments_of_dense_crf_labels(change, error, message):
    arguments = {
        'image': np.zeros((4, 5, 3), np.uint8),
        'labels': np.eye(4, 5, dtype=int),
        'num_labels': 2,
    }
    with pytest.raises(error, match=message):
        dense_crf_labels(**{**arguments, **change})


def test_too_many_labels_for_the_lattice():
    image, probs, _ = scene(labels=3)
    with pytest.raises(ValueError, match='built for 2 labels, got 3'):
        CRFLattice(image, 2).probabilities(probs)


def test_missing_package_names_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pydensecrf', None)
    image, probs, _ = scene()
    with pytest.raises(ImportError, match=r'pip install "mmwsss\[crf\]"'):
        dense_crf(image, probs)


def test_import_does_not_need_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pydensecrf', None)
    fresh = importlib.util.find_spec('mmwsss.functional.crf')
    module = importlib.util.module_from_spec(fresh)
    fresh.loader.exec_module(module)
    assert module.dense_crf.__name__ == 'dense_crf'

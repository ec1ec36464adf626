from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mmwsss.functional.svm import (
    fit_pixel_svm,
    sample_pixels,
    select_seed_pixels,
    svm_expand,
)


def scene(labels: int, channels: int = 3, size: tuple[int, int] = (40, 50), seed: int = 0):
    """Overlapping Gaussian clusters in feature space, a vertical stripe each."""
    rng = np.random.default_rng(seed)
    values = np.array([0, 3, 7, 20])[:labels]
    stripe = np.minimum(np.arange(size[1]) * labels // size[1], labels - 1)
    index = np.broadcast_to(stripe, size)
    centres = rng.normal(0, 1.5, (labels, channels))
    features = centres[index].transpose(2, 0, 1) + rng.normal(0, 1, (channels, *size))
    features *= rng.uniform(0.1, 50, (channels, 1, 1))
    masked = np.where(rng.random(size) < 0.3, 255, values[index])
    return features.astype(np.float32), masked


def sklearn_labels(features, labels, n_samples, seed=0, ignore_index=255):
    pixels = StandardScaler().fit_transform(features.reshape(len(features), -1).T.astype(float))
    index = sample_pixels(labels, n_samples, seed, ignore_index)
    oracle = OneVsRestClassifier(SVC()).fit(pixels[index], labels.ravel()[index])
    return oracle.predict(pixels).reshape(labels.shape), oracle, pixels


@pytest.mark.parametrize('count', [2, 3, 4])
@pytest.mark.parametrize('channels', [1, 3, 24])
def test_exact_equals_scikit_learn(count, channels):
    features, labels = scene(count, channels)
    want, oracle, pixels = sklearn_labels(features, labels, 150)
    assert (svm_expand(features, labels, n_samples=150) == want).mean() >= 0.999
    machine = fit_pixel_svm(features, labels, 150)
    got = machine.decision(torch.from_numpy(pixels.T).float()).T.numpy()
    decision = oracle.decision_function(pixels).reshape(len(pixels), -1)
    np.testing.assert_allclose(got, decision, atol=2e-4)


def test_parameters_reach_the_machine():
    features, labels = scene(3)
    pixels = StandardScaler().fit_transform(features.reshape(3, -1).T.astype(float))
    index = sample_pixels(labels, 60, seed=5)
    for penalty, gamma in [(10.0, 0.5), (0.1, 'auto')]:
        oracle = OneVsRestClassifier(SVC(C=penalty, gamma=gamma))
        oracle.fit(pixels[index], labels.ravel()[index])
        got = svm_expand(features, labels, 60, seed=5, penalty=penalty, gamma=gamma)
        assert (got.ravel() == oracle.predict(pixels)).mean() >= 0.999
    other = svm_expand(features, labels, 60, seed=6, penalty=0.1, gamma='auto')
    assert (got != other).any()


def test_machines_that_do_not_converge_are_counted():
    features, labels = scene(3)
    assert fit_pixel_svm(features, labels, 100).stopped == 0
    with pytest.warns(ConvergenceWarning):
        machine = fit_pixel_svm(features, labels, 100, max_iter=3)
    assert machine.stopped == 3
    with pytest.warns(ConvergenceWarning):
        assert fit_pixel_svm(features, labels, 100, method='nystroem', max_iter=3).stopped == 3


@pytest.mark.parametrize('count', [3, 4])
def test_nystroem_is_close(count):
    features, labels = scene(count, 8)
    exact = svm_expand(features, labels, n_samples=300)
    approximate = svm_expand(features, labels, n_samples=300, method='nystroem', n_components=128)
    assert (exact == approximate).mean() >= 0.98
    machine = fit_pixel_svm(features, labels, 300)
    assert len(machine.approximate(128).vectors) == 128 < len(machine.vectors)
    assert machine.approximate(10**6) is machine


def test_nystroem_leaves_near_ties_to_the_exact_machine():
    features, labels = scene(3, 2, size=(60, 70))
    features[:, 20:40] = features.max() * 3  # a flat region far from every sample
    labels[20:40] = 255
    machine = fit_pixel_svm(features, labels, 200)
    exact = machine.predict(features)
    alone = machine.approximate(12, tolerance=0).predict(features)
    assert (alone != exact).mean() > 0.005
    assert (machine.approximate(12, tolerance=np.inf).predict(features) == exact).all()
    few = (machine.approximate(12).predict(features) != exact).mean()
    assert few < (alone != exact).mean()


def test_single_label_fills_the_image():
    features, labels = scene(1)
    labels[0, 0] = 255
    for method in ('exact', 'nystroem'):
        assert (svm_expand(features, labels, method=method) == 0).all()


def test_label_with_few_pixels_is_drawn_with_replacement():
    labels = np.full((6, 6), 255)
    labels[0, :2], labels[1:] = 4, 1
    index = sample_pixels(labels, 20)
    drawn = labels.ravel()[index]
    assert (drawn[:20] == 1).all()
    assert (drawn[20:] == 4).all()
    assert len(np.unique(index[:20])) == 20
    assert set(index[20:]) == {0, 1}


def test_drawing_depends_on_the_seed_only():
    _, labels = scene(3)
    np.random.seed(1)  # noqa: NPY002
    first = sample_pixels(labels, 10, seed=3)
    np.random.seed(2)  # noqa: NPY002
    assert (first == sample_pixels(labels, 10, seed=3)).all()
    assert (first != sample_pixels(labels, 10, seed=4)).any()
    assert 255 not in labels.ravel()[first]


def test_constant_channel_changes_nothing():
    features, labels = scene(3)
    constant = np.full((1, *labels.shape), 1e6, np.float32)
    want = svm_expand(features, labels, 100, gamma=0.3)
    assert (svm_expand(np.concatenate([features, constant]), labels, 100, gamma=0.3) == want).all()
    assert svm_expand(constant, labels, 20).shape == labels.shape


def test_tensor_in_tensor_out_and_inputs_unchanged():
    features, labels = scene(3)
    want = svm_expand(features, labels, 100)
    tensors = torch.from_numpy(features), torch.from_numpy(labels).to(torch.uint8)
    copies = tensors[0].clone(), tensors[1].clone()
    got = svm_expand(*tensors, 100)
    assert got.dtype == torch.uint8
    assert (got.numpy() == want).all()
    assert torch.equal(tensors[0], copies[0])
    assert torch.equal(tensors[1], copies[1])
    assert svm_expand(features.astype(np.float64), labels.astype(np.int16), 100).dtype == np.int16


def test_rgb_image_as_features():
    image = np.zeros((3, 10, 12), np.uint8)
    image[0, :, 6:] = 200
    labels = np.full((10, 12), 255)
    labels[:2, :2], labels[:2, -2:] = 0, 5
    out = svm_expand(image, labels, 10)
    assert (out[:, :6] == 0).all()
    assert (out[:, 6:] == 5).all()


@pytest.mark.parametrize('size', [(1, 1), (1, 60), (60, 1)])
def test_extreme_sizes(size):
    features, _ = scene(2, size=size)
    labels = np.arange(size[0] * size[1]).reshape(size) % 2
    assert svm_expand(features, labels, 20).shape == size


def test_select_seed_pixels_by_hand():
    scores = np.array([[[0.9, 0.8, 0.2, 0.3, 0.1]], [[0.1, 0.2, 0.8, 0.7, 0.6]]])
    labels = np.array([[0, 1, 1, 1, 1]])
    got = select_seed_pixels(scores, labels, top_fraction=0.5)
    # The second pixel disagrees; of the last three the better half, rounded up, is kept.
    assert got.tolist() == [[0, 255, 1, 1, 255]]
    assert select_seed_pixels(scores, labels, top_fraction=1).tolist() == [[0, 255, 1, 1, 1]]
    ignored = np.array([[255, 0, 255, 1, 1]])
    assert select_seed_pixels(scores, ignored, top_fraction=0.1).tolist() == [[255, 0, 255, 1, 255]]


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        ({'method': 'fast'}, ValueError, 'method must be one of'),
        (
            {'labels': np.zeros((4, 6), int)},
            ValueError,
            r'features \(C, H, W\), labels \(H, W\), but got',
        ),
        ({'labels': np.zeros((4, 5))}, TypeError, 'labels must hold integers'),
        ({'labels': np.full((4, 5), 255)}, ValueError, 'no labelled pixel'),
        ({'features': np.zeros((4, 5))}, ValueError, r'features \(C, H, W\), .* but got \(4, 5\)'),
        ({'features': np.full((1, 4, 5), np.nan)}, ValueError, 'features must be finite'),
        ({'n_samples': 0}, ValueError, r'n_samples must lie in \[1, inf\)'),
        ({'gamma': -1}, ValueError, "'gamma' parameter of SVC must be"),
        (
            {'method': 'nystroem', 'n_components': 0},
            ValueError,
            r'n_components must lie in \[1, inf\)',
        ),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {'features': np.zeros((2, 4, 5)), 'labels': np.eye(4, 5, dtype=int)}
    with pytest.raises(error, match=message):
        svm_expand(**{**arguments, **change})


def test_bad_arguments_of_the_parts():
    features, labels = scene(2)
    with pytest.raises(RuntimeError, match=r'tensor a \(2\) must match .*tensor b \(3\)'):
        fit_pixel_svm(features, labels, 10).predict(features[:2])
    with pytest.raises(ValueError, match=r'scores \(K, H, W\), but got'):
        select_seed_pixels(np.zeros((2, 2, 3)), np.zeros((2, 2), int))

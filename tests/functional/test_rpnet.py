"""RPNet's functions: oracles (values and gradients), chunks, memory, degenerate inputs, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from mmwsss.functional import (
    confidence_map,
    foreground_probability,
    gaussian_smooth,
    normalized_consistency,
    raw_consistency,
    region_prototype,
)
from tests.oracles import rpnet as oracle
from tests.oracles.sipe import numeric_gradient


def randn(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def random_mask(*shape, seed=1):
    return (randn(*shape, seed=seed) > 0).double()


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('peak', ['channel', 'image'])
def test_confidence_equals_plain_loop(seed, peak):
    features = randn(2, 5, 3, 4, seed=seed)
    got = confidence_map(features, peak)
    assert got.shape == (2, 1, 3, 4)
    for n in range(2):
        want = oracle.confidence_map(features[n].numpy(), peak)
        np.testing.assert_allclose(got[n, 0].numpy(), want, atol=1e-12)


def test_confidence_by_hand():
    features = torch.tensor([[[[1.0, 2.0, 0.0]], [[4.0, 0.0, 10.0]]]])
    by_channel = torch.tensor([[[[0.5, 1.0, 1.0]]]])
    torch.testing.assert_close(confidence_map(features), by_channel, atol=1e-4, rtol=0)
    by_image = torch.tensor([[[[0.4, 0.2, 1.0]]]])
    torch.testing.assert_close(confidence_map(features, 'image'), by_image, atol=1e-4, rtol=0)


@pytest.mark.parametrize('seed', range(3))
def test_prototype_equals_plain_loop(seed):
    features, mask = randn(2, 5, 3, 4, seed=seed), random_mask(2, 1, 3, 4, seed=seed)
    got = region_prototype(features, mask)
    assert got.shape == (2, 5)
    for n in range(2):
        want = oracle.region_prototype(features[n].numpy(), mask[n, 0].numpy())
        np.testing.assert_allclose(got[n].numpy(), want, atol=1e-12)


@pytest.mark.parametrize('seed', range(3))
def test_foreground_equals_plain_loop(seed):
    features, prototypes = randn(2, 5, 3, 4, seed=seed), randn(2, 7, 5, seed=seed + 10)
    got = foreground_probability(features, prototypes, eps=1e-12)
    assert got.shape == (2, 1, 3, 4)
    for n in range(2):
        want = oracle.foreground_probability(features[n].numpy(), prototypes[n].numpy())
        np.testing.assert_allclose(got[n, 0].numpy(), want, atol=1e-12)


def test_foreground_may_be_negative():
    features = torch.tensor([[[[2.0]], [[0.0]]]])
    got = foreground_probability(features, torch.tensor([[[-3.0, 0.0]]]))
    assert got.item() == pytest.approx(-1)


@pytest.mark.parametrize('padding', ['replicate', 'zeros'])
@pytest.mark.parametrize(('sigma', 'size'), [(3.0, 5), (0.7, 3), (1.5, 1)])
def test_smoothing_equals_plain_loop(sigma, size, padding):
    maps = randn(2, 3, 5, 4)
    got = gaussian_smooth(maps, sigma, size, padding)
    for n in range(2):
        for c in range(3):
            want = oracle.gaussian_smooth(maps[n, c].numpy(), sigma, size, padding)
            np.testing.assert_allclose(got[n, c].numpy(), want, atol=1e-12)


def test_smoothing_equals_scipy():
    maps = randn(1, 1, 9, 11)
    want = gaussian_filter(maps[0, 0].numpy(), 3.0, mode='nearest', truncate=2 / 3.0)
    np.testing.assert_allclose(gaussian_smooth(maps)[0, 0].numpy(), want, atol=1e-12)


@pytest.mark.parametrize('size', [(1, 1), (1, 7), (2, 3)])
def test_smoothing_keeps_constants_on_any_size(size):
    maps = torch.full((1, 2, *size), 0.3)
    torch.testing.assert_close(gaussian_smooth(maps), maps)


@pytest.mark.parametrize('seed', range(3))
def test_consistencies_equal_plain_loops(seed):
    logits, enhanced = randn(2, 3, 3, 4, seed=seed), randn(2, 3, 3, 4, seed=seed + 10)
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    scales = [enhanced, randn(2, 3, 3, 4, seed=seed + 20), randn(2, 3, 3, 4, seed=seed + 30)]
    for count in (1, 3):
        got = normalized_consistency(logits, scales[:count], labels).item()
        stacked = torch.stack(scales[:count]).numpy()
        want = oracle.normalized_consistency(logits.numpy(), stacked, labels.numpy())
        assert got == pytest.approx(want, rel=1e-12)
    assert normalized_consistency(logits, enhanced, labels) == normalized_consistency(
        logits, [enhanced], labels
    )
    want = oracle.raw_consistency(logits.numpy(), enhanced.numpy())
    assert raw_consistency(logits, enhanced).item() == pytest.approx(want, rel=1e-12)


def test_normalized_consistency_ignores_scale_and_absent_classes():
    logits, labels = randn(1, 2, 3, 3), torch.tensor([[1.0, 0.0]])
    assert normalized_consistency(logits, 100 * logits, labels).item() < 1e-8
    other = torch.cat([logits[:, :1], -logits[:, 1:]], dim=1)
    assert normalized_consistency(logits, other, labels).item() == 0
    assert normalized_consistency(logits, other, torch.ones(1, 2)).item() > 1e-3


# --- gradients ---------------------------------------------------------------------------------


def assert_gradients(function, plain, *points, atol=1e-7):
    """Compare autograd of ``function`` with differences of ``plain``, the same on NumPy arrays."""
    leaves = [p.clone().requires_grad_() for p in points]
    function(*leaves).backward()
    for place, leaf in enumerate(leaves):

        def varied(x, place=place):
            arrays = [p.numpy() for p in points]
            arrays[place] = x
            return plain(*arrays)

        want = numeric_gradient(varied, points[place].numpy())
        assert np.abs(want).max() > 1e-4
        np.testing.assert_allclose(leaf.grad.numpy(), want, atol=atol)


def test_foreground_gradients():
    weights = randn(1, 1, 2, 3, seed=5)
    assert_gradients(
        lambda f, p: (foreground_probability(f, p, eps=1e-12) * weights).sum(),
        lambda f, p: (
            (oracle.foreground_probability(f[0], p[0]) * weights[0, 0].numpy()).sum().item()
        ),
        randn(1, 4, 2, 3),
        randn(1, 5, 4, seed=3),
    )


def test_prototype_gradients():
    weights = randn(1, 4, seed=5)
    assert_gradients(
        lambda f, m: (region_prototype(f, m) * weights).sum(),
        lambda f, m: (oracle.region_prototype(f[0], m[0, 0]) * weights[0].numpy()).sum().item(),
        randn(1, 4, 2, 3),
        randn(1, 1, 2, 3, seed=3).abs(),
    )


def test_smoothing_gradients():
    weights = randn(1, 1, 3, 4, seed=5)
    assert_gradients(
        lambda x: (gaussian_smooth(x) * weights).sum(),
        lambda x: (oracle.gaussian_smooth(x[0, 0], 3.0, 5) * weights[0, 0].numpy()).sum().item(),
        randn(1, 1, 3, 4),
    )


def test_consistency_gradients():
    points = randn(2, 2, 2, 3), randn(2, 2, 2, 3, seed=3)
    labels = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert_gradients(
        lambda a, b: normalized_consistency(a, b, labels),
        lambda a, b: oracle.normalized_consistency(a, b[None], labels.numpy()),
        *points,
    )
    assert_gradients(raw_consistency, oracle.raw_consistency, *points, atol=1e-6)


def test_only_the_winner_gets_a_gradient():
    features = torch.tensor([[[[1.0]], [[0.2]]]])
    prototypes = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], requires_grad=True)
    foreground_probability(features, prototypes).sum().backward()
    assert prototypes.grad[0, 0].abs().max() > 0.1
    assert (prototypes.grad[0, 1] == 0).all()


def test_the_first_of_equals_gets_the_gradient():
    features, prototypes = randn(1, 4, 2, 3), randn(1, 1, 4).repeat(1, 3, 1).requires_grad_()
    foreground_probability(features, prototypes).sum().backward()
    assert (prototypes.grad[0].abs().amax(dim=1) > 1e-3).tolist() == [True, False, False]


# --- memory, degenerate inputs, precision --------------------------------------------------------


def test_empty_masks_are_safe():
    features = randn(2, 3, 2, 2, dtype=torch.float32).requires_grad_()
    mask = torch.zeros(2, 1, 2, 2)
    prototypes = region_prototype(features, mask)
    assert (prototypes == 0).all()
    foreground = foreground_probability(features, prototypes[:, None])
    assert (foreground == 0).all()
    (foreground.sum() + prototypes.sum()).backward()
    assert features.grad.isfinite().all()


def test_zero_features_are_safe():
    features = torch.zeros(1, 3, 2, 2, requires_grad=True)
    assert (confidence_map(features) == 0).all()
    foreground = foreground_probability(features, randn(1, 2, 3, dtype=torch.float32))
    assert (foreground == 0).all()
    foreground.sum().backward()
    assert features.grad.isfinite().all()
    labels = torch.ones(1, 3)
    normalized_consistency(features, features.detach(), labels).backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    features, prototypes = randn(1, 64, 8, 8).relu() * 200, randn(1, 4, 64, seed=2)
    want = foreground_probability(features, prototypes)
    got = foreground_probability(features.to(dtype), prototypes.to(dtype))
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), want, atol=0.01, rtol=0)
    for value in (confidence_map(features.to(dtype)), gaussian_smooth(got)):
        assert value.dtype == dtype
        assert value.isfinite().all()


def test_autocast_computes_in_float32():
    features, prototypes = randn(1, 64, 8, 8).float(), randn(1, 4, 64, seed=2).float()
    want = foreground_probability(features, prototypes)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = foreground_probability(features, prototypes)
        smooth = gaussian_smooth(want)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(smooth, gaussian_smooth(want))


def test_channels_last_gives_the_same():
    features, prototypes = randn(2, 5, 3, 4), randn(2, 3, 5, seed=2)
    last = features.contiguous(memory_format=torch.channels_last)
    mask = random_mask(2, 1, 3, 4)
    torch.testing.assert_close(
        foreground_probability(last, prototypes), foreground_probability(features, prototypes)
    )
    torch.testing.assert_close(region_prototype(last, mask), region_prototype(features, mask))
    torch.testing.assert_close(gaussian_smooth(last), gaussian_smooth(features))


def test_inputs_are_unchanged():
    features, prototypes, labels = randn(2, 3, 3, 4), randn(2, 4, 3, seed=2), torch.ones(2, 3)
    copies = features.clone(), prototypes.clone()
    confidence_map(features)
    foreground_probability(features, prototypes)
    gaussian_smooth(features)
    normalized_consistency(features, features, labels)
    assert torch.equal(features, copies[0])
    assert torch.equal(prototypes, copies[1])


# --- errors ------------------------------------------------------------------------------------


MAPS = torch.zeros(2, 3, 4, 4)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: confidence_map(MAPS[0]), r'features \(N, C, h, w\), but got \(3, 4, 4\)'),
        (lambda: confidence_map(MAPS, 'all'), 'peak must be one of'),
        (lambda: region_prototype(MAPS, MAPS), r'mask \(N, 1, h, w\), but'),
        (
            lambda: region_prototype(MAPS, MAPS[:1, :1]),
            r'seeds \(N, K\+1, h, w\), but got .*\(1, 1, 4, 4\)',
        ),
        (lambda: foreground_probability(MAPS, torch.zeros(2, 3)), r'prototypes \(N, P, C\), but'),
        (
            lambda: foreground_probability(MAPS, torch.zeros(2, 5, 4)),
            r'prototypes \(N, P, C\), but got .*\(2, 5, 4\)',
        ),
        (lambda: gaussian_smooth(MAPS, 0.0), r'sigma must lie in \(0, inf\)'),
        (lambda: gaussian_smooth(MAPS, 1.0, 4), 'kernel_size must be an odd'),
        (lambda: gaussian_smooth(MAPS, padding='reflect'), 'padding must be one of'),
        (
            lambda: normalized_consistency(MAPS, MAPS[:1], MAPS[:, :, 0, 0]),
            r'enhanced \(N, K, h, w\), but',
        ),
        (lambda: raw_consistency(MAPS, MAPS[:, :2]), r'enhanced \(N, C, h, w\), but'),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()

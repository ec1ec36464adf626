import numpy as np
import pytest
import torch

from mmwsss.functional import keep_labelled, peak_normalize, with_background
from tests.oracles.cam import background_loop, peak_normalize_loop


@pytest.mark.parametrize('seed', range(3))
def test_peak_normalize_equals_the_loop(seed):
    cam = torch.randn(2, 4, 5, 7, generator=torch.Generator().manual_seed(seed))
    expected = peak_normalize_loop(cam.double().numpy(), eps=1e-5)
    np.testing.assert_allclose(peak_normalize(cam).numpy(), expected, atol=1e-6)
    assert (cam < 0).any()  # the input is unchanged


def test_peak_normalize_gradient():
    cam = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(peak_normalize, (cam,))


def test_an_empty_map_stays_zero_with_a_finite_gradient():
    cam = torch.full((1, 2, 3, 3), -1.0, requires_grad=True)
    out = peak_normalize(cam)
    out.sum().backward()
    assert out.abs().sum() == 0
    assert torch.isfinite(cam.grad).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_of_an_empty_map_is_not_nan(dtype):
    out = peak_normalize(torch.zeros(1, 1, 2, 2, dtype=dtype))
    assert out.dtype == dtype
    assert torch.equal(out, torch.zeros_like(out))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    cam = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype) * 0.01
    expected = peak_normalize_loop(cam.double().numpy(), eps=1e-5)
    assert torch.equal(peak_normalize(cam), torch.from_numpy(expected).to(dtype))


def test_with_background_equals_the_loop():
    scores = torch.rand(2, 3, 4, 5)
    out = with_background(scores)
    np.testing.assert_allclose(out[:, 0].numpy(), background_loop(scores.numpy()), atol=1e-6)
    assert torch.equal(out[:, 1:], scores)


def test_keep_labelled_zeroes_absent_classes_only():
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    maps = torch.rand(2, 2, 3, 3) + 0.1
    out = keep_labelled(maps, labels)
    assert torch.equal(out[0, 0], maps[0, 0])
    assert out[0, 1].abs().sum() == 0
    with_bg = keep_labelled(torch.ones(2, 3, 3, 3), labels)
    assert with_bg.sum(dim=(2, 3)).tolist() == [[9, 9, 0], [9, 0, 9]]


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: peak_normalize(torch.zeros(2, 3, 4)), r'cam \(N, K, h, w\), but got \(2, 3, 4\)'),
        (lambda: with_background(torch.zeros(3)), r'scores \(N, K, h, w\), but got \(3,\)'),
        (
            lambda: keep_labelled(torch.zeros(1, 5, 2, 2), torch.zeros(1, 2)),
            r'maps \(N, K, h, w\), but got \(1, 2\), \(1, 5, 2, 2\)',
        ),
    ],
)
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""SIPE's functions: oracles (values and gradients), invariants, chunks, half precision, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional import peak_normalize, with_background
from mmwsss.functional.sipe import (
    class_prototypes,
    keep_surest,
    locate_seeds,
    normalize_pixels,
    prototype_activation,
    structure_similarity,
)
from mmwsss.functional.valid import valid_mask
from tests.oracles import sipe as oracle


def scene(seed=0, batch=2, classes=3, channels=4, size=(3, 4), dtype=torch.float64):
    """Random features and label-masked scores with their background."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, channels, *size, generator=generator, dtype=torch.float64)
    logits = torch.randn(batch, classes, *size, generator=generator, dtype=torch.float64)
    labels = (torch.rand(batch, classes, generator=generator) < 0.6).double()
    labels[:, 0] = 1
    boxes = torch.tensor([[0, 0, 16 * size[1], 16 * size[0]]]).expand(batch, 4)
    valid = valid_mask(labels, boxes, (16 * size[0], 16 * size[1]), size)
    scores = with_background(peak_normalize(logits)) * valid
    return features.to(dtype), scores.to(dtype), valid.to(dtype)


def run_all(features, scores, valid, **kwargs):
    similarity = structure_similarity(features, scores, **kwargs)
    seeds = locate_seeds(similarity, valid)
    prototypes = class_prototypes(seeds, features)
    return similarity, seeds, prototypes, prototype_activation(prototypes, features)


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(3))
def test_similarity_equals_plain_loop(seed):
    features, scores, _ = scene(seed)
    got = structure_similarity(features, scores, eps=1e-12)
    for n in range(len(features)):
        want = oracle.structure_similarity(features[n].numpy(), scores[n].numpy())
        np.testing.assert_allclose(got[n].numpy(), want, atol=1e-9)


def test_similarity_by_hand():
    # Two pixels alike and one apart; class 1 covers the first, the background the last.
    features = torch.tensor([[[[2.0, 4.0, 0.0]], [[0.0, 0.0, 1.0]]]])
    scores = torch.tensor([[[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]]])
    similarity = structure_similarity(features, scores)[0, :, 0]
    want = torch.tensor([[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])
    torch.testing.assert_close(similarity, want, atol=1e-4, rtol=0)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('alpha', [0.0, 0.5, 1.0])
def test_seeds_equal_plain_loop(seed, alpha):
    features, scores, valid = scene(seed)
    similarity = structure_similarity(features, scores)
    got = locate_seeds(similarity, valid, alpha)
    for n in range(len(got)):
        want = oracle.locate_seeds(similarity[n].numpy(), valid[n].numpy(), alpha)
        np.testing.assert_array_equal(got[n].numpy(), want)


def test_seed_attenuation_by_hand():
    similarity = torch.tensor([0.8, 0.5]).view(1, 2, 1, 1)
    valid = torch.ones_like(similarity)
    assert locate_seeds(similarity, valid, 0.5).flatten().tolist() == [0, 1]
    assert locate_seeds(similarity, valid, 0.9).flatten().tolist() == [1, 0]


@pytest.mark.parametrize('seed', range(3))
def test_prototypes_and_activation_equal_plain_loop(seed):
    features, scores, valid = scene(seed)
    _, seeds, prototypes, activation = run_all(features, scores, valid)
    for n in range(len(features)):
        want = oracle.prototypes(seeds[n].numpy(), features[n].numpy())
        np.testing.assert_allclose(prototypes[n].numpy(), want, atol=1e-12)
        want = oracle.prototype_activation(want, features[n].numpy())
        np.testing.assert_allclose(activation[n].numpy(), want, atol=1e-12)


@pytest.mark.parametrize('fraction', [0.0, 0.25, 0.5, 1.0])
def test_the_surest_seeds_equal_plain_loop(fraction):
    features, scores, valid = scene(3, size=(5, 7))
    similarity = structure_similarity(features, scores) * valid
    seeds = locate_seeds(similarity, valid, 0.8)
    found = keep_surest(seeds, similarity, fraction)
    for n in range(len(seeds)):
        want = oracle.keep_surest(seeds[n].numpy(), similarity[n].numpy(), fraction)
        np.testing.assert_array_equal(found[n].numpy(), want)
    counts = seeds.sum(dim=(2, 3))
    assert torch.equal(found.sum(dim=(2, 3)), (counts * fraction).ceil())


def test_prototypes_are_means_for_weights_below_one():
    features, _, valid = scene()
    weights = 0.1 * torch.rand(valid.shape, generator=torch.Generator().manual_seed(0)).double()
    got = class_prototypes(weights, features)
    for n in range(len(got)):
        want = oracle.prototypes(weights[n].numpy(), features[n].numpy())
        np.testing.assert_allclose(got[n].numpy(), want, atol=1e-12)


def test_normalize_pixels_by_hand():
    features = torch.tensor([[3.0, 0.0], [4.0, 0.0]])[None, :, None].requires_grad_()
    unit = normalize_pixels(features)
    torch.testing.assert_close(
        unit[0, :, 0], torch.tensor([[0.6, 0.0], [0.8, 0.0]]), atol=1e-5, rtol=0
    )
    unit.sum().backward()
    assert features.grad.isfinite().all()


# --- gradients ---------------------------------------------------------------------------------


def test_similarity_gradients_equal_plain_loop():
    features, scores, _ = scene(1, batch=1, classes=2, channels=3, size=(2, 3))
    weights = torch.randn(scores.shape, generator=torch.Generator().manual_seed(5)).double()
    features.requires_grad_()
    scores.requires_grad_()
    (structure_similarity(features, scores, chunk_size=2, eps=1e-12) * weights).sum().backward()

    def plain(f, s):
        return float((oracle.structure_similarity(f, s) * weights[0].numpy()).sum())

    f, s = features.detach()[0].numpy(), scores.detach()[0].numpy()
    wanted_f = oracle.numeric_gradient(lambda x: plain(x, s), f)
    wanted_s = oracle.numeric_gradient(lambda x: plain(f, x), s)
    assert np.abs(wanted_f).max() > 1e-3
    assert np.abs(wanted_s).max() > 1e-3
    np.testing.assert_allclose(features.grad[0].numpy(), wanted_f, atol=1e-7)
    np.testing.assert_allclose(scores.grad[0].numpy(), wanted_s, atol=1e-7)


def test_activation_gradient_equals_plain_loop():
    features, scores, valid = scene(2, batch=1, classes=2, channels=3, size=(2, 3))
    seeds = locate_seeds(structure_similarity(features, scores), valid)
    weights = torch.randn(scores.shape, generator=torch.Generator().manual_seed(6)).double()
    features.requires_grad_()
    activation = prototype_activation(class_prototypes(seeds, features), features)
    (activation * weights).sum().backward()

    def plain(f):
        prototypes = oracle.prototypes(seeds[0].numpy(), f)
        return float((oracle.prototype_activation(prototypes, f) * weights[0].numpy()).sum())

    want = oracle.numeric_gradient(plain, features.detach()[0].numpy())
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(features.grad[0].numpy(), want, atol=1e-7)


@pytest.mark.parametrize('chunk_size', [1, 3, 5, 100])
def test_gradcheck_similarity(chunk_size):
    features, scores, _ = scene(3, batch=2, classes=2, channels=3, size=(2, 3))
    inputs = (features.requires_grad_(), scores.requires_grad_())
    assert torch.autograd.gradcheck(lambda f, s: structure_similarity(f, s, chunk_size), inputs)


def test_gradcheck_prototypes_and_activation():
    generator = torch.Generator().manual_seed(4)
    weights = torch.rand(2, 3, 2, 3, generator=generator, dtype=torch.float64)
    features = torch.randn(2, 4, 2, 3, generator=generator, dtype=torch.float64)
    inputs = (weights.requires_grad_(), features.requires_grad_())
    assert torch.autograd.gradcheck(class_prototypes, inputs)
    prototypes = class_prototypes(*inputs).detach().requires_grad_()
    assert torch.autograd.gradcheck(prototype_activation, (prototypes, inputs[1]))


def test_only_needed_gradients_are_computed():
    features, scores, _ = scene()
    structure_similarity(features.requires_grad_(), scores).sum().backward()
    alone = features.grad.clone()
    features.grad = None
    structure_similarity(features, scores.requires_grad_()).sum().backward()
    torch.testing.assert_close(features.grad, alone)
    both, scores.grad = scores.grad.clone(), None
    structure_similarity(features.detach(), scores).sum().backward()
    torch.testing.assert_close(scores.grad, both)


def test_seeds_have_no_gradient():
    similarity = torch.rand(1, 3, 2, 2, requires_grad=True)
    assert not locate_seeds(similarity, torch.ones(1, 3, 2, 2)).requires_grad


# --- invariants --------------------------------------------------------------------------------


@pytest.mark.parametrize('chunk_size', [1, 5, 16, 64])
def test_chunked_equals_unchunked(chunk_size):
    features, scores, valid = scene(size=(5, 7), dtype=torch.float32)
    whole = run_all(features, scores, valid, chunk_size=5 * 7)
    parts = run_all(features, scores, valid, chunk_size=chunk_size)
    assert torch.equal(whole[1], parts[1])
    for a, b in zip(whole, parts):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


def test_large_map_is_chunked_with_the_same_result():
    # 65 x 64 > 4096 pixels, in strips, against the plain product in one piece.
    features, scores, _ = scene(batch=1, size=(65, 64), dtype=torch.float32)
    unit = torch.nn.functional.normalize(features.flatten(2), dim=1)
    correlation = (unit.transpose(1, 2) @ unit).relu()
    maps = scores.flatten(2)
    inter = maps @ correlation
    want = inter / (correlation.sum(1, keepdim=True) + maps.sum(2, keepdim=True) - inter)
    got = structure_similarity(features, scores).flatten(2)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


def test_never_holds_more_than_a_strip():
    """No tensor made on the way is as large as the correlation of all pixels with all pixels."""
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = [0]

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest[0] = max(largest[0], out.numel())
            return out

    features, scores, _ = scene(batch=1, size=(32, 32), dtype=torch.float32)
    features.requires_grad_()
    with Watch():
        structure_similarity(features, scores, chunk_size=64).sum().backward()
    assert largest[0] == 64 * 1024


def test_mirror_in_mirror_out():
    features, scores, valid = scene(size=(4, 6))
    plain = run_all(features, scores, valid)
    mirrored = run_all(features.flip(-1), scores.flip(-1), valid.flip(-1))
    for index in (0, 1, 3):
        torch.testing.assert_close(mirrored[index].flip(-1), plain[index])
    torch.testing.assert_close(mirrored[2], plain[2])


def test_batch_equals_single_images():
    features, scores, valid = scene(batch=3, size=(4, 5))
    together = run_all(features, scores, valid)
    for n in range(3):
        alone = run_all(features[n : n + 1], scores[n : n + 1], valid[n : n + 1])
        for a, b in zip(together, alone):
            torch.testing.assert_close(a[n : n + 1], b)


def test_absent_classes_stay_zero():
    features, scores, valid = scene(7, classes=6)
    absent = valid.amax(dim=(2, 3)) == 0
    assert absent.any()
    for result in run_all(features, scores, valid):
        assert (result[absent] == 0).all()


def test_padding_never_seeds():
    features, _, _ = scene(size=(4, 4))
    labels = torch.tensor([[1.0, 0, 1], [0, 1, 0]]).double()
    valid = valid_mask(labels, torch.tensor([[0, 16, 64, 48], [32, 0, 64, 64]]), (64, 64), (4, 4))
    similarity = torch.rand(valid.shape, dtype=torch.float64)
    seeds = locate_seeds(similarity, valid)
    assert seeds[0, :, [0, 3]].sum() == 0
    assert seeds[1, :, :, :2].sum() == 0
    # The prototypes therefore do not see what stands in the padding.
    changed = torch.where(valid[:, :1] > 0, features, features + 100)
    torch.testing.assert_close(class_prototypes(seeds, changed), class_prototypes(seeds, features))


def test_scale_of_features_does_not_matter():
    features, scores, _ = scene()
    lengths = torch.rand(2, 1, 3, 4, dtype=torch.float64) + 0.5
    a = structure_similarity(features, scores)
    b = structure_similarity(features * lengths, scores)
    torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_inputs_are_unchanged():
    tensors = scene()
    copies = [t.clone() for t in tensors]
    run_all(*tensors)
    for tensor, copy in zip(tensors, copies):
        assert torch.equal(tensor, copy)


# --- degenerate inputs -------------------------------------------------------------------------


def test_class_without_seed_gives_zero_map_and_finite_gradients():
    features, _, valid = scene(dtype=torch.float32)
    seeds = torch.zeros_like(valid)
    seeds[:, 0] = 1
    features.requires_grad_()
    activation = prototype_activation(class_prototypes(seeds, features), features)
    peak_normalize(activation).abs().sum().backward()
    assert (activation[:, 1:] == 0).all()
    assert activation[:, 0].max() > 0.1
    assert features.grad.isfinite().all()


@pytest.mark.parametrize('empty', ['features', 'scores', 'both', 'one pixel'])
def test_zero_vectors_and_empty_maps(empty):
    features, scores, valid = scene(dtype=torch.float32)
    if empty in ('features', 'both'):
        features = torch.zeros_like(features)
    if empty in ('scores', 'both'):
        scores = torch.zeros_like(scores)
    if empty == 'one pixel':
        features[:, :, 1, 2] = 0
    features.requires_grad_()
    scores.requires_grad_()
    results = run_all(features, scores, valid)
    sum(r.sum() for r in results).backward()
    for value in (*results, features.grad, scores.grad):
        assert value.isfinite().all()
    if empty == 'one pixel':
        assert (results[0][:, :, 1, 2] == 0).all()
        assert (results[3][:, :, 1, 2] == 0).all()


# --- half precision ----------------------------------------------------------------------------


def smooth_scene(size=64, channels=64, classes=4):
    """Blocks of like features under noise and scores that follow them roughly: what a CAM gives."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, channels, 4, 4, generator=generator)
    features = torch.nn.functional.interpolate(coarse, size=(size, size), mode='bilinear')
    features = (features + 0.3 * torch.randn(features.shape, generator=generator)).relu()
    coarse = torch.randn(1, classes, 5, 5, generator=generator)
    logits = torch.nn.functional.interpolate(coarse, size=(size, size), mode='bilinear')
    scores = with_background(peak_normalize(logits))
    return features, scores, torch.ones_like(scores)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast_keeps_seeds_and_masks(dtype):
    inputs = smooth_scene()
    want = run_all(*inputs)
    assert len(want[3].argmax(1).unique()) > 2
    with torch.autocast('cpu', dtype=dtype):
        got = run_all(*inputs)
    for index in (1, 3):
        same = got[index].argmax(1) == want[index].argmax(1)
        assert same.float().mean() >= 0.995


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_features_keep_seeds_and_masks(dtype):
    features, scores, valid = smooth_scene()
    _, want_seeds, _, want = run_all(features, scores, valid)
    # Scores stay float32, as in the head: the similarity is then not rounded to ties.
    seeds = locate_seeds(structure_similarity(features.to(dtype), scores), valid)
    assert (seeds.argmax(1) == want_seeds.argmax(1)).float().mean() >= 0.995
    prototypes = class_prototypes(seeds, features.to(dtype))
    got = prototype_activation(prototypes, features.to(dtype))
    assert got.dtype == dtype
    torch.testing.assert_close(got.float(), want, atol=8 * torch.finfo(dtype).eps, rtol=0)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow(dtype):
    # A squared length of 200^2 x 64 exceeds what float16 can hold (65504).
    features = torch.full((1, 64, 32, 32), 200.0, dtype=dtype, requires_grad=True)
    scores = torch.ones(1, 2, 32, 32, dtype=dtype, requires_grad=True)
    results = run_all(features, scores, torch.ones_like(scores))
    for index, value in enumerate(results):
        assert value.dtype == dtype, index
        assert value.isfinite().all(), index
    torch.testing.assert_close(results[0].float(), torch.ones(1, 2, 32, 32), atol=0.02, rtol=0)
    sum(r.float().sum() for r in results).backward()
    assert features.grad.isfinite().all()


def test_autocast_sums_stay_in_float32():
    features, scores, _ = smooth_scene()
    want = structure_similarity(features, scores)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = structure_similarity(features, scores)
    assert got.dtype == torch.float32
    # A bfloat16 sum of 4096 terms would be wrong in the third digit.
    torch.testing.assert_close(got, want, rtol=3e-3, atol=1e-4)


def test_channels_last_gives_the_same():
    features, scores, valid = scene(dtype=torch.float32, size=(5, 6))
    want = run_all(features, scores, valid)
    got = run_all(
        *(t.contiguous(memory_format=torch.channels_last) for t in (features, scores, valid))
    )
    for a, b in zip(got, want):
        torch.testing.assert_close(a, b)


# --- errors ------------------------------------------------------------------------------------


MAPS, FEATURES = torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 4, 4)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (
            lambda: structure_similarity(FEATURES[0], MAPS),
            r'features \(N, C, h, w\), .* but got \(5, 4, 4\)',
        ),
        (
            lambda: structure_similarity(FEATURES, MAPS[:, :, :2]),
            r'scores \(N, K\+1, h, w\), but got .*\(2, 3, 2, 4\)',
        ),
        (
            lambda: structure_similarity(FEATURES, MAPS, chunk_size=0),
            r'chunk_size must lie in \[1, inf\)',
        ),
        (lambda: locate_seeds(MAPS, MAPS[:1]), r'valid \(N, K\+1, h, w\), but'),
        (lambda: locate_seeds(MAPS, MAPS, 1.01), r'bg_attenuation must lie in \[0, 1\]'),
        (lambda: locate_seeds(MAPS, MAPS, -0.01), r'bg_attenuation must lie in \[0, 1\]'),
        (lambda: class_prototypes(MAPS[:1], FEATURES), r'seeds \(N, K\+1, h, w\), but'),
        (
            lambda: prototype_activation(torch.zeros(2, 3, 4), FEATURES),
            r'prototypes \(N, K\+1, C\), but got .*\(2, 3, 4\)',
        ),
        (
            lambda: prototype_activation(torch.zeros(2, 5), FEATURES),
            r'prototypes \(N, K\+1, C\), but got .*\(2, 5\)',
        ),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()

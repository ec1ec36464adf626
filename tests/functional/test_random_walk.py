from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from mmwsss.functional import random_walk
from mmwsss.functional.random_walk import (
    half_plane_offsets,
    line_pixels,
    path_affinity,
    propagate,
)
from tests.oracles.random_walk import dense_walk, pair_affinity

NO_KERNEL = {
    'as_strided', 'detach', 'detach_', 'empty', 'empty_like', 'expand', 'expand_as', 'flatten', 'lift_fresh',
    'movedim', 'numpy_T', 'permute', 'promote_types', 'reshape', 'select', 'slice', 'transpose', 'unbind',
    'unfold', 'unsqueeze', 'view', 'view_as',
}  # fmt: skip


def scene(height: int, width: int, classes: int = 3, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    edge = torch.rand(height, width, generator=generator, dtype=torch.float64) ** 4
    scores = torch.rand(classes, height, width, generator=generator, dtype=torch.float64)
    return scores, edge


@pytest.mark.parametrize(('radius', 'number'), [(1, 0), (2, 4), (3, 12), (5, 34), (10, 152)])
def test_half_plane_offsets(radius, number):
    offsets = half_plane_offsets(radius)
    assert len(offsets) == number
    disc = {
        (dy, dx) for dy in range(-12, 13) for dx in range(-12, 13) if 0 < dy**2 + dx**2 < radius**2
    }
    assert set(offsets) | {(-dy, -dx) for dy, dx in offsets} == disc


def test_line_pixels_by_hand():
    assert line_pixels(0, 3) == ((0, 0), (0, 1), (0, 2), (0, 3))
    assert line_pixels(2, 0) == ((0, 0), (1, 0), (2, 0))
    # Neighbours of a diagonal are 0.71 px away from it.
    assert line_pixels(1, -1) == ((0, -1), (0, 0), (1, -1), (1, 0))
    assert (0, 2) not in line_pixels(2, 2)
    assert (1, 3) not in line_pixels(3, 4)  # exactly one pixel away


@pytest.mark.parametrize('size', [(6, 7), (1, 9), (9, 1), (1, 1), (3, 2)])
@pytest.mark.parametrize('radius', [1, 2, 5])
def test_path_affinity_equals_walking_each_line(size, radius):
    _, edge = scene(*size, seed=radius)
    got = path_affinity(edge, radius)
    offsets = half_plane_offsets(radius)
    assert got.shape == (len(offsets), *size)
    for d, (dy, dx) in enumerate(offsets):
        for y in range(size[0]):
            for x in range(size[1]):
                inside = y + dy < size[0] and 0 <= x + dx < size[1]
                want = pair_affinity(edge.numpy(), (y, x), (y + dy, x + dx)) if inside else 0
                assert got[d, y, x].item() == pytest.approx(want, abs=1e-12)


def test_path_affinity_is_batched():
    edges = torch.stack([scene(5, 6, seed=s)[1] for s in range(4)])
    got = path_affinity(edges.view(2, 2, 5, 6), 3)
    assert got.shape == (2, 2, 12, 5, 6)
    for got_one, edge in zip(got.flatten(0, 1), edges):
        assert torch.equal(got_one, path_affinity(edge, 3))


def test_path_affinity_gradient():
    _, edge = scene(4, 5, seed=3)
    assert torch.autograd.gradcheck(lambda e: path_affinity(e, 4), edge.requires_grad_())


@pytest.mark.parametrize('size', [(8, 9), (1, 12), (12, 1), (1, 1), (2, 20)])
@pytest.mark.parametrize('seed', range(2))
def test_walk_equals_dense_matrix_squaring(size, seed):
    scores, edge = scene(*size, seed=seed)
    want = dense_walk(scores.numpy(), edge.numpy(), radius=5, beta=10, exp_times=8)
    got = propagate(scores, edge)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-9, atol=1e-12)
    single = propagate(scores.float(), edge.float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), want, atol=1e-4)


@pytest.mark.parametrize(('radius', 'beta', 'exp_times'), [(2, 1, 0), (3, 4, 3), (4, 0, 5)])
def test_walk_parameters(radius, beta, exp_times):
    scores, edge = scene(5, 6, seed=9)
    want = dense_walk(scores.numpy(), edge.numpy(), radius, beta, exp_times)
    got = propagate(scores, edge, radius=radius, beta=beta, exp_times=exp_times)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-10, atol=1e-13)


def test_no_neighbour_is_identity():
    scores, edge = scene(6, 7)
    torch.testing.assert_close(propagate(scores, edge, radius=1), scores * (1 - edge))
    assert (propagate(scores, torch.ones_like(edge)) == 0).all()


def test_constant_maps_stay_constant_without_edges():
    scores = torch.full((2, 30, 40), 0.37)
    torch.testing.assert_close(propagate(scores, torch.zeros(30, 40)), scores)


def test_walls_are_not_crossed():
    scores = torch.zeros(1, 20, 21)
    scores[:, :, :10] = 1
    edge = torch.zeros(20, 21)
    edge[:, 10] = 1
    got = propagate(scores, edge)
    torch.testing.assert_close(got[:, :, :10], torch.ones(1, 20, 10))
    assert (got[:, :, 10:] == 0).all()


@pytest.mark.parametrize('axis', [1, 2])
def test_flip_in_flip_out(axis):
    scores, edge = scene(7, 8, seed=2)
    got = propagate(scores.flip(axis), edge.flip(axis - 1)).flip(axis)
    torch.testing.assert_close(got, propagate(scores, edge), rtol=1e-10, atol=1e-13)


def test_images_and_classes_are_independent():
    scenes = [scene(9, 10, seed=s) for s in range(3)]
    scores = torch.stack([s for s, _ in scenes])
    edges = torch.stack([e for _, e in scenes])
    got = propagate(scores, edges)
    for i, (one_scores, one_edge) in enumerate(scenes):
        torch.testing.assert_close(got[i], propagate(one_scores, one_edge))
        torch.testing.assert_close(got[i, 1:2], propagate(one_scores[1:2], one_edge))


def test_inputs_are_unchanged():
    scores, edge = scene(6, 6)
    copies = scores.clone(), edge.clone()
    propagate(scores, edge)
    assert torch.equal(scores, copies[0])
    assert torch.equal(edge, copies[1])


def test_half_precision_is_computed_in_float32():
    scores, edge = scene(8, 8)
    got = propagate(scores.half(), edge.float())
    assert got.dtype == torch.float16
    torch.testing.assert_close(got.double(), propagate(scores, edge), atol=2e-3, rtol=2e-3)


@pytest.fixture
def few_launches(monkeypatch):
    """A switch: as on CUDA."""
    return lambda: monkeypatch.setattr(random_walk, '_launches_cost', lambda tensor: True)


@pytest.mark.parametrize('size', [(6, 7), (1, 9), (9, 1), (1, 1), (3, 2), (12, 14)])
@pytest.mark.parametrize('radius', [1, 1.5, 5, 10])
def test_windows_are_the_same_walk(size, radius, few_launches):
    scores, edge = scene(*size, seed=1)
    edge = (
        (edge * 20).round() / 20
    ).requires_grad_()  # equal ones on a path, of which the first counts
    affinity = path_affinity(edge, radius)
    (gradient,) = torch.autograd.grad(affinity.pow(2).sum(), edge)
    walked = propagate(scores, edge.detach(), radius)
    masks = propagate(scores.float(), edge.detach().float(), radius).argmax(0)
    few_launches()
    again = path_affinity(edge, radius)
    assert torch.equal(again, affinity)
    assert torch.equal(torch.autograd.grad(again.pow(2).sum(), edge)[0], gradient)
    torch.testing.assert_close(propagate(scores, edge.detach(), radius), walked)
    found = propagate(scores.float(), edge.detach().float(), radius)
    assert found.dtype == torch.float32
    assert torch.equal(found.argmax(0), masks)
    batch = torch.stack([scores, scores.flip(-1)])
    both = propagate(batch, torch.stack([edge.detach(), edge.detach().flip(-1)]), radius)
    torch.testing.assert_close(both, torch.stack([walked, walked.flip(-1)]))


def launches(work) -> int:
    """Operations of a work that would start a kernel: all but views, allocations and what others call."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        work()
    events = [event for event in profiler.events() if event.name.startswith('aten::')]
    return sum(
        e.cpu_parent is None and e.name.removeprefix('aten::') not in NO_KERNEL for e in events
    )


def test_launches_of_an_image_and_of_a_training_step(few_launches):
    scores, edge = (part.float() for part in scene(12, 14))
    edge.requires_grad_()
    few_launches()
    with torch.no_grad():
        assert 512 < launches(lambda: propagate(scores, edge)) <= 600
    assert 30 < launches(lambda: path_affinity(edge, 10).sum().backward()) <= 100


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_cuda_equals_cpu():
    scores, edge = scene(30, 41)
    got = propagate(scores.float().cuda(), edge.float().cuda())
    assert got.is_cuda
    torch.testing.assert_close(got.cpu().double(), propagate(scores, edge), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (
            {'scores': torch.ones(3, 4)},
            ValueError,
            r'scores must be floating point \(..., K, h, w\)',
        ),
        ({'scores': torch.ones(1, 4, 3)}, ValueError, 'scores must be floating point'),
        ({'scores': torch.ones(2, 1, 3, 4)}, ValueError, 'scores must be floating point'),
        ({'scores': torch.ones(1, 3, 4).int()}, ValueError, 'scores must be floating point'),
        ({'edge': torch.zeros(4)}, ValueError, 'scores must be floating point'),
        (
            {'scores': torch.ones(1, 0, 4), 'edge': torch.zeros(0, 4)},
            ValueError,
            'edge map .* that is not empty',
        ),
        ({'edge': torch.full((3, 4), 1.01)}, ValueError, r'edge must lie in \[0, 1\]'),
        ({'edge': torch.full((3, 4), -0.01)}, ValueError, r'edge must lie in \[0, 1\]'),
        ({'edge': torch.full((3, 4), float('nan'))}, ValueError, r'edge must lie in \[0, 1\]'),
        ({'radius': 0}, ValueError, r'radius must lie in \(0, inf\)'),
        ({'beta': -1}, ValueError, r'beta must lie in \[0, inf\)'),
        ({'exp_times': -1}, ValueError, r'exp_times must lie in \[0, inf\)'),
        ({'exp_times': 1.5}, TypeError, 'interpreted as an integer'),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {'scores': torch.ones(1, 3, 4), 'edge': torch.zeros(3, 4)}
    with pytest.raises(error, match=message):
        propagate(**{**arguments, **change})

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.crf import dense_crf_labels
from mmwsss.functional.irn import (
    confident_labels,
    confident_labels_threshold_free,
    irn_losses,
    pair_displacement,
    pair_labels,
    resize_labels,
)
from mmwsss.functional.random_walk import half_plane_offsets
from tests.oracles.irn import losses


def scene(seed: int = 0, number: int = 2, height: int = 5, width: int = 6):
    generator = torch.Generator().manual_seed(seed)
    edge = torch.rand(number, height, width, generator=generator, dtype=torch.float64)
    displacement = torch.randn(number, 2, height, width, generator=generator, dtype=torch.float64)
    choice = torch.randint(0, 4, (number, height, width), generator=generator)
    labels = torch.tensor([0, 3, 7, 255])[choice]
    return edge, displacement, labels


@pytest.mark.parametrize('radius', [2, 4])
@pytest.mark.parametrize('seed', range(3))
def test_losses_equal_loops_over_pairs(seed, radius):
    edge, displacement, labels = scene(seed)
    want = losses(edge.numpy(), displacement.numpy(), labels.numpy(), radius)
    got = irn_losses(edge, displacement, labels, radius=radius)
    affinity = got['loss_affinity_pos'] + got['loss_affinity_neg']
    moved = got['loss_displacement_fg'] + got['loss_displacement_bg']
    assert affinity.item() == pytest.approx(want['affinity'], rel=1e-10)
    assert moved.item() == pytest.approx(want['displacement'], rel=1e-10)
    assert sum(got.values()).item() == pytest.approx(want['total'], rel=1e-10)


def test_gradients_equal_differences_of_the_loops():
    edge, displacement, labels = scene(4, number=1, height=3, width=4)
    edge.requires_grad_()
    displacement.requires_grad_()
    sum(irn_losses(edge, displacement, labels, radius=3).values()).backward()
    step = 1e-6
    for tensor, position in [(edge, 0), (displacement, 1)]:
        values = [edge.detach().numpy(), displacement.detach().numpy()]
        want = np.zeros(values[position].shape)
        for place in np.ndindex(want.shape):
            total = []
            for sign in (1, -1):
                moved = [v.copy() for v in values]
                moved[position][place] += sign * step
                total.append(losses(*moved, labels.numpy(), radius=3)['total'])
            want[place] = (total[0] - total[1]) / (2 * step)
        np.testing.assert_allclose(tensor.grad.numpy(), want, atol=1e-6)


@pytest.mark.parametrize('value', [0, 5, 255])
def test_missing_pairs_add_nothing(value):
    edge, displacement, labels = scene()
    edge.requires_grad_()
    got = irn_losses(edge, displacement, torch.full_like(labels, value), radius=3)
    sum(got.values()).backward()
    assert torch.isfinite(edge.grad).all()
    assert got['loss_affinity_neg'] == 0
    assert (got['loss_displacement_fg'] == 0) == (value != 5)
    assert (got['loss_displacement_bg'] == 0) == (value != 0)
    assert (got['loss_affinity_pos'] == 0) == (value == 255)


def test_extreme_edges_have_finite_losses_and_gradients():
    _, displacement, labels = scene()
    for value in (0.0, 1.0):
        edge = torch.full(labels.shape, value, dtype=torch.float64, requires_grad=True)
        total = sum(irn_losses(edge, displacement, labels, radius=3).values())
        total.backward()
        assert torch.isfinite(total)
        assert torch.isfinite(edge.grad).all()


def test_true_centres_have_no_displacement_loss():
    rows, cols = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing='ij')
    displacement = torch.stack([2 - rows, 3 - cols])[None]
    labels = torch.full((1, 6, 7), 4)
    got = irn_losses(torch.zeros(1, 6, 7), displacement, labels, radius=4)
    assert got['loss_displacement_fg'].item() == pytest.approx(0, abs=1e-6)
    assert got['loss_affinity_pos'].item() == pytest.approx(0, abs=1e-4)


def test_half_precision_is_computed_in_float32():
    torch.manual_seed(0)
    edge, displacement = torch.rand(2, 64, 64), torch.randn(2, 2, 64, 64)
    labels = torch.randint(0, 3, (2, 8, 8)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    lowered = edge.half(), displacement.half()
    found = irn_losses(*lowered, labels)
    for name, value in irn_losses(*(part.float() for part in lowered), labels).items():
        torch.testing.assert_close(found[name], value)


def test_two_processes_equal_one():
    edge, displacement, labels = scene(7)
    labels[1, :3] = 255
    whole = irn_losses(edge, displacement, labels, radius=3)
    counts = torch.stack([p.sum() for p in pair_labels(labels, 3)]).double()
    halves = [
        irn_losses(
            edge[i : i + 1],
            displacement[i : i + 1],
            labels[i : i + 1],
            radius=3,
            mean_over_processes=lambda _: counts / 2,
        )
        for i in range(2)
    ]
    for key, value in whole.items():
        assert ((halves[0][key] + halves[1][key]) / 2).item() == pytest.approx(value.item())


@pytest.mark.parametrize('radius', [1, 2, 4])
def test_pair_labels_equal_loops(radius):
    _, _, labels = scene(2)
    got = pair_labels(labels, radius)
    offsets = half_plane_offsets(radius)
    assert got.background.shape == (2, len(offsets), 5, 6)
    for d, (dy, dx) in enumerate(offsets):
        for n, y, x in np.ndindex(*labels.shape):
            want = None
            if y + dy < 5 and 0 <= x + dx < 6:
                first, second = labels[n, y, x].item(), labels[n, y + dy, x + dx].item()
                if 255 not in (first, second):
                    want = 'neg' if first != second else 'bg' if first == 0 else 'fg'
            assert got.background[n, d, y, x] == (want == 'bg')
            assert got.foreground[n, d, y, x] == (want == 'fg')
            assert got.negative[n, d, y, x] == (want == 'neg')


def test_float_labels_are_refused():
    with pytest.raises(TypeError, match='labels must hold integers'):
        pair_labels(torch.zeros(2, 3), 2)


def test_pair_displacement_by_hand():
    displacement = torch.tensor([[[1.0, 4.0]], [[2.0, 8.0]]])  # (2, 1, 2)
    got = pair_displacement(displacement, radius=2)  # offsets (0,1) (1,-1) (1,0) (1,1)
    assert got.shape == (2, 4, 1, 2)
    assert got[:, 0, 0, 0].tolist() == [-3, -6]
    assert got[:, 2, 0, 0].tolist() == [1, 2]


def test_resize_labels_takes_the_pixel_in_the_middle():
    labels = torch.arange(64).view(1, 8, 8)
    assert resize_labels(labels, (2, 2)).tolist() == [[[18, 22], [50, 54]]]
    odd = torch.full((3, 9, 10), 255, dtype=torch.uint8)
    assert resize_labels(odd, (3, 3)).shape == (3, 3, 3)
    assert resize_labels(odd, (3, 3)).dtype == torch.uint8


def picture():
    """Left: object, right: background, each of one colour."""
    rng = np.random.default_rng(0)
    image = np.where(np.arange(40)[None, :, None] < 20, 200, 40) + rng.normal(0, 2, (24, 40, 3))
    return image.clip(0, 255).astype(np.uint8)


def test_confident_labels():
    image = picture()
    scores = np.zeros((2, 24, 40), np.float32)
    scores[0, :, :20] = 0.8
    scores[0, :, 32:] = 0.15
    got = confident_labels(image, scores, [5, 9], gaussian_compat=0, bilateral_compat=0)
    assert got.dtype == np.uint8
    assert (got[:, :20] == 5).all()
    assert (got[:, 20:32] == 0).all()
    assert (got[:, 32:] == 255).all()


def test_confident_labels_follow_the_two_crfs():
    rng = np.random.default_rng(1)
    regions = np.repeat(np.arange(4), 10)  # of the first class, the second, neither, background
    image = np.array([200, 40, 120, 240])[regions][None, :, None] + rng.normal(0, 2, (24, 40, 3))
    image = image.clip(0, 255).astype(np.uint8)
    level = np.array([[0.3, 0, 0.15, 0], [0, 0.3, 0, 0]])[:, regions]
    scores = rng.random((2, 24, 40)) * np.array([0.3, 0.3, 0.2, 0.1])[regions] + level[:, None]
    strict, loose = (
        dense_crf_labels(image, np.concatenate([np.full((1, 24, 40), t), scores]).argmax(0), 3)
        for t in (0.4, 0.2)
    )
    want = np.array([0, 5, 9])[strict]
    want[(strict == 0) & (loose > 0)] = 255
    assert set(np.unique(want)) == {0, 5, 9, 255}
    got = confident_labels(image, scores, [5, 9], fg_threshold=0.4, bg_threshold=0.2)
    assert (got == want).all()


def test_confident_labels_threshold_free():
    image = picture()
    scores = np.zeros((2, 24, 40), np.float32)
    scores[1], scores[0] = 0.4, 0.2
    scores[0, :, 20:] = 0.6
    scores[0, :, 30:] = 0.9
    got = confident_labels_threshold_free(
        image, scores, [11], gaussian_compat=0, bilateral_compat=0
    )
    assert (got[:, :20] == 11).all()
    assert (got[:, 20:30] == 255).all()
    assert (got[:, 30:] == 0).all()


def test_image_without_classes_is_background():
    assert (confident_labels(picture(), np.zeros((0, 24, 40)), []) == 0).all()


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (
            lambda: confident_labels(picture(), np.zeros((2, 24, 40)), [1]),
            r'scores \(\d, H, W\), but got',
        ),
        (
            lambda: confident_labels(
                picture(), np.zeros((1, 24, 40)), [1], fg_threshold=0.1, bg_threshold=0.2
            ),
            'bg_threshold <= fg_threshold',
        ),
        (
            lambda: confident_labels_threshold_free(picture(), np.zeros((1, 24, 40)), [1]),
            r'scores \(\d, H, W\), but got',
        ),
        (
            lambda: confident_labels_threshold_free(
                picture(), np.zeros((2, 24, 40)), [1], bg_attenuation=1.1
            ),
            'bg_attenuation must lie in',
        ),
        (
            lambda: irn_losses(torch.zeros(1, 3, 4), torch.zeros(1, 2, 3, 4), torch.zeros(1, 3, 3)),
            r'shapes must be edge \(N, h, w\), .* \(1, 3, 3\)',
        ),
        (
            lambda: irn_losses(
                torch.zeros(1, 3, 4), torch.zeros(1, 1, 3, 4), torch.zeros(1, 3, 4).int()
            ),
            r'displacement \(N, 2, h, w\), .* but got .*\(1, 1, 3, 4\)',
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()

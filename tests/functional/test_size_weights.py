from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmwsss.functional.size_weights import size_balanced_cross_entropy, size_weights
from tests.oracles.size_weights import size_weighted_cross_entropy_loop, size_weights_loop


def random_labels(seed, shape=(3, 14, 17), num_classes=4):
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.int64)
    for image in labels:
        for _ in range(rng.integers(0, 25)):
            y, x = rng.integers(0, shape[1]), rng.integers(0, shape[2])
            h, w = rng.integers(1, 6, size=2)
            image[y : y + h, x : x + w] = rng.choice([*range(num_classes), 255])
    return labels


@pytest.mark.parametrize('total', ['class', 'image'])
@pytest.mark.parametrize('balance_background', [False, True])
@pytest.mark.parametrize('tau', [1.0, 3.5, 1000.0])
def test_equals_plain_loop(tau, balance_background, total):
    for seed in range(30):
        labels = random_labels(seed)
        got = size_weights(
            torch.from_numpy(labels), tau, total=total, balance_background=balance_background
        )
        expected = size_weights_loop(labels, tau, 255, balance_background, total)
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)


def test_the_two_readings_by_hand():
    labels = torch.tensor([[[1, 1, 0, 2, 0, 1, 255], [1, 1, 0, 0, 0, 0, 0]]])
    by_class, by_image = (size_weights(labels, 5.0, 255, total) for total in ('class', 'image'))
    assert by_class[0, 0].tolist() == [1.25, 1.25, 1, 1, 1, 5, 0]  # 5 pixels of class 1: 4 + 1
    assert by_image[0, 0].tolist() == [1.5, 1.5, 1, 5, 1, 5, 0]  # 6 foreground pixels, 6 / 1 capped
    assert torch.equal(by_class, size_weights(labels, 5.0))


def test_by_hand():
    labels = torch.zeros(2, 6, 8, dtype=torch.long)
    labels[0, 0, :6] = 1  # 6 pixels
    labels[0, 2, 0] = 1  # 1 pixel
    labels[0, 5, 3:5] = 1  # 2 pixels
    labels[0, 3, 5:8] = 2  # alone
    labels[1, 0, 0] = 1  # alone in its image
    labels[1, 5] = 255
    weights = size_weights(labels, tau=5.0)
    assert weights.dtype == torch.float32
    assert weights[0, 0, :6].tolist() == pytest.approx([9 / 6] * 6)
    assert weights[0, 2, 0] == 5.0  # 9 / 1 is capped
    assert weights[0, 5, 3:5].tolist() == [4.5, 4.5]
    assert weights[0, 3, 5:8].tolist() == [1.0] * 3
    assert weights[1, 0, 0] == 1.0
    assert weights[1, 5].tolist() == [0.0] * 8
    assert weights[0, 4, 0] == 1.0  # background


def test_components_do_not_reach_into_the_next_image():
    labels = torch.zeros(2, 3, 4, dtype=torch.long)
    labels[0, 2], labels[1, 0], labels[1, 2, 0] = 1, 1, 1
    weights = size_weights(labels, tau=10.0)
    assert weights[0, 2].tolist() == [1.0] * 4
    assert weights[1, 0].tolist() == [1.25] * 4
    assert weights[1, 2, 0] == 5.0


def test_corners_connect():
    labels = torch.eye(6, dtype=torch.long)[None] * 3
    assert size_weights(labels, tau=10.0).unique().tolist() == [1.0]


def test_one_instance_filling_the_image_and_nothing_but_ignore():
    assert size_weights(torch.ones(1, 5, 5, dtype=torch.long), 7.0).unique().tolist() == [1.0]
    assert size_weights(torch.full((1, 5, 5), 255), 7.0).unique().tolist() == [0.0]
    assert size_weights(torch.zeros(0, 5, 5, dtype=torch.long), 7.0).shape == (0, 5, 5)


def test_background_options():
    labels = torch.zeros(1, 1, 7, dtype=torch.long)
    labels[0, 0, 2] = 1
    plain = size_weights(labels, 10.0)
    assert plain.flatten().tolist() == [1.0] * 7
    for options in (dict(balance_background=True), dict(background_index=None)):
        weights = size_weights(labels, 10.0, **options)
        assert weights.flatten().tolist() == pytest.approx([3, 3, 1, 1.5, 1.5, 1.5, 1.5])
    other = size_weights(labels + 1, 10.0, background_index=1)
    assert torch.equal(other, plain)


@pytest.mark.parametrize('seed', range(5))
def test_invariances(seed):
    labels = torch.from_numpy(random_labels(seed))
    weights = size_weights(labels, 6.0)
    assert torch.equal(size_weights(labels.flip(-1), 6.0), weights.flip(-1))
    assert torch.equal(size_weights(labels.flip(0), 6.0), weights.flip(0))
    assert torch.equal(size_weights(labels.to(torch.uint8), 6.0), weights)
    renamed = torch.where(labels == 255, 255, torch.tensor([0, 3, 1, 2])[labels % 255])
    assert torch.equal(size_weights(renamed, 6.0), weights)
    assert weights[labels != 255].min() >= 1
    assert weights.max() <= 6


@pytest.mark.parametrize('ignore_index', [-100, -1, 4, 254, 100_000])
def test_any_ignore_index(ignore_index):
    labels = torch.from_numpy(random_labels(5))
    expected = size_weights(labels, 6.0)
    other = torch.where(labels == 255, ignore_index, labels)
    assert torch.equal(size_weights(other, 6.0, ignore_index=ignore_index), expected)
    nothing_ignored = torch.where(labels == 255, 0, labels)
    got = size_weights(nothing_ignored, 6.0, ignore_index=ignore_index)
    assert torch.equal(got, size_weights(nothing_ignored, 6.0))
    assert got.min() == 1


def test_ignored_background_has_no_weight():
    labels = torch.tensor([[[0, 1, 1, 0, 1]]])
    weights = size_weights(labels, 6.0, ignore_index=0)
    assert weights.flatten().tolist() == [0.0, 1.5, 1.5, 0.0, 3.0]


def test_does_not_change_its_input():
    labels = torch.from_numpy(random_labels(1))
    before = labels.clone()
    size_weights(labels, 4.0)
    assert torch.equal(labels, before)


@pytest.mark.parametrize('class_weight', [None, [0.5, 1.0, 2.0, 0.0]])
@pytest.mark.parametrize('normalize', ['pixels', 'weights'])
@pytest.mark.parametrize('total', ['class', 'image'])
def test_cross_entropy_and_gradient_equal_plain_loop(total, normalize, class_weight):
    for seed in range(3):
        labels = random_labels(seed)
        logits = torch.randn(3, 4, 14, 17, generator=torch.Generator().manual_seed(seed))
        logits.requires_grad_()
        loss = size_balanced_cross_entropy(
            logits,
            torch.from_numpy(labels),
            3.0,
            total=total,
            normalize=normalize,
            class_weight=None if class_weight is None else torch.tensor(class_weight),
        )
        loss.backward()
        expected, gradient = size_weighted_cross_entropy_loop(
            logits.detach().numpy(), labels, 3.0, 255, class_weight, total, normalize
        )
        assert loss.item() == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(logits.grad.numpy(), gradient, rtol=1e-5, atol=1e-8)


@pytest.fixture
def batch():
    labels = torch.from_numpy(random_labels(11))
    logits = torch.randn(3, 4, 14, 17, generator=torch.Generator().manual_seed(0))
    return logits.requires_grad_(), labels


def test_tau_one_is_plain_cross_entropy(batch):
    logits, labels = batch
    plain = F.cross_entropy(logits, labels, ignore_index=255)
    got = size_balanced_cross_entropy(logits, labels, 1.0, avg_non_ignore=True)
    assert got.item() == pytest.approx(plain.item())
    over_all = size_balanced_cross_entropy(logits, labels, 1.0)
    share = (labels != 255).double().mean().item()
    assert 0 < share < 1
    assert over_all.item() == pytest.approx(plain.item() * share)
    assert size_balanced_cross_entropy(logits, labels, 5.0) > over_all


def test_weights_are_normalised_only_on_demand(batch):
    logits, labels = batch
    once = size_balanced_cross_entropy(logits, labels, 4.0)
    twice = size_balanced_cross_entropy(logits, labels, 4.0, weight=torch.full(labels.shape, 2.0))
    assert twice.item() == pytest.approx(2 * once.item())
    once, twice = (
        size_balanced_cross_entropy(
            logits, labels, 4.0, normalize='weights', weight=torch.full(labels.shape, factor)
        ).item()
        for factor in (1.0, 2.0)
    )
    assert twice == pytest.approx(once)


def test_reductions_fit_together(batch):
    logits, labels = batch
    each = size_balanced_cross_entropy(logits, labels, 4.0, reduction='none')
    assert each.shape == labels.shape
    assert each[labels == 255].abs().max() == 0
    total = size_balanced_cross_entropy(logits, labels, 4.0, reduction='sum')
    assert total.item() == pytest.approx(each.sum().item())
    mean = size_balanced_cross_entropy(logits, labels, 4.0, avg_factor=10.0)
    assert mean.item() == pytest.approx(total.item() / 10)


def test_gradient_is_weighted_and_leaves_ignored_pixels_alone(batch):
    logits, labels = batch
    size_balanced_cross_entropy(logits, labels, 4.0, reduction='sum').backward()
    plain = logits.detach().clone().requires_grad_()
    F.cross_entropy(plain, labels, ignore_index=255, reduction='sum').backward()
    expected = plain.grad * size_weights(labels, 4.0)[:, None]
    torch.testing.assert_close(logits.grad, expected)
    assert logits.grad.permute(0, 2, 3, 1)[labels == 255].abs().max() == 0


@pytest.mark.parametrize('options', [{}, {'avg_non_ignore': True}, {'normalize': 'weights'}])
def test_all_ignored_gives_zero_and_a_finite_gradient(options):
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = size_balanced_cross_entropy(logits, torch.full((1, 4, 4), 255), 4.0, **options)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize('normalize', ['pixels', 'weights'])
def test_half_precision_is_computed_in_float32(normalize):
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 321, 321).half(), torch.randint(0, 3, (2, 321, 321))
    found, expected = (
        size_balanced_cross_entropy(each, labels, tau=5, normalize=normalize)
        for each in (logits, logits.float())
    )
    torch.testing.assert_close(found, expected)


def test_malformed_arguments(batch):
    logits, labels = batch
    with pytest.raises(ValueError, match=r'labels \(N, H, W\), but got \(14, 17\)'):
        size_weights(labels[0], 2.0)
    with pytest.raises(TypeError, match=r'labels must hold integers, but holds float32'):
        size_weights(labels.float(), 2.0)
    for tau in (0.99, float('nan')):
        with pytest.raises(ValueError, match=rf'tau must lie in \[1, inf\], but got {tau}'):
            size_weights(labels, tau)
    with pytest.raises(ValueError, match=r'but got \(3, 4, 14, 17\), \(2, 14, 17\)'):
        size_balanced_cross_entropy(logits, labels[:2], 2.0)
    with pytest.raises(ValueError, match=r'weight \(N, H, W\), but got .*\(3,\)'):
        size_balanced_cross_entropy(logits, labels, 2.0, weight=torch.ones(3))
    with pytest.raises(ValueError, match="but got 'average'"):
        size_balanced_cross_entropy(logits, labels, 2.0, reduction='average')
    with pytest.raises(ValueError, match=r"total must be one of .* but got 'all'"):
        size_weights(labels, 2.0, total='all')
    with pytest.raises(ValueError, match=r"normalize must be one of .* but got 'sum'"):
        size_balanced_cross_entropy(logits, labels, 2.0, normalize='sum')
    with pytest.raises(ValueError, match="avg_factor needs reduction='mean'"):
        size_balanced_cross_entropy(logits, labels, 2.0, reduction='sum', avg_factor=3)

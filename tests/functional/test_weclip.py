from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.weclip import (
    affinity_loss,
    affinity_pairs,
    feature_affinity,
    selected_attention,
)
from tests.oracles import weclip as oracle

CLOSE = dict(rtol=0, atol=1e-5)


def labels(*images):
    return torch.tensor(images)


def test_affinity_is_that_of_the_loop():
    torch.manual_seed(0)
    features = torch.randn(2, 5, 3, 4)
    for found, one in zip(feature_affinity(features), features):
        np.testing.assert_allclose(found.numpy(), oracle.affinity_loop(one.numpy()), **CLOSE)


@pytest.mark.parametrize('seed', range(4))
def test_selected_attention_is_that_of_the_loop(seed):
    torch.manual_seed(seed)
    attention = torch.randn(5, 12, 13).softmax(dim=2)[..., 1:]  # a row's rest is on the class token
    affinity = torch.rand(12, 12)
    found = selected_attention(attention, affinity)
    wanted = oracle.selected_loop(attention.numpy(), affinity.numpy())
    np.testing.assert_allclose(found.numpy(), wanted, **CLOSE)
    assert not torch.allclose(found, attention.mean(dim=0) * affinity)


def test_equal_attentions_are_all_kept():
    attention = (torch.rand(1, 3, 3) / 3).expand(7, 3, 3)
    affinity = torch.rand(3, 3)
    torch.testing.assert_close(selected_attention(attention, affinity), attention[0] * affinity)


@pytest.mark.parametrize('radius', [0, 1, 2, 9])
def test_loss_is_that_of_the_loop(radius):
    generator = torch.Generator().manual_seed(radius)
    seg = torch.randint(0, 3, (2, 4, 5), generator=generator)
    seg[0, 1:3, 2] = 255
    affinity = torch.rand(2, 20, 20, generator=generator, requires_grad=True)
    pairs = affinity_pairs(seg, radius)
    loss = affinity_loss(affinity, *pairs)
    wanted = oracle.affinity_loss_loop(affinity.detach().numpy(), seg.numpy(), radius)
    assert loss.item() == pytest.approx(wanted, abs=1e-5)
    loss.backward()
    same, different = (part / part.sum().clamp(min=1) for part in pairs)
    torch.testing.assert_close(affinity.grad, (different - same) / 2)


@pytest.mark.parametrize(
    ('seg', 'wanted'),
    [
        (labels([[1, 1], [1, 1]]), 0.35),  # no different pair: (1 - 0.3) / 2
        (labels([[255, 255], [255, 255]]), 0.0),
        (labels([[255, 255], [255, 4]]), 0.35),  # one cell and itself
    ],
)
def test_a_part_without_pairs_is_zero(seg, wanted):
    affinity = torch.full((1, 4, 4), 0.3, requires_grad=True)
    loss = affinity_loss(affinity, *affinity_pairs(seg))
    loss.backward()
    assert loss.item() == pytest.approx(wanted)
    assert torch.isfinite(affinity.grad).all()
    assert (affinity.grad.abs().sum() > 0) == (wanted > 0)


def test_counts_may_be_those_of_more_images():
    affinity, seg = torch.rand(4, 6, 6), torch.randint(0, 2, (4, 2, 3))
    whole = affinity_loss(affinity, *affinity_pairs(seg, 1))
    counts = torch.stack([part.sum() for part in affinity_pairs(seg, 1)]) / 2
    halves = [
        affinity_loss(affinity[part], *affinity_pairs(seg[part], 1), counts)
        for part in (slice(0, 3), slice(3, 4))
    ]
    torch.testing.assert_close(sum(halves) / 2, whole)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match='shapes must be attention'):
        selected_attention(torch.zeros(2, 4, 4), torch.zeros(3, 3))
    with pytest.raises(ValueError, match=r'radius must lie in \[0, inf\)'):
        affinity_pairs(torch.zeros(1, 2, 2, dtype=torch.long), -1)
    with pytest.raises(ValueError, match='shapes must be features'):
        feature_affinity(torch.zeros(2, 2, 2))

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.seam import hardest_mean, pixel_correlation, winning_scores
from tests.oracles import seam as oracle


def inside(*widths, size=(4, 5)):
    """Masks of images that are padded on the right."""
    masks = torch.zeros(len(widths), 1, *size)
    for mask, width in zip(masks, widths):
        mask[:, :, :width] = 1
    return masks


def test_winners_are_those_of_the_loop():
    scores = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    for one, score in zip(winning_scores(scores), scores):
        np.testing.assert_allclose(one.numpy(), oracle.winners_loop(score.numpy()), atol=1e-6)


def test_correlation_is_that_of_the_loop():
    torch.manual_seed(0)
    features, scores, masks = torch.randn(2, 6, 4, 5), torch.rand(2, 3, 4, 5), inside(5, 3)
    found = pixel_correlation(features, scores, masks, chunk_size=7)
    for one, f, s, m in zip(found, features, scores, masks):
        wanted = oracle.correlation_loop(f.numpy(), s.numpy(), m[0].numpy())
        np.testing.assert_allclose(one.numpy(), wanted, atol=1e-5)
    torch.testing.assert_close(pixel_correlation(features[:1], scores[:1]), found[:1])


@pytest.mark.parametrize('fraction', [0.3, 0.01, 1.0])
def test_hardest_errors_are_those_of_the_loop(fraction):
    errors, masks = torch.rand(2, 4, 4, 5, dtype=torch.float64), inside(5, 2).double()
    wanted = oracle.hardest_loop(errors.numpy(), masks[:, 0].numpy(), fraction)
    assert hardest_mean(errors, masks, fraction).item() == pytest.approx(wanted, abs=1e-9)


def test_gradients():
    torch.manual_seed(0)
    features = torch.randn(1, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    scores = torch.rand(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    masks = inside(2, size=(2, 3)).double()

    def loss(features, scores):
        return hardest_mean((pixel_correlation(features, scores, masks) - 2).abs(), masks, 0.5)

    assert torch.autograd.gradcheck(loss, (features, scores))


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r'fraction must lie in \(0, 1\]'):
        hardest_mean(torch.zeros(1, 2, 4, 5), inside(5), 0)
    with pytest.raises(ValueError, match='shapes must be features'):
        pixel_correlation(torch.zeros(1, 2, 4, 5), torch.zeros(1, 2, 4, 4))

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.mctformer import attention_refine, ranked_pooling, token_contrast
from tests.oracles import mctformer as oracle

LABELS = torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]])


@pytest.mark.parametrize('decay', [0.996, 0.5, 1.0])
def test_pooling_is_that_of_the_loop(decay):
    torch.manual_seed(0)
    logits, inside = torch.randn(3, 4, 5, 3), torch.ones(3, 1, 5, 3)
    inside[0, :, 3:], inside[1] = 0, 0
    found = ranked_pooling(logits, decay, inside)
    for one, x, mask in zip(found, logits, inside[:, 0]):
        wanted = oracle.pooling_loop(x.numpy(), decay, mask.numpy())
        np.testing.assert_allclose(one.numpy(), wanted, atol=1e-5)
    assert found[1].abs().max() == 0
    torch.testing.assert_close(ranked_pooling(logits, decay)[2], found[2])


def test_contrast_is_that_of_the_loop():
    torch.manual_seed(0)
    tokens = 3 * torch.randn(3, 2, 4, 5)
    wanted = oracle.contrast_loop(tokens.numpy(), LABELS.numpy())
    assert token_contrast(tokens, LABELS).item() == pytest.approx(wanted, abs=1e-5)
    assert token_contrast(tokens[1:2], LABELS[1:2]).item() == 0
    assert token_contrast(tokens[:, :, :1], LABELS[:, :1]).item() == 0


def test_refined_maps_are_those_of_the_loop():
    torch.manual_seed(0)
    logits, to_patches, between = (
        torch.randn(2, 3, 2, 5),
        torch.rand(2, 3, 2, 5),
        torch.rand(2, 10, 10),
    )
    found = attention_refine(logits, to_patches, between)
    for one, *arrays in zip(found, logits, to_patches, between):
        wanted = oracle.refine_loop(*(array.numpy() for array in arrays))
        np.testing.assert_allclose(one.numpy(), wanted, atol=1e-5)


def test_gradients():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    inside = torch.ones(2, 1, 3, 2)
    inside[0, :, 2:], inside[1] = 0, 0
    assert torch.autograd.gradcheck(lambda x: ranked_pooling(x, 0.9, inside), (logits,))
    tokens = torch.randn(3, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: token_contrast(x, LABELS.double()), (tokens,))


def test_what_does_not_fit_is_named():
    maps = torch.zeros(1, 2, 3, 3)
    with pytest.raises(ValueError, match=r'decay must lie in \(0, 1\], but got 0'):
        ranked_pooling(maps, 0)
    with pytest.raises(ValueError, match=r'shapes must be inside \(N, 1, h, w\)'):
        ranked_pooling(maps, inside=torch.ones(1, 1, 3, 4))
    with pytest.raises(ValueError, match=r'shapes must be maps \(N, K, L\), patch_attention'):
        attention_refine(maps, maps, torch.zeros(1, 8, 8))
    with pytest.raises(ValueError, match=r'shapes must be tokens \(N, layers, K, C\), labels'):
        token_contrast(torch.zeros(3, 2, 5, 6), LABELS)

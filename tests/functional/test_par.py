from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.par import pixel_adaptive_refine
from tests.oracles.par import refine_loop


def photo(seed, height, width):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), generator=generator).float()


@pytest.mark.parametrize(
    ('size', 'grid', 'options'),
    [
        ((9, 7), (9, 7), ((1, 2, 4, 8, 12, 24), 3)),  # neighbours further than the image is wide
        ((13, 10), (7, 9), ((1, 3), 10)),  # the grid of the maps is another
        ((5, 5), (5, 5), ((2,), 0)),
        ((6, 5), (6, 5), ((1, 2), 1, 1.5, 0.5)),  # colour and position weigh otherwise
    ],
)
def test_equals_the_loop(size, grid, options):
    images = torch.stack([photo(0, *size), photo(1, *size)])
    images[1, :, :, :3] = 77  # constant colour: no spread to divide by
    scores = torch.rand(2, 3, *grid, generator=torch.Generator().manual_seed(2))
    found = pixel_adaptive_refine(images, scores, *options)
    for one, image, score in zip(found, images, scores):
        wanted = refine_loop(image.numpy(), score.numpy(), *options)
        np.testing.assert_allclose(one.numpy(), wanted, rtol=0, atol=1e-5)


def test_scores_stop_at_edges_of_colour():
    image = torch.zeros(1, 3, 40, 40)
    image[..., 20:] = 200
    scores = torch.zeros(1, 2, 40, 40)
    scores[0, 0] = 0.3
    scores[0, 1, :, 16:36] = 1  # most of the right half and some of the left one
    labels = pixel_adaptive_refine(image, scores, iterations=20).argmax(dim=1)[0]
    assert labels[:, :20].sum() == 0
    assert labels[:, 20:].float().mean() == 1


def test_types_and_gradient():
    image, scores = photo(3, 6, 8)[None], torch.rand(1, 2, 6, 8)
    whole = pixel_adaptive_refine(image, scores)
    half = pixel_adaptive_refine(image.to(torch.uint8), scores.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), whole, atol=2e-3, rtol=0)
    hard = (scores > 0.5).long()
    torch.testing.assert_close(
        pixel_adaptive_refine(image, hard), pixel_adaptive_refine(image, hard.float())
    )
    exact = scores[..., :3, :4].double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s: pixel_adaptive_refine(image[..., :3, :4].double(), s, (1, 2), 2), exact
    )


def test_what_does_not_fit_is_named():
    image, scores = torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 4)
    with pytest.raises(ValueError, match='shapes must be images'):
        pixel_adaptive_refine(image[0], scores)
    with pytest.raises(ValueError, match=r'smallest of dilations must lie in \[1, inf\)'):
        pixel_adaptive_refine(image, scores, ())
    with pytest.raises(ValueError, match='iterations must lie in'):
        pixel_adaptive_refine(image, scores, iterations=-1)
    with pytest.raises(ValueError, match=r'colour_scale must lie in \(0, inf\)'):
        pixel_adaptive_refine(image, scores, colour_scale=0)
    with pytest.raises(ValueError, match=r'position_weight must lie in \[0, inf\)'):
        pixel_adaptive_refine(image, scores, position_weight=-1)

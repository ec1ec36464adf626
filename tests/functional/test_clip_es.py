from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.clip_es import (
    affinity_refine,
    attention_affinity,
    gradient_maps,
    min_max,
    region_boxes,
)
from tests.oracles import clip_es as oracle

CLOSE = dict(rtol=0, atol=1e-5)


def test_gradient_maps_are_those_of_the_loop():
    torch.manual_seed(0)
    activations, gradients = torch.randn(6, 4, 5), torch.randn(3, 6, 4, 5)
    maps = gradient_maps(activations, gradients)
    for found, gradient in zip(maps, gradients):
        wanted = oracle.gradient_map_loop(activations.numpy(), gradient.numpy())
        np.testing.assert_allclose(found.numpy(), wanted, **CLOSE)


def test_affinity_is_that_of_the_loop():
    torch.manual_seed(0)
    attention = torch.randn(3, 12, 12).softmax(dim=-1)
    wanted = oracle.affinity_loop(attention.numpy())
    np.testing.assert_allclose(attention_affinity(attention).numpy(), wanted, **CLOSE)


@pytest.mark.parametrize('threshold', [0.4, 0.7])
def test_refined_maps_are_those_of_the_loop(threshold):
    torch.manual_seed(1)
    maps = min_max(torch.rand(3, 6, 7) ** 3)
    affinity = torch.rand(42, 42)  # of any kind, not symmetric
    found = affinity_refine(maps, affinity, threshold).numpy()
    for one, boxes, map_ in zip(found, region_boxes(maps, threshold).numpy(), maps.numpy()):
        np.testing.assert_array_equal(boxes, oracle.boxes_loop(map_, threshold))
        wanted = oracle.refined_loop(map_, affinity.numpy(), threshold)
        np.testing.assert_allclose(one, wanted, **CLOSE)


def test_regions_touch_over_corners_and_lend_their_box():
    maps = torch.zeros(1, 4, 5)
    maps[0, 0, 0] = maps[0, 1, 1] = 1.0
    maps[0, 3, 4] = 0.4  # not above
    inside = region_boxes(maps, 0.4)[0]
    assert inside.sum() == 4
    assert inside[:2, :2].all()


def test_empty_maps_stay_zero():
    affinity = attention_affinity(torch.full((1, 6, 6), 1 / 6))
    assert affinity_refine(torch.zeros(2, 2, 3), affinity).abs().max() == 0
    assert affinity_refine(torch.zeros(0, 2, 3), affinity).shape == (0, 2, 3)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r'threshold must lie in \[0, 1\)'):
        region_boxes(torch.zeros(1, 2, 2), 1.0)
    with pytest.raises(ValueError, match='shapes must be affinity'):
        affinity_refine(torch.zeros(1, 2, 2), torch.zeros(5, 5))

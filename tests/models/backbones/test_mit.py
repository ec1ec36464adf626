from __future__ import annotations

import pytest
import torch
from mmseg.models.backbones import MixVisionTransformer
from mmseg.registry import MODELS

TINY = dict(embed_dims=4, num_layers=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], strides=[4, 2, 2, 1])


@pytest.fixture
def pair():
    torch.manual_seed(0)
    ours = MODELS.build(dict(type='AnySizeMixVisionTransformer', **TINY))
    theirs = MixVisionTransformer(**TINY)
    theirs.load_state_dict(ours.state_dict())
    return ours.eval(), theirs.eval()


@pytest.mark.parametrize('size', [(32, 32), (45, 67)])
def test_equal_to_mmseg_where_that_works(pair, size):
    images = torch.randn(1, 3, *size)
    with torch.no_grad():
        for left, right in zip(*(model(images) for model in pair)):
            assert torch.equal(left, right)


@pytest.mark.parametrize('size', [(22, 34), (5, 100), (1, 1)])
def test_small_images_are_enlarged(pair, size):
    ours, theirs = pair
    assert ours.min_side == 32
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        outputs = ours(images)
        with pytest.raises(RuntimeError, match=r'[Kk]ernel size'):
            theirs(images)
    height, width = (max(side, 32) for side in size)
    sizes = [(-(-height // s), -(-width // s)) for s in (4, 8, 16, 16)]
    assert [tuple(out.shape[2:]) for out in outputs] == sizes


def test_a_smaller_reduction_needs_less():
    cfg = dict(TINY, type='AnySizeMixVisionTransformer', sr_ratios=[2, 1, 1, 1])
    assert MODELS.build(cfg).min_side == 16  # the last two stages' stride

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.backbones import VisionTransformer
from mmseg.registry import MODELS

TINY = dict(
    img_size=32, patch_size=8, embed_dims=16, num_layers=3, num_heads=2, mlp_ratio=2,
    out_indices=(0, 2), final_norm=True,
)  # fmt: skip


@pytest.fixture
def pair():
    """Ours and mmseg's with the same weights and position embeddings that matter."""
    torch.manual_seed(0)
    ours = MODELS.build(dict(type='GridVisionTransformer', **TINY))
    theirs = VisionTransformer(**TINY)
    torch.nn.init.normal_(ours.pos_embed)
    theirs.load_state_dict(ours.state_dict())
    ours.eval()
    theirs.eval()
    return ours, theirs


def run(model, images):
    with torch.no_grad():
        return model(images)


@pytest.mark.parametrize('size', [(32, 32), (40, 24)])
def test_equal_to_mmseg_at_multiples_of_the_patch(pair, size):
    ours, theirs = pair
    images = torch.randn(2, 3, *size)
    for left, right in zip(run(ours, images), run(theirs, images)):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize(
    ('size', 'grid'),
    [((33, 50), (4, 6)), ((36, 29), (4, 4)), ((3, 70), (1, 9)), ((1, 1), (1, 1))],
)
def test_any_size_gives_the_nearest_grid(pair, size, grid):
    outputs = run(pair[0], torch.randn(1, 3, *size))
    assert [tuple(o.shape) for o in outputs] == [(1, 16, *grid)] * 2


def test_the_same_number_of_tokens_in_another_shape_resizes_the_positions(pair):
    ours, theirs = pair
    images = torch.randn(1, 3, 16, 64)  # 2 x 8 tokens, trained: 4 x 4
    trained = ours.pos_embed[:, 1:].reshape(1, 4, 4, 16).permute(0, 3, 1, 2)
    resized = F.interpolate(trained, size=(2, 8), mode='bicubic', align_corners=False)
    want = torch.cat([ours.pos_embed[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)
    theirs.pos_embed.data = want.data
    for left, right in zip(run(ours, images), run(theirs, images)):
        torch.testing.assert_close(left, right)
    theirs.pos_embed.data = ours.pos_embed.data
    assert not torch.allclose(run(ours, images)[0], run(theirs, images)[0])


def test_a_mirrored_image_of_any_width_gives_mirrored_patches(pair):
    """Without position embeddings and with mirrored filters nothing else tells left from right."""
    ours, theirs = pair
    for model in (ours, theirs):
        model.pos_embed.data.zero_()
        weight = model.patch_embed.projection.weight
        weight.data = (weight + weight.flip(-1)) / 2
    images = torch.randn(1, 3, 32, 37)
    for model, mirrors in ((ours, True), (theirs, False)):
        plain, flipped = run(model, images)[1], run(model, images.flip(-1))[1].flip(-1)
        assert torch.allclose(plain, flipped, atol=1e-4) == mirrors


def test_learns_at_a_size_that_is_no_multiple(pair):
    ours = pair[0].train()
    sum(out.square().mean() for out in ours(torch.randn(2, 3, 45, 27))).backward()
    assert [n for n, p in ours.named_parameters() if p.grad is None] == []

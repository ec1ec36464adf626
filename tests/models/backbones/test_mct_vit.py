"""MCTVisionTransformer against a slow DeiT, from a file with DeiT's names."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from tests.models.backbones.published import build_backbone, vit_shapes
from tests.oracles import mctformer as oracle

K, WIDTH, LAYERS, PATCH, GRID = 3, 8, 2, 4, 3
TINY = dict(
    type='MCTVisionTransformer', num_classes=K, img_size=PATCH * GRID, patch_size=PATCH,
    embed_dims=WIDTH, num_layers=LAYERS, num_heads=2, mlp_ratio=2,
)  # fmt: skip


@pytest.fixture(scope='module')
def deit():
    """Weights under the names of DeiT's files."""
    torch.manual_seed(0)
    shapes = {
        **vit_shapes(WIDTH, LAYERS, PATCH, GRID),
        'head.weight': (1000, WIDTH),
        'head.bias': (1000,),
    }
    return {name: torch.randn(shape) / 2 for name, shape in shapes.items()}


def build(file=None, prefix=None, **kwargs):
    return build_backbone({**TINY, **kwargs}, file, prefix).eval()


@pytest.fixture
def file(deit, tmp_path):
    torch.save({'model': deit}, tmp_path / 'deit.pth')
    return tmp_path / 'deit.pth'


def test_tokens_and_attention_are_those_of_a_slow_deit(deit, file):
    images = torch.randn(2, 3, PATCH * GRID, PATCH * GRID)
    model = build(file)
    with torch.no_grad():
        patches, tokens, to_patches, between = model(images)
    state = {name: value.double().numpy() for name, value in deit.items()}
    for n, image in enumerate(images.double().numpy()):
        wanted, attention = oracle.deit(state, image, K, PATCH, heads=2)
        found = patches[n].flatten(1).T.numpy()
        np.testing.assert_allclose(found, wanted[-1][K:], atol=1e-4)
        for layer in range(LAYERS):
            np.testing.assert_allclose(tokens[n, layer].numpy(), wanted[layer][:K], atol=1e-4)
            found = to_patches[n, layer].flatten(1).numpy()
            np.testing.assert_allclose(found, attention[layer][:K, K:], atol=1e-5)
        np.testing.assert_allclose(between[n].numpy(), sum(attention)[K:, K:], atol=1e-5)
    trained = build(file, drop_path_rate=0.0).train()(images)
    for one, both in zip(trained, (patches, tokens), strict=True):
        torch.testing.assert_close(one, both, atol=1e-4, rtol=1e-4)


def resized(positions, grid):
    maps = positions.reshape(1, GRID, GRID, WIDTH).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, size=grid, mode='bicubic', align_corners=False)
    return maps.flatten(2).transpose(1, 2)


def test_positions_are_resized_and_those_of_the_tokens_are_not(deit, file):
    model, positions = build(file, img_size=(20, 8)), deit['pos_embed']
    assert torch.equal(model.pos_embed[:, :K], positions[:, :1].repeat(1, K, 1))
    torch.testing.assert_close(model.pos_embed.data[:, K:], resized(positions[:, 1:], (5, 2)))
    model = build(file)
    torch.nn.init.normal_(model.pos_embed)
    tokens, grid = model.embed(torch.zeros(1, 3, 4, 28))
    first, table = model.cls_token + model.pos_embed[:, :K], model.pos_embed[:, K:]
    assert grid == (1, 7)
    torch.testing.assert_close(tokens[:, :K], first)
    wanted = model.patch_embed.projection.bias + resized(table, (1, 7))
    torch.testing.assert_close(tokens[:, K:], wanted)


@pytest.mark.parametrize('size', [(13, 30), (3, 17), (1, 1)])
def test_any_size_and_each_image_alone(file, size):
    model, images = build(file), torch.randn(2, 3, *size)
    h, w = (max(1, round(side / PATCH)) for side in size)
    shapes = [(2, WIDTH, h, w), (2, LAYERS, K, WIDTH), (2, LAYERS, K, h, w), (2, h * w, h * w)]
    with torch.no_grad():
        outputs = model(images)
        assert [tuple(out.shape) for out in outputs] == shapes
        for both, one in zip(outputs, model(images[1:])):
            torch.testing.assert_close(both[1:], one)


def test_its_own_weights_are_read_back(deit, file, tmp_path):
    model = build(file)
    torch.nn.init.normal_(model.cls_token)
    state = {f'backbone.{name}': value for name, value in model.state_dict().items()}
    torch.save({'state_dict': {**state, 'head.bias': torch.zeros(K)}}, tmp_path / 'own.pth')
    again = build(tmp_path / 'own.pth', 'backbone.').state_dict()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match='cls_token'):
        build(tmp_path / 'own.pth', 'backbone.', num_classes=2 * K)


def test_what_is_left_over_or_missing_is_named(deit, tmp_path):
    torch.save({'model': {**deit, 'dist_token': deit['cls_token']}}, tmp_path / 'more.pth')
    with pytest.raises(ValueError, match=r"1 are no weights of it.*'dist_token'"):
        build(tmp_path / 'more.pth')
    fewer = {name: value for name, value in deit.items() if 'blocks.1' not in name}
    torch.save(fewer, tmp_path / 'fewer.pth')
    with pytest.raises(ValueError, match='12 are missing'):
        build(tmp_path / 'fewer.pth')


def test_outputs_cannot_be_chosen():
    with pytest.raises(ValueError, match='MCTVisionTransformer has no out_indices'):
        MODELS.build(dict(type='MCTVisionTransformer', num_classes=3, out_indices=[0, 1]))


def test_defaults_are_deit_small():
    model = MODELS.build(dict(type='MCTVisionTransformer', num_classes=20))
    count = sum(p.numel() for p in model.parameters())
    tables = 384 * (20 + 20 + 28 * 28)
    assert count == 21_665_664 - 384 * (1 + 1 + 14 * 14) - 2 * 384 + tables
    assert model.layers[0].attn.num_heads == 6

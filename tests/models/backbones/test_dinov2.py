"""DINOv2VisionTransformer against a slow one, from files with the published names."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from mmwsss.engine.hooks import CheckInitialWeightsHook
from mmwsss.io import load_class_maps
from mmwsss.models.backbones.dinov2 import ARCHS
from mmwsss.stages.maps import make_maps
from mmwsss.stages.train import build_runner
from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.models.backbones.published import build_backbone, vit_shapes
from tests.oracles import dinov2 as oracle
from tests.tiny_models import localizer_config

WIDTH, LAYERS, PATCH, GRID = 8, 3, 4, 4
TINY = dict(
    type='DINOv2VisionTransformer', img_size=PATCH * GRID, patch_size=PATCH, embed_dims=WIDTH,
    num_layers=LAYERS, num_heads=2, mlp_ratio=2, out_indices=(0, 2),
)  # fmt: skip


def published(registers=0):
    """Random weights under the names of the published files."""
    torch.manual_seed(registers)
    shapes = {**vit_shapes(WIDTH, LAYERS, PATCH, GRID), 'mask_token': (1, WIDTH)}
    if registers:
        shapes['register_tokens'] = (1, registers, WIDTH)
    for i in range(LAYERS):
        shapes[f'blocks.{i}.ls1.gamma'] = shapes[f'blocks.{i}.ls2.gamma'] = (WIDTH,)
    return {name: torch.randn(shape) / 2 for name, shape in shapes.items()}


def build(file=None, prefix=None, **kwargs):
    torch.manual_seed(0)
    return build_backbone({**TINY, **kwargs}, file, prefix)


@pytest.fixture(scope='module', params=[0, 4])
def with_file(request, tmp_path_factory):
    """Number of registers, weights and their file."""
    state = published(request.param)
    path = tmp_path_factory.mktemp('dinov2') / 'published.pth'
    torch.save(state, path)
    return request.param, state, path


@pytest.mark.parametrize('grid', [(4, 4), (3, 7), (6, 2)])
def test_features_are_those_of_a_slow_dinov2(with_file, grid):
    registers, state, path = with_file
    model = build(path, num_register_tokens=registers).eval()
    images = torch.randn(2, 3, *(PATCH * side for side in grid))
    with torch.no_grad():
        outputs = model(images)
    numbers = {name: value.double().numpy() for name, value in state.items()}
    for n, image in enumerate(images.double().numpy()):
        wanted = oracle.dinov2(numbers, image, PATCH, heads=2)
        for found, index in zip(outputs, model.out_indices, strict=True):
            assert found.shape == (2, WIDTH, *grid)
            np.testing.assert_allclose(found[n], wanted[index], atol=1e-5, rtol=0)
    trained = build(path, num_register_tokens=registers)(images)
    torch.testing.assert_close(trained, outputs, atol=1e-5, rtol=0)
    tokens, _ = model.embed(images)  # the block that keeps its attention scales it, too
    torch.testing.assert_close(model.run_block(0, tokens)[0], model.layers[0](tokens))


@pytest.mark.parametrize(
    ('size', 'grid'), [((13, 30), (3, 8)), ((3, 17), (1, 4)), ((1, 1), (1, 1))]
)
def test_any_size_and_each_image_alone(with_file, size, grid):
    registers, _, path = with_file
    model, images = build(path, num_register_tokens=registers).eval(), torch.randn(2, 3, *size)
    with torch.no_grad():
        outputs = model(images)
        assert [tuple(out.shape) for out in outputs] == [(2, WIDTH, *grid)] * 2
        for both, one in zip(outputs, model(images[1:])):
            torch.testing.assert_close(both[1:], one)


def test_files_in_chunks_and_its_own(with_file, tmp_path):
    registers, state, path = with_file
    model = build(path, num_register_tokens=registers)
    chunks = {re.sub(r'^blocks\.(\d)', r'blocks.1.\1', name): v for name, v in state.items()}
    torch.save(chunks, tmp_path / 'chunks.pth')
    own = {f'backbone.{name}': value for name, value in model.state_dict().items()}
    torch.save({'state_dict': {**own, 'head.bias': torch.zeros(3)}}, tmp_path / 'own.pth')
    for other in (('chunks.pth', None), ('own.pth', 'backbone.')):
        again = build(tmp_path / other[0], other[1], num_register_tokens=registers).state_dict()
        assert all(torch.equal(again[name], v) for name, v in model.state_dict().items())


def test_what_is_left_over_or_missing_is_named(with_file, tmp_path):
    registers, state, path = with_file
    with pytest.raises(ValueError, match='register_tokens'):
        build(path, num_register_tokens=4 - registers)
    torch.save({**state, 'blocks.0.mlp.w12.bias': state['cls_token']}, tmp_path / 'more.pth')
    with pytest.raises(ValueError, match=r"1 are no weights of it.*'blocks\.0\.mlp\.w12\.bias'"):
        build(tmp_path / 'more.pth', num_register_tokens=registers)
    fewer = {name: value for name, value in state.items() if 'ls2' not in name}
    torch.save(fewer, tmp_path / 'fewer.pth')
    with pytest.raises(ValueError, match=r'3 are missing.*ffn\.gamma2'):
        build(tmp_path / 'fewer.pth', num_register_tokens=registers)
    with pytest.raises(ValueError, match='pos_embed'):
        build(path, num_register_tokens=registers, img_size=PATCH * 5)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(arch='giant'), "arch must be one of .*'large'.*but got 'giant'"),
        (dict(num_register_tokens=-1), r'num_register_tokens must lie in \[0, inf\)'),
        (dict(layer_scale=0.0), r'layer_scale must lie in \(0, inf\)'),
        (dict(out_indices=(0, 3)), r'out_indices must be ascending in 0\.\.2, but got \(0, 3\)'),
    ],
)
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        build(**wrong)


@pytest.mark.parametrize(
    ('arch', 'heads', 'count'),
    [('small', 6, 22_056_576), ('base', 12, 86_580_480), ('large', 16, 304_368_640)],
)
def test_the_archs_have_the_published_numbers_of_weights(arch, heads, count):
    model = MODELS.build(dict(type='DINOv2VisionTransformer', arch=arch, num_layers=1))
    (block,) = model.layers
    whole, one = (sum(p.numel() for p in part.parameters()) for part in (model, block))
    mask_token = model.cls_token.shape[2]
    assert whole + (ARCHS[arch]['num_layers'] - 1) * one + mask_token == count
    assert block.attn.num_heads == heads


def test_a_frozen_one_gets_no_gradient_and_stays_in_evaluation_mode():
    frozen, trained = (
        build(frozen=frozen, drop_path_rate=0.5, num_register_tokens=2) for frozen in (True, False)
    )
    for model in (frozen.train(), trained.train()):
        outputs = model(torch.randn(2, 3, 21, 17))
        is_frozen = model is frozen
        assert {module.training for module in model.modules()} == {not is_frozen}
        assert {p.requires_grad for p in model.parameters()} == {not is_frozen}
        assert outputs[0].requires_grad != is_frozen
    sum(out.square().mean() for out in outputs).backward()
    assert [name for name, p in trained.named_parameters() if p.grad is None] == []
    assert frozen.train(False) is frozen


@pytest.mark.parametrize('frozen', [True, False])
def test_trains_resumes_and_maps(demo_root, tmp_path, frozen):
    path = tmp_path / 'published.pth'
    torch.save(published(4), path)

    def config(name, **kwargs):
        head = dict(type='CAMHead', num_classes=5, in_channels=WIDTH)
        if frozen:
            sides = dict(side_in_channels=(WIDTH,) * 2, side_channels=(4, 4), side_indices=(0, 1))
            head.update(sides, type='SIPEHead', size_index=1)
        cfg = localizer_config(demo_root, head=head)
        init_cfg = dict(type='Pretrained', checkpoint=str(path))
        backbone = dict(TINY, num_register_tokens=4, frozen=frozen, init_cfg=init_cfg)
        cfg['model']['backbone'] = {**backbone, 'drop_path_rate': 0.1}
        cfg.update(work_dir=str(tmp_path / name), val_dataloader=None, val_evaluator=None)
        cfg.update(val_cfg=None, train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2))
        return Config({**cfg, **kwargs})

    whole = build_runner(config('whole'))
    CheckInitialWeightsHook().before_train(whole)
    whole.train()
    first = tmp_path / 'whole/epoch_1.pth'
    build_runner(config('again', load_from=str(first), resume=True)).train()
    one, two, start = (
        load_checkpoint_file(tmp_path / name)['state_dict']
        for name in ('whole/epoch_2.pth', 'again/epoch_2.pth', 'whole/epoch_1.pth')
    )
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    moved = {key.split('.')[0] for key in one if not torch.equal(one[key], start[key])}
    assert moved == ({'head'} if frozen else {'head', 'backbone'})

    report = make_maps(config('whole'), tmp_path / 'whole/epoch_2.pth', tmp_path / 'maps')
    assert (len(report.done), report.failed) == (8, {})
    sizes = set()
    for file in (tmp_path / 'maps').glob('*.npz'):
        maps = load_class_maps(file, num_classes=6)
        assert maps.scores.shape[1:] == maps.image_size
        sizes.update(maps.image_size)
    assert any(side % PATCH for side in sizes)

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmseg.registry import HOOKS, MODELS
from torch import nn

from mmwsss.engine.hooks.check_initial_weights import CheckInitialWeightsHook

TINY = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4, num_stages=1,
            strides=(1,), dilations=(1,), out_indices=(0,))  # fmt: skip


TRANSFORMERS = {
    'SwinTransformer': dict(embed_dims=4, depths=(1, 1), num_heads=(1, 1), strides=(4, 2),
                            window_size=2, out_indices=(0, 1)),
    'GridVisionTransformer': dict(img_size=32, embed_dims=8, num_layers=1, num_heads=1,
                                  final_norm=True),
    'MixVisionTransformer': dict(embed_dims=4, num_stages=1, num_layers=[1], num_heads=[1],
                                 patch_sizes=[7], strides=[4], sr_ratios=[8], out_indices=(0,)),
    'MSCAN': dict(embed_dims=[4], num_stages=1, depths=[1], mlp_ratios=[2],
                  norm_cfg=dict(type='BN')),
}  # fmt: skip


def check(init_cfg: dict | list | None) -> None:
    backbone = MODELS.build(dict(TINY, init_cfg=init_cfg))
    runner = SimpleNamespace(model=nn.ModuleDict(dict(backbone=backbone)))
    HOOKS.build(dict(type='CheckInitialWeightsHook')).before_train(runner)


@pytest.fixture
def state() -> dict:
    return MODELS.build(TINY).state_dict()


def write(path, content: dict) -> str:
    torch.save(content, path)
    return str(path)


def test_a_file_that_covers_the_module_passes(tmp_path, state):
    state['fc.weight'] = torch.zeros(10, 4)
    plain = write(tmp_path / 'plain.pth', state)
    check(dict(type='Pretrained', checkpoint=plain))
    check([dict(type='Kaiming', layer='Conv2d'), dict(type='Pretrained', checkpoint=plain)])
    wrapped = {'meta': {}, 'state_dict': {f'module.{key}': value for key, value in state.items()}}
    check(dict(type='Pretrained', checkpoint=write(tmp_path / 'wrapped.pth', wrapped)))


def test_old_files_without_batch_counters_pass(tmp_path, state):
    kept = {k: v for k, v in state.items() if not k.endswith('num_batches_tracked')}
    check(dict(type='Pretrained', checkpoint=write(tmp_path / 'old.pth', kept)))


@pytest.mark.parametrize('prefix', ['backbone', 'backbone.'])
def test_a_prefix_selects_part_of_the_file(tmp_path, state, prefix):
    inside = {f'backbone.{key}': value for key, value in state.items()}
    path = write(tmp_path / 'segmentor.pth', {'state_dict': inside})
    check(dict(type='Pretrained', checkpoint=path, prefix=prefix))
    with pytest.raises(ValueError, match=r'segmentor.pth.* do not fit backbone \(ResNet\)'):
        check(dict(type='Pretrained', checkpoint=path))


def test_a_missing_or_misshapen_weight_is_named(tmp_path, state):
    state['conv1.weight'] = torch.zeros(8, 3, 7, 7)
    state.pop('bn1.running_mean')
    path = write(tmp_path / 'other.pth', state)
    with pytest.raises(ValueError, match=r'of \d+ weights 2 are missing .*conv1\.weight, '
                                         r'bn1\.running_mean'):  # fmt: skip
        check(dict(type='Pretrained', checkpoint=path))


@pytest.mark.parametrize(
    ('part', 'deeper'),
    [
        (dict(type='ResNet', depth=18), dict(depth=34)),
        (
            dict(TRANSFORMERS['GridVisionTransformer'], type='GridVisionTransformer'),
            dict(num_layers=2),
        ),
        (
            dict(TRANSFORMERS['MixVisionTransformer'], type='MixVisionTransformer'),
            dict(num_layers=[2]),
        ),
        (dict(TRANSFORMERS['SwinTransformer'], type='SwinTransformer'), dict(depths=(1, 2))),
        (dict(type='EfficientNetLite', variant=0), dict(variant=1)),
    ],
)
def test_a_deeper_network_is_refused(tmp_path, part, deeper):
    state = MODELS.build({**part, **deeper}).state_dict()
    if part['type'] == 'SwinTransformer':  # as mmseg's files name them
        state = {f'backbone.{key}': value for key, value in state.items()}
    file = write(tmp_path / 'deep.pth', state)
    model = MODELS.build(dict(part, init_cfg=dict(type='Pretrained', checkpoint=file)))
    with pytest.raises(
        ValueError, match=r'deep\.pth. are of a deeper network than the model .*lack'
    ):
        CheckInitialWeightsHook().before_train(SimpleNamespace(model=model))
    ignored = {type(model).__name__: [r'layer|stages|blocks']}
    CheckInitialWeightsHook(ignored).before_train(SimpleNamespace(model=model))


@pytest.mark.parametrize(
    ('whole', 'fewer'),
    [
        (dict(TINY, num_stages=2, strides=(1, 2), dilations=(1, 1)), TINY),
        (
            dict(type='MixVisionTransformer', embed_dims=4, num_stages=2, num_layers=[1, 1],
                 num_heads=[1, 1], patch_sizes=[7, 3], strides=[4, 2], sr_ratios=[8, 4],
                 out_indices=(0,)),
            dict(type='MixVisionTransformer', **TRANSFORMERS['MixVisionTransformer']),
        ),
        (
            dict(type='SwinTransformer', **TRANSFORMERS['SwinTransformer']),
            dict(type='SwinTransformer', embed_dims=4, depths=(1,), num_heads=(1,), strides=(4,),
                 window_size=2, out_indices=(0,)),
        ),
        (
            dict(type='EfficientNetLite', variant=0),
            dict(type='EfficientNetLite', variant=0, out_indices=(1, 2)),
        ),
    ],
)  # fmt: skip
def test_fewer_stages_are_filled(tmp_path, whole, fewer):
    file = write(tmp_path / 'whole.pth', MODELS.build(whole).state_dict())
    model = MODELS.build(dict(fewer, init_cfg=dict(type='Pretrained', checkpoint=file)))
    CheckInitialWeightsHook().before_train(SimpleNamespace(model=model))


def test_an_absent_prefix_is_named(tmp_path, state):
    path = write(tmp_path / 'plain.pth', state)
    with pytest.raises(ValueError, match=r"The file has 0 entries under 'neck\.', e\.g\. none"):
        check(dict(type='Pretrained', checkpoint=path, prefix='neck.'))


def test_a_model_from_scratch_needs_no_file():
    check(None)
    check(dict(type='Kaiming', layer='Conv2d'))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'absent\.pth'):
        check(dict(type='Pretrained', checkpoint=str(tmp_path / 'absent.pth')))


def test_registers():
    assert HOOKS.get('CheckInitialWeightsHook') is CheckInitialWeightsHook


def check_transformer(kind: str, path: str, ignore: dict | None = None) -> None:
    cfg = dict(type=kind, **TRANSFORMERS[kind], init_cfg=dict(type='Pretrained', checkpoint=path))
    runner = SimpleNamespace(model=nn.ModuleDict(dict(backbone=MODELS.build(cfg))))
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    HOOKS.build(dict(type='CheckInitialWeightsHook', ignore=ignore)).before_train(runner)
    after = runner.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


@pytest.mark.parametrize('kind', TRANSFORMERS)
def test_transformers_that_read_files_in_their_own_way(tmp_path, kind):
    state = MODELS.build(dict(type=kind, **TRANSFORMERS[kind])).state_dict()
    file = {key: value for key, value in state.items() if not key.startswith(('norm0', 'norm1.'))}
    if kind != 'SwinTransformer':  # mmseg adds Swin's output norms; they start as the identity
        file = dict(state)
    file['head.weight'] = torch.zeros(1)
    check_transformer(kind, write(tmp_path / 'whole.pth', {'state_dict': file}))
    lost = next(key for key in state if 'attn' in key and key.endswith('weight'))
    file.pop(lost)
    path = write(tmp_path / 'part.pth', {'state_dict': file})
    with pytest.raises(
        ValueError, match=rf'do not fit backbone \({kind}\).* 1 are missing.*{lost}'
    ):
        check_transformer(kind, path)
    check_transformer(kind, path, ignore={kind: [lost]})


def test_weights_that_swin_renames_and_vit_resizes_count_as_found(tmp_path):
    state = MODELS.build(dict(type='SwinTransformer', **TRANSFORMERS['SwinTransformer']))
    names = {f'backbone.{key}': value for key, value in state.state_dict().items()}
    check_transformer('SwinTransformer', write(tmp_path / 'swin.pth', {'model': names}))
    tall = dict(TRANSFORMERS['GridVisionTransformer'], img_size=48)
    vit = MODELS.build(dict(type='GridVisionTransformer', **tall)).state_dict()
    check_transformer('GridVisionTransformer', write(tmp_path / 'vit.pth', vit))


def test_a_pattern_to_ignore_must_be_a_regular_expression():
    with pytest.raises(ValueError, match=r"ignore\['ResNet'\]: '\(' is no regular expression"):
        CheckInitialWeightsHook(ignore={'ResNet': ['(']})

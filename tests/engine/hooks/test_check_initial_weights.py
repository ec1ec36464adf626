from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmseg.registry import HOOKS, MODELS
from torch import nn

from mmwsss.engine.hooks.check_initial_weights import CheckInitialWeightsHook

TINY = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4, num_stages=1,
            strides=(1,), dilations=(1,), out_indices=(0,))  # fmt: skip


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

"""Names of released SIPE checkpoints: exact round trips, refusals by name, a model that loads."""

from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS

import mmwsss.models.heads.sipe_head  # noqa: F401  registers the head
from mmwsss.models.convert import (
    ALIASES,
    mmwsss_to_released_sipe,
    released_sipe_to_mmwsss,
    unwrap_state_dict,
)

WIDTH = 4  # base channels; 64 in a real ResNet-50
MODEL = dict(
    type='ImageLevelClassifier',
    backbone=dict(
        type='ResNet',
        depth=50,
        stem_channels=WIDTH,
        base_channels=WIDTH,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 1),
        style='pytorch',
    ),
    head=dict(
        type='SIPEHead',
        num_classes=3,
        in_channels=32 * WIDTH,
        side_in_channels=[4 * WIDTH, 8 * WIDTH, 16 * WIDTH, 32 * WIDTH],
        side_channels=[2, 2, 4, 4],
    ),
)


def conv(seed, c_in, c_out, size=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(c_out, c_in, size, size, generator=generator)


def torchvision_resnet50(width=WIDTH):
    """Random weights under torchvision's names, written down independently of the converter."""
    state = {}

    def add_norm(name, channels):
        generator = torch.Generator().manual_seed(len(state))
        for entry in ('weight', 'bias', 'running_mean'):
            state[f'{name}.{entry}'] = torch.randn(channels, generator=generator)
        state[f'{name}.running_var'] = torch.rand(channels, generator=generator) + 0.5
        state[f'{name}.num_batches_tracked'] = torch.tensor(len(state))

    state['conv1.weight'] = conv(0, 3, width, 7)
    add_norm('bn1', width)
    c_in = width
    for layer, blocks in ((1, 3), (2, 4), (3, 6), (4, 3)):
        planes = width * 2 ** (layer - 1)
        for block in range(blocks):
            at = f'layer{layer}.{block}'
            shapes = ((c_in, planes, 1), (planes, planes, 3), (planes, 4 * planes, 1))
            for i, shape in enumerate(shapes, start=1):
                state[f'{at}.conv{i}.weight'] = conv(len(state), *shape)
                add_norm(f'{at}.bn{i}', shape[1])
            if block == 0:
                state[f'{at}.downsample.0.weight'] = conv(len(state), c_in, 4 * planes)
                add_norm(f'{at}.downsample.1', 4 * planes)
            c_in = 4 * planes
    return state


def released(prefix='', aliases=('stage',)):
    resnet = torchvision_resnet50()
    state = {f'resnet50.{name}': value for name, value in resnet.items()}
    stages = {}
    for name, value in resnet.items():
        module, rest = name.split('.', 1)
        if module in ('conv1', 'bn1'):
            stages[f'0.{0 if module == "conv1" else 1}.{rest}'] = value
        else:
            stages[f'{module[-1]}.0.{rest}'] = value
    if 'stage' in aliases:
        state.update({f'stage{name}': value for name, value in stages.items()})
    if 'backbone' in aliases:
        state.update({f'backbone.{name}': value for name, value in stages.items()})
    for i, (c_in, c_out) in enumerate(zip((16, 32, 64, 128), (2, 2, 4, 4)), start=1):
        state[f'side{i}.weight'] = conv(i, c_in, c_out)
    state['classifier.weight'] = conv(9, 128, 3)
    if 'newly_added' in aliases:
        names = ['classifier', 'side1', 'side2', 'side3', 'side4']
        for i, name in enumerate(names):
            state[f'newly_added.{i}.weight'] = state[f'{name}.weight']
    return {prefix + key: value for key, value in state.items()}


def assert_same(got, want):
    assert set(got) == set(want)
    for key in want:
        assert torch.equal(got[key], want[key]), key
        assert got[key].dtype == want[key].dtype, key


@pytest.mark.parametrize('aliases', [('stage',), (), ALIASES])
@pytest.mark.parametrize('prefix', ['', 'net.', 'module.', 'module.net.'])
def test_round_trip_is_exact(prefix, aliases):
    theirs = released(prefix, aliases)
    ours, found = released_sipe_to_mmwsss(theirs)
    assert found == list(aliases)
    assert_same(mmwsss_to_released_sipe(ours, found), released('', aliases))
    again, _ = released_sipe_to_mmwsss(mmwsss_to_released_sipe(ours))
    assert_same(again, ours)


def test_names_by_hand():
    theirs = released()
    ours, _ = released_sipe_to_mmwsss(theirs)
    pairs = {
        'backbone.conv1.weight': 'resnet50.conv1.weight',
        'backbone.bn1.running_var': 'stage0.1.running_var',
        'backbone.layer3.5.bn2.bias': 'stage3.0.5.bn2.bias',
        'backbone.layer1.0.downsample.0.weight': 'resnet50.layer1.0.downsample.0.weight',
        'head.side_convs.0.weight': 'side1.weight',
        'head.side_convs.3.weight': 'side4.weight',
        'head.classifier.weight': 'classifier.weight',
    }
    for key, source in pairs.items():
        assert ours[key] is theirs[source] or torch.equal(ours[key], theirs[source]), key
    assert len(ours) == len(torchvision_resnet50()) + 5


def test_model_loads_strictly_and_writes_back():
    ours, _ = released_sipe_to_mmwsss(released())
    model = MODELS.build(MODEL)
    model.load_state_dict(ours, strict=True)
    assert_same(mmwsss_to_released_sipe(model.state_dict()), released())


def test_only_copies_without_the_original_are_enough():
    theirs = {k: v for k, v in released().items() if not k.startswith('resnet50.')}
    ours, _ = released_sipe_to_mmwsss(theirs)
    assert_same(ours, released_sipe_to_mmwsss(released())[0])


def test_torchvision_and_mmpretrain_weights_load_through_init_cfg(tmp_path):
    weights = {**torchvision_resnet50(), 'fc.weight': torch.zeros(10, 128)}
    torch.save(weights, tmp_path / 'torchvision.pth')
    prefixed = {f'backbone.{key}': value for key, value in torchvision_resnet50().items()}
    prefixed['head.fc.weight'] = torch.zeros(10, 128)
    torch.save(dict(state_dict=prefixed), tmp_path / 'mmpretrain.pth')
    for name, extra in (('torchvision', {}), ('mmpretrain', dict(prefix='backbone.'))):
        checkpoint = str(tmp_path / f'{name}.pth')
        init_cfg = dict(type='Pretrained', checkpoint=checkpoint, **extra)
        backbone = MODELS.build({**MODEL['backbone'], 'init_cfg': init_cfg})
        backbone.init_weights()
        assert_same(backbone.state_dict(), torchvision_resnet50())


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('resnet50.fc.weight', r"left over: 'resnet50\.fc\.weight'"),
        ('stage5.0.weight', r"left over: 'stage5\.0\.weight'"),
        ('side5.weight', r"left over: 'side5\.weight'"),
        ('resnet50.layer4.3.conv1.weight', r"left over: 'layer4\.3\.conv1\.weight'"),
        ('resnet50.layer1.0.conv4.weight', r"left over: 'layer1\.0\.conv4\.weight'"),
    ],
)
def test_leftovers_of_theirs_are_refused(key, message):
    with pytest.raises(ValueError, match=message):
        released_sipe_to_mmwsss({**released(), key: torch.zeros(1)})


@pytest.mark.parametrize(
    'key',
    ['backbone.stem.0.weight', 'head.side_convs.4.weight', 'head.classifier.bias', 'neck.weight'],
)
def test_leftovers_of_ours_are_refused(key):
    ours, _ = released_sipe_to_mmwsss(released())
    with pytest.raises(ValueError, match=f'left over: .*{key}'):
        mmwsss_to_released_sipe({**ours, key: torch.zeros(1)})


@pytest.mark.parametrize('key', ['side2.weight', 'classifier.weight'])
def test_missing_weights_are_named(key):
    theirs = released()
    del theirs[key]
    with pytest.raises(ValueError, match=f"missing: '{key}'"):
        released_sipe_to_mmwsss(theirs)


def test_missing_block_is_named():
    theirs = {k: v for k, v in released().items() if 'layer2.3' not in k and 'stage2.0.3' not in k}
    with pytest.raises(ValueError, match=r"missing: 'layer2\.3\.bn1\.bias'.* and \d+ more"):
        released_sipe_to_mmwsss(theirs)


@pytest.mark.parametrize('key', ['stage1.0.2.conv3.weight', 'stage0.1.bias'])
def test_contradicting_copies_are_refused(key):
    theirs = released()
    theirs[key] = theirs[key] + 1
    with pytest.raises(ValueError, match=f'copies of one weight differ: .*{key}'):
        released_sipe_to_mmwsss(theirs)


def test_contradicting_new_layers_are_refused():
    theirs = released(aliases=ALIASES)
    theirs['newly_added.2.weight'] = theirs['newly_added.2.weight'] + 1
    with pytest.raises(ValueError, match=r"'newly_added\.2\.weight' should be copies"):
        released_sipe_to_mmwsss(theirs)


def test_old_files_without_batch_counters():
    theirs = {k: v for k, v in released().items() if 'num_batches_tracked' not in k}
    ours, _ = released_sipe_to_mmwsss(theirs)
    assert_same(mmwsss_to_released_sipe(ours), theirs)


def test_unknown_alias_is_refused():
    ours, _ = released_sipe_to_mmwsss(released())
    with pytest.raises(ValueError, match=r"aliases must be among .*'stages'"):
        mmwsss_to_released_sipe(ours, ['stages'])


def test_unwrap():
    state = {'a': torch.zeros(1)}
    for content in (state, {'net': state}, {'model': state}, {'meta': {}, 'state_dict': state}):
        assert unwrap_state_dict(content) == state
    with pytest.raises(ValueError, match=r'expected a state dict.*but got list'):
        unwrap_state_dict([1])
    with pytest.raises(ValueError, match=r"expected tensors only.*'epoch'"):
        unwrap_state_dict({**state, 'epoch': 3})

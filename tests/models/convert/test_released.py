"""Names of released SIPE checkpoints: exact round trips, refusals by name, a model that loads."""

from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS

import mmwsss.models.heads.sipe_head  # noqa: F401  registers the head
from mmwsss.models.convert import (
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


def stages_of(resnet, prefixes, inside):
    """The ResNet's weights once more: ``inside`` says in which stage, and where there, a module is."""
    copies = {}
    for name, value in resnet.items():
        module, rest = name.split('.', 1)
        stage, place = inside[module]
        copies[f'{prefixes[stage]}{place}.{rest}'] = value
    return copies


def add_copies(state, resnet, aliases, first, inside):
    names = ('stage', 'backbone') if 'stage5' not in aliases else ('stage5', 'backbone5')
    if names[0] in aliases:
        state.update(stages_of(resnet, [f'stage{first + i}.' for i in range(5)], inside))
    if names[1] in aliases:
        state.update(stages_of(resnet, [f'backbone.{i}.' for i in range(5)], inside))
    return state


FIVE = dict(conv1=(0, 0), bn1=(0, 1), layer1=(1, 0), layer2=(2, 0), layer3=(3, 0), layer4=(4, 0))
FOUR = dict(conv1=(0, 0), bn1=(0, 1), layer1=(0, 4), layer2=(1, 0), layer3=(2, 0), layer4=(3, 0))
COPIES = ('stage', 'backbone', 'newly_added')


def released(prefix='', aliases=('stage',)):
    """SIPE's file; with all copies it has 964 keys."""
    resnet = torchvision_resnet50()
    state = {f'resnet50.{name}': value for name, value in resnet.items()}
    add_copies(state, resnet, aliases, 0, FIVE)
    for i, (c_in, c_out) in enumerate(zip((16, 32, 64, 128), (2, 2, 4, 4)), start=1):
        state[f'side{i}.weight'] = conv(i, c_in, c_out)
    state['classifier.weight'] = conv(9, 128, 3)
    if 'newly_added' in aliases:
        names = ['classifier', 'side1', 'side2', 'side3', 'side4']
        for i, name in enumerate(names):
            state[f'newly_added.{i}.weight'] = state[f'{name}.weight']
    return {prefix + key: value for key, value in state.items()}


def released_cam(aliases=('stage',)):
    """IRN's CAM, of four stages, or of five with the aliases in 5."""
    resnet = torchvision_resnet50()
    state = {f'resnet50.{name}': value for name, value in resnet.items()}
    add_copies(state, resnet, aliases, 1, FIVE if 'stage5' in aliases else FOUR)
    state['classifier.weight'] = conv(9, 128, 3)
    if 'newly_added' in aliases:
        state['newly_added.0.weight'] = state['classifier.weight']
    return state


def released_irnet(aliases=('stage',)):
    """IRNet's file: branches of 4 channels, 2 groups."""
    resnet = torchvision_resnet50()
    state = {f'resnet50.{name}': value for name, value in resnet.items()}
    add_copies(state, resnet, aliases, 1, FIVE)
    branches = {}
    widths = (4, 16, 32, 64, 128)
    for branch, count in (('fc_edge', 5), ('fc_dp', 7)):
        for i, c_in in zip(range(1, count + 1), (*widths, 12, 12)):
            at = f'{branch}{i}'
            branches[f'{at}.0.weight'] = conv(len(branches), c_in, 4)
            for kind in ('weight', 'bias'):
                branches[f'{at}.1.{kind}'] = conv(len(branches), 1, 4).flatten()
    branches['fc_edge6.weight'] = conv(100, 20, 1)
    branches['fc_edge6.bias'] = torch.tensor([0.25])
    branches['fc_dp7.3.weight'] = conv(101, 4, 2)
    branches['fc_dp7.4.running_mean'] = torch.tensor([0.5, -1.5])
    state.update(branches)
    state['mean_shift.running_mean'] = branches['fc_dp7.4.running_mean']
    if 'newly_added' in aliases:
        for name, value in branches.items():
            layer, rest = name.split('.', 1)
            branch, number = layer[3:-1], int(layer[-1])
            state[f'{branch}_layers.{number - 1}.{rest}'] = value
    return state


IRNET = dict(
    type='IRNet',
    backbone=MODEL['backbone'],
    in_channels=(4, 16, 32, 64, 128),
    edge=dict(channels=4, groups=2),
    displacement=dict(channels=(4,) * 5, groups=(2,) * 5, join_channels=4, join_groups=2),
)
CAM = dict(MODEL, head=dict(type='CAMHead', num_classes=3, in_channels=128))


def assert_same(got, want):
    assert set(got) == set(want)
    for key in want:
        assert torch.equal(got[key], want[key]), key
        assert got[key].dtype == want[key].dtype, key


@pytest.mark.parametrize('aliases', [('stage',), (), COPIES])
@pytest.mark.parametrize('prefix', ['', 'net.', 'module.', 'module.net.'])
def test_round_trip_is_exact(prefix, aliases):
    theirs = released(prefix, aliases)
    ours, found = released_sipe_to_mmwsss(theirs)
    assert found == list(aliases)
    assert_same(mmwsss_to_released_sipe(ours, found), released('', aliases))
    again, _ = released_sipe_to_mmwsss(mmwsss_to_released_sipe(ours))
    assert_same(again, ours)


OTHERS = [
    (released_cam, CAM, ('stage',)),
    (released_cam, CAM, ()),
    (released_cam, CAM, COPIES),
    (released_cam, CAM, ('newly_added', 'stage5', 'backbone5')),
    (released_irnet, IRNET, ('stage',)),
    (released_irnet, IRNET, COPIES),
]


@pytest.mark.parametrize(('make', 'config', 'aliases'), OTHERS)
def test_irn_files_there_and_back(make, config, aliases):
    theirs = make(aliases=aliases)
    ours, found = released_sipe_to_mmwsss(theirs)
    assert found == list(aliases)
    model = MODELS.build(config)
    model.load_state_dict(ours, strict=True)
    assert_same(mmwsss_to_released_sipe(model.state_dict(), found), theirs)


def test_whole_files_have_the_released_number_of_keys():
    assert len(released(aliases=COPIES)) == 964
    assert len(released_cam(aliases=COPIES)) == 3 * 318 + 2


def test_tables_of_pixel_pairs_are_no_weights():
    pairs = {f'path_indices{i}': torch.arange(i + 3) for i in range(9)}
    theirs = {**released_irnet(), **pairs, 'disp_target': torch.zeros(1, 2, 4, 1)}
    assert_same(released_sipe_to_mmwsss(theirs)[0], released_sipe_to_mmwsss(released_irnet())[0])


def test_irn_names_by_hand():
    theirs = released_irnet()
    ours, _ = released_sipe_to_mmwsss(theirs)
    pairs = {
        'backbone.layer4.2.conv1.weight': 'stage5.0.2.conv1.weight',
        'edge.stages.0.0.weight': 'fc_edge1.0.weight',
        'edge.stages.4.1.bias': 'fc_edge5.1.bias',
        'edge.predict.bias': 'fc_edge6.bias',
        'displacement.stages.2.1.weight': 'fc_dp3.1.weight',
        'displacement.deep.0.weight': 'fc_dp6.0.weight',
        'displacement.join.1.bias': 'fc_dp7.1.bias',
        'displacement.predict.weight': 'fc_dp7.3.weight',
        'displacement.mean_shift': 'mean_shift.running_mean',
    }
    for key, source in pairs.items():
        assert torch.equal(ours[key], theirs[source]), key
    cam, _ = released_sipe_to_mmwsss(released_cam())
    assert torch.equal(cam['backbone.layer1.2.bn3.bias'], released_cam()['stage1.4.2.bn3.bias'])


@pytest.mark.parametrize(
    ('make', 'extra', 'what'),
    [
        (released_cam, 'resnet50.fc.weight', 'CAM'),
        (released_cam, 'fc_edge9.0.weight', 'CAM'),
        (released_cam, 'stage6.0.0.conv1.weight', 'CAM'),
        (released_irnet, 'classifier.weight', 'IRNet'),
        (released_irnet, 'fc_dp8.0.weight', 'IRNet'),
        (released_irnet, 'path_indices', 'IRNet'),
    ],
)
def test_leftovers_of_irn_are_refused(make, extra, what):
    with pytest.raises(
        ValueError, match=rf"no released {what} .*left over: '{extra}'; missing: none"
    ):
        released_sipe_to_mmwsss({**make(), extra: torch.zeros(1)})


@pytest.mark.parametrize(
    ('make', 'key'), [(released_cam, 'classifier.weight'), (released_irnet, 'fc_dp6.1.bias')]
)
def test_missing_weights_of_irn_are_named(make, key):
    theirs = {name: value for name, value in make().items() if name != key}
    with pytest.raises(ValueError, match=f"left over: none; missing: '{key}'"):
        released_sipe_to_mmwsss(theirs)


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
        ('resnet50.layer4.3.conv1.weight', r"left over: 'resnet50\.layer4\.3\.conv1\.weight'"),
        ('resnet50.layer1.0.conv4.weight', r"left over: 'resnet50\.layer1\.0\.conv4\.weight'"),
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
    with pytest.raises(
        ValueError, match=r"missing: 'resnet50\.layer2\.3\.conv1\.weight'.* and \d+ more"
    ):
        released_sipe_to_mmwsss(theirs)


@pytest.mark.parametrize('key', ['stage1.0.2.conv3.weight', 'stage0.1.bias'])
def test_contradicting_copies_are_refused(key):
    theirs = released()
    theirs[key] = theirs[key] + 1
    with pytest.raises(ValueError, match=f'copies of one weight differ: .*{key}'):
        released_sipe_to_mmwsss(theirs)


def test_contradicting_new_layers_are_refused():
    theirs = released(aliases=COPIES)
    theirs['newly_added.2.weight'] = theirs['newly_added.2.weight'] + 1
    with pytest.raises(
        ValueError, match=r"copies of one weight differ: 'side2\.weight' and 'newly_"
    ):
        released_sipe_to_mmwsss(theirs)


def test_old_files_without_batch_counters():
    theirs = {k: v for k, v in released().items() if 'num_batches_tracked' not in k}
    ours, _ = released_sipe_to_mmwsss(theirs)
    assert_same(mmwsss_to_released_sipe(ours), theirs)


def test_unknown_alias_is_refused():
    ours, _ = released_sipe_to_mmwsss(released())
    with pytest.raises(ValueError, match=r"aliases must be among .*'stages'"):
        mmwsss_to_released_sipe(ours, ['stages'])
    with pytest.raises(ValueError, match=r"'newly_added', 'stage'\], but got \['stage5'\]"):
        mmwsss_to_released_sipe(ours, ['stage', 'stage5'])  # of a CAM


def test_unwrap():
    state = {'a': torch.zeros(1)}
    for content in (state, {'net': state}, {'model': state}, {'meta': {}, 'state_dict': state}):
        assert unwrap_state_dict(content) == state
    with pytest.raises(ValueError, match=r'expected a state dict.*but got list'):
        unwrap_state_dict([1])
    with pytest.raises(ValueError, match=r"expected tensors only.*'epoch'"):
        unwrap_state_dict({**state, 'epoch': 3})

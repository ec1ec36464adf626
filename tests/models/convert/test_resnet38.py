from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmwsss.models.convert import mmwsss_to_public_resnet38, public_resnet38_to_mmwsss
from tests.oracles.wide_resnet38 import layer_shapes

NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
LOCALIZER = dict(
    type='ImageLevelClassifier',
    backbone=dict(type='WideResNet38', width=1 / 32),
    head=dict(type='CAMHead', num_classes=5, in_channels=128),
)


def public(classifier: bool = True, counters: bool = True) -> dict[str, Tensor]:
    """A file of public names; every entry one number, and no two alike."""
    names = []
    for layer, shape in layer_shapes().items():
        names += [f'{layer}.{n}' for n in NORM] if len(shape) == 1 else [f'{layer}.weight']
    if not counters:
        names = [name for name in names if not name.endswith('num_batches_tracked')]
    names += ['fc8.weight'] if classifier else []
    return {name: torch.tensor([float(i)]) for i, name in enumerate(names)}


@pytest.mark.parametrize('classifier', [True, False])
@pytest.mark.parametrize('counters', [True, False])
def test_there_and_back(classifier, counters):
    theirs = public(classifier, counters)
    ours = public_resnet38_to_mmwsss(theirs)
    assert len(ours) == len(theirs)
    back = mmwsss_to_public_resnet38(ours)
    assert list(back) == list(theirs)
    assert all(torch.equal(back[key], value) for key, value in theirs.items())


def test_names_are_those_of_the_localizer():
    with torch.device('meta'):
        model = MODELS.build(LOCALIZER)
    assert set(public_resnet38_to_mmwsss(public())) == set(model.state_dict())


def test_a_converted_localizer_computes_the_same():
    torch.manual_seed(0)
    model = MODELS.build(LOCALIZER).eval()
    other = MODELS.build(LOCALIZER).eval()
    theirs = mmwsss_to_public_resnet38(model.state_dict())
    assert 'b4_5.conv_branch2b1.weight' in theirs
    other.load_state_dict(public_resnet38_to_mmwsss(theirs))
    images = torch.randn(1, 3, 33, 41)
    with torch.no_grad():
        assert torch.equal(model(images), other(images))


def test_wrapped_names_are_unwrapped():
    wrapped = {f'module.{key}': value for key, value in public().items()}
    assert set(public_resnet38_to_mmwsss(wrapped)) == set(public_resnet38_to_mmwsss(public()))


def test_leftovers_and_missing_weights_are_named():
    theirs = public()
    theirs['linear1000.bias'] = theirs.pop('bn7.bias')
    message = r"keys left over: 'linear1000\.bias'; missing: 'bn7\.bias'"
    with pytest.raises(ValueError, match=message):
        public_resnet38_to_mmwsss(theirs)
    ours = public_resnet38_to_mmwsss(public())
    ours['head.side_convs.0.weight'] = torch.zeros(1)
    with pytest.raises(ValueError, match=r"keys left over: 'head\.side_convs\.0\.weight'"):
        mmwsss_to_public_resnet38(ours)


def test_layers_are_left_out_only_by_name():
    theirs = {**public(), 'linear1000.weight': torch.zeros(1), 'linear1000.bias': torch.zeros(1)}
    assert set(public_resnet38_to_mmwsss(theirs, drop=['linear1000'])) == set(
        public_resnet38_to_mmwsss(public())
    )
    with pytest.raises(ValueError, match=r"keys left over: 'linear1000\.weight'"):
        public_resnet38_to_mmwsss(theirs, drop=['fc8'])
    with pytest.raises(ValueError, match=r"drop names 'linear10', but"):
        public_resnet38_to_mmwsss(theirs, drop=['linear10'])

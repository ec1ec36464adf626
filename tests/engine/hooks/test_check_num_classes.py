from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmseg.registry import HOOKS, MODELS
from torch import nn

import mmwsss.models.heads.deeplabv2_head  # noqa: F401
from mmwsss.engine.hooks.check_num_classes import CheckNumClassesHook
from mmwsss.models.heads.base import BaseMapHead

CLASSES = ('background', 'dot', 'bar')


class Maps(BaseMapHead):
    def forward(self, feats):
        return {'cam_logits': feats[-1]}

    def maps(self, outputs, labels):
        return outputs['cam_logits']

    def loss(self, feats, data_samples, image_size):
        return {}


def decode_head(num_classes: int) -> nn.Module:
    return MODELS.build(dict(type='DeepLabV2Head', in_channels=2, num_classes=num_classes))


def runner_with(model: nn.Module, classes=CLASSES, val_classes=None) -> SimpleNamespace:
    def loader(names):
        return SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=names)))

    return SimpleNamespace(
        model=model,
        train_dataloader=loader(classes),
        val_loop=None if val_classes is None else object(),
        val_dataloader=loader(val_classes or classes),
        test_dataloader=loader(classes),
    )


@pytest.mark.parametrize('stage', ['before_train', 'before_val', 'before_test'])
def test_equal_counts_pass_and_others_are_named(stage):
    hook = HOOKS.build(dict(type='CheckNumClassesHook'))
    check = getattr(hook, stage)
    check(runner_with(nn.ModuleDict(dict(decode_head=decode_head(3)))))
    with pytest.raises(
        ValueError,
        match=r'num_classes of decode_head is 4, .* has 3 classes including background: '
        r'background, dot, bar',
    ):
        check(runner_with(nn.ModuleDict(dict(decode_head=decode_head(4)))))


def test_localizer_heads_do_not_count_background():
    hook = CheckNumClassesHook()
    hook.before_train(runner_with(nn.ModuleDict(dict(head=Maps(2, 8)))))
    with pytest.raises(
        ValueError, match=r'num_classes of head is 3, .* has 2 classes without background'
    ):
        hook.before_train(runner_with(nn.ModuleDict(dict(head=Maps(3, 8)))))


def test_auxiliary_heads_are_compared_too():
    model = nn.ModuleDict(
        dict(
            decode_head=decode_head(3),
            auxiliary_head=nn.ModuleList([decode_head(3), decode_head(21)]),
        )
    )
    with pytest.raises(ValueError, match=r'num_classes of auxiliary_head\.1 is 21'):
        CheckNumClassesHook().before_train(runner_with(model))


def test_validation_data_are_checked_before_training():
    runner = runner_with(nn.ModuleDict(dict(decode_head=decode_head(3))), val_classes=('a', 'b'))
    with pytest.raises(ValueError, match=r'the val dataset .* has 2 classes'):
        CheckNumClassesHook().before_train(runner)


def test_a_wrapped_model_is_unwrapped():
    model = nn.DataParallel(nn.ModuleDict(dict(decode_head=decode_head(4))))
    with pytest.raises(ValueError, match='num_classes of decode_head is 4'):
        CheckNumClassesHook().before_train(runner_with(model))


@pytest.mark.parametrize('metainfo', [None, {}, {'classes': None}])
def test_a_dataset_without_class_list_is_left_alone(metainfo):
    runner = runner_with(nn.ModuleDict(dict(decode_head=decode_head(4))))
    runner.train_dataloader.dataset.metainfo = metainfo
    CheckNumClassesHook().before_train(runner)


@pytest.mark.parametrize('options', [{}, dict(background_index=2)])
def test_size_weights_leave_no_class_out_where_there_is_no_background(options):
    loss = dict(type='SizeBalancedCrossEntropyLoss', **options)
    head = MODELS.build(dict(type='DeepLabV2Head', in_channels=2, num_classes=3, loss_decode=loss))
    model = nn.ModuleDict(dict(decode_head=head))
    CheckNumClassesHook().before_train(runner_with(model))
    message = f'leaves class {options.get("background_index", 0)} .* set background_index=None'
    elsewhere = runner_with(model, classes=('soil', 'dot', 'bar'))
    with pytest.raises(ValueError, match=message):
        CheckNumClassesHook().before_train(elsewhere)
    CheckNumClassesHook().before_test(elsewhere)  # without a loss
    for right in (dict(background_index=None), dict(balance_background=True)):
        head.loss_decode.options.update(right)
        CheckNumClassesHook().before_train(elsewhere)
        head.loss_decode.options = {'tau': 5.0}


def test_weights_are_not_touched():
    head = decode_head(3)
    before = [parameter.clone() for parameter in head.parameters()]
    CheckNumClassesHook().before_train(runner_with(nn.ModuleDict(dict(decode_head=head))))
    assert all(torch.equal(a, b) for a, b in zip(before, head.parameters()))

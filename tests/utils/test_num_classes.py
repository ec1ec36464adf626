from __future__ import annotations

import pytest
from mmengine.config import Config

from mmwsss.utils.num_classes import fill_num_classes
from tests.datasets.tiny import make_tiny


def config(dataset, **model):
    return Config(dict(model=model, train_dataloader=dict(dataset=dataset)))


def test_localizers_have_no_background_and_other_heads_do(tmp_path):
    dataset = dict(type='WSSSDataset', classes='classes.txt', data_root=str(make_tiny(tmp_path)))
    cfg = config(
        dict(type='RepeatDataset', times=2, dataset=dataset),
        head=dict(num_classes='auto', depth=3),
        decode_head=dict(num_classes='auto'),
        auxiliary_head=[dict(num_classes='auto'), dict(num_classes=7)],
    )
    fill_num_classes(cfg)
    assert cfg.model.head == dict(num_classes=2, depth=3)
    assert cfg.model.decode_head.num_classes == 3
    assert [head.num_classes for head in cfg.model.auxiliary_head] == [3, 7]


def test_the_classes_of_a_known_dataset_count():
    cfg = config(dict(type='VOC12WSSSDataset'), decode_head=dict(num_classes='auto'))
    fill_num_classes(cfg)
    assert cfg.model.decode_head.num_classes == 21


def test_nothing_is_read_where_nothing_is_asked():
    cfg = config(dict(type='WSSSDataset', classes='nowhere.txt'), head=dict(num_classes=4))
    fill_num_classes(cfg)
    assert cfg.model.head.num_classes == 4


def test_without_classes_it_fails():
    cfg = config(dict(type='WSSSDataset'), head=dict(num_classes='auto'))
    with pytest.raises(
        ValueError, match=r"'auto' \(num_classes, class_texts\) needs a dataset with classes"
    ):
        fill_num_classes(cfg)

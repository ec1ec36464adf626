"""Fixtures for all tests: mmseg's scope, a tiny generated dataset and a tiny localizer on it."""

from __future__ import annotations

import functools
import gc
from unittest import mock

import pytest
import torch
from mmengine.config import Config
from mmengine.utils.dl_utils import collect_env
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules

import mmwsss  # noqa: F401
from demo_data import make_demo_data
from tests.tiny_models import localizer_config, segmenter_config


@pytest.fixture(scope='session', autouse=True)
def mmseg_scope():
    register_all_modules(init_default_scope=True)
    torch.set_num_threads(1)
    # MMEngine collects garbage for each dataset that it builds: 0.4 s over all that imports have made.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def quick_runners():
    """What MMEngine spends seconds on for each runner, for people: the layout of configs, the environment."""
    with (
        mock.patch('yapf.yapflib.yapf_api.FormatCode', lambda text, **kwargs: (text, True)),
        mock.patch('mmengine.runner.runner.collect_env', functools.cache(collect_env)),
    ):
        yield


@pytest.fixture(scope='session')
def demo_root(tmp_path_factory):
    """Generated images of 48 to 64 pixels, 8 for training and 4 for validation. Do not change it."""
    root = tmp_path_factory.mktemp('demo') / 'data'
    make_demo_data(root, train=8, val=4, min_size=48, max_size=64)
    return root


@pytest.fixture
def tiny_cam(demo_root, tmp_path):
    """Config of a tiny CAM localizer on the generated data, and a checkpoint of random weights."""
    return random_model(localizer_config(demo_root), tmp_path / 'cam.pth')


@pytest.fixture
def tiny_segmenter(demo_root, tmp_path):
    """Config of a tiny segmenter of mmseg on the generated data, and a checkpoint of random weights."""
    return random_model(segmenter_config(demo_root), tmp_path / 'segmenter.pth', std=1.0)


def random_model(cfg, checkpoint, std=None):
    cfg = Config(cfg)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    if std is not None:  # labels that vary
        torch.nn.init.normal_(model.decode_head.conv_seg.weight, std=std)
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, checkpoint)
    return cfg, checkpoint

"""Learning rates belong to a global batch, which every config states, and batch-norm does not see ranks."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2] / 'configs'
CPU_SIZE = ('tiny', 'vocmini', '_mini_', 'voc12part')  # sized for one process on a CPU
PATHS = sorted(
    path
    for path in ROOT.rglob('*.py')
    if path.relative_to(ROOT).parts[0] not in ('_base_', 'clip_es', 'pipelines', 'test_sets')
)
NAMES = [str(path.relative_to(ROOT)) for path in PATHS]


def read(path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Config.fromfile(path)


def norms(node):
    """Every ``norm_cfg`` below a node."""
    if isinstance(node, dict):
        if node.get('norm_cfg'):
            yield node['norm_cfg']
        for value in node.values():
            yield from norms(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from norms(value)


def test_there_are_configs():
    assert len(PATHS) > 50


@pytest.mark.parametrize('path', PATHS, ids=NAMES)
def test_rates_belong_to_the_batch_of_the_config(path):
    cfg = read(path)
    steps = cfg.optim_wrapper.get('accumulative_counts', 1)
    assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size * steps
    assert cfg.auto_scale_lr.enable is False


FULL = [path for path in PATHS if not any(word in path.stem for word in CPU_SIZE)]


@pytest.mark.parametrize('path', FULL, ids=[str(path.relative_to(ROOT)) for path in FULL])
def test_batch_norm_is_frozen_or_synchronised(path):
    model = read(path).model
    trained = [cfg for cfg in norms(model) if cfg.type == 'BN' and cfg.get('requires_grad', True)]
    assert not trained
    if model.type == 'ImageLevelClassifier' and 'norm_cfg' not in model.backbone:
        assert model.get('freeze_norm') or 'Transformer' in model.backbone.type

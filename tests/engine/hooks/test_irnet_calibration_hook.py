from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

import mmwsss.engine.hooks.irnet_calibration_hook as module
import mmwsss.models.irnet as irnet
from mmwsss.datasets.seeding import SeededItems
from mmwsss.engine.hooks import IRNetCalibrationHook
from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.tiny_models import CROP, demo_dataset, tiny_irnet
from tests.tools.test_ranks import call

SHIFT = 'displacement.mean_shift'
BY_EPOCH = {
    'train_cfg': {'type': 'EpochBasedTrainLoop', 'max_epochs': 2},
    'default_hooks': {'checkpoint': {'type': 'CheckpointHook', 'interval': 1}},
}
BY_ITERATION = {
    'train_cfg': {'type': 'IterBasedTrainLoop', 'max_iters': 2},
    'default_hooks': {'checkpoint': {'type': 'CheckpointHook', 'interval': 1, 'by_epoch': False}},
}


def runner_cfg(root, work_dir, **kwargs) -> Config:
    """Training of a tiny IRNet on true masks, 4 of 8 images per iteration."""
    pipeline = [
        {'type': 'LoadImage'},
        {'type': 'LoadMask'},
        {'type': 'RandomResizeLongSide', 'min_size': 40, 'max_size': 72},
        {'type': 'RandomFlip', 'prob': 0.5},
        {'type': 'PaddedRandomCrop', 'crop_size': CROP},
        {'type': 'PackWSSSInputs'},
    ]
    infinite = kwargs['train_cfg']['type'] == 'IterBasedTrainLoop'
    cfg = {
        'default_scope': 'mmseg',
        'model': tiny_irnet(),
        'work_dir': str(work_dir),
        'train_dataloader': {
            'batch_size': 4,
            'num_workers': 0,
            'sampler': {'type': 'SeededSampler', 'shuffle': True, 'infinite': infinite},
            'dataset': demo_dataset(root, masks=True, pipeline=pipeline),
        },
        'optim_wrapper': {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.01}},
        'custom_hooks': [{'type': 'IRNetCalibrationHook', 'seed': 3}],
        'randomness': {'seed': 0},
        'log_level': 'WARNING',
    }
    return Config({**cfg, **kwargs})


def mean_by_loop(runner: Runner) -> torch.Tensor:
    """Mean displacement, one image after the other."""
    dataset, model = runner.train_dataloader.dataset, runner.model.eval()
    kept = model.displacement.mean_shift.clone()
    model.displacement.mean_shift.zero_()
    fields = []
    for item in SeededItems(dataset, range(len(dataset)), seed=3):
        batch = {'inputs': [item['inputs']], 'data_samples': [item['data_samples']]}
        with torch.no_grad():
            fields.append(model(**model.data_preprocessor(batch, training=True))[1].flatten(2))
    model.displacement.mean_shift.copy_(kept)
    return torch.cat(fields, dim=2).mean(dim=(0, 2))


@pytest.mark.parametrize('kind', [BY_EPOCH, BY_ITERATION], ids=['epochs', 'iterations'])
def test_only_the_last_checkpoint_holds_the_mean_of_all_images(demo_root, tmp_path, kind):
    runner = Runner.from_cfg(runner_cfg(demo_root, tmp_path, **kind))
    runner.train()
    name = 'epoch' if kind is BY_EPOCH else 'iter'
    first, last = (load_checkpoint_file(tmp_path / f'{name}_{i}.pth')['state_dict'] for i in (1, 2))
    assert first[SHIFT].tolist() == [0, 0]
    assert last[SHIFT].abs().min() > 1e-4
    torch.testing.assert_close(last[SHIFT], mean_by_loop(runner), rtol=1e-3, atol=1e-5)


def test_two_processes_find_the_mean_of_one(demo_root, tmp_path, monkeypatch):
    runner = Runner.from_cfg(runner_cfg(demo_root, tmp_path, **BY_ITERATION))
    monkeypatch.setattr(Runner, 'max_iters', 1)
    hook, totals = IRNetCalibrationHook(), []

    def calibrate(rank: int, world_size: int) -> torch.Tensor:
        monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world_size))
        hook.after_train_iter(runner, 0)
        return runner.model.displacement.mean_shift.clone()

    runner._train_loop = runner.build_train_loop(runner._train_loop)
    alone = calibrate(0, 1)
    monkeypatch.setattr(irnet, 'get_world_size', lambda: 2)
    monkeypatch.setattr(irnet, 'all_reduce', lambda total: totals.append(total.clone()))
    halves = [calibrate(rank, 2) for rank in (0, 1)]
    assert not torch.allclose(*halves, rtol=1e-3)
    both = sum(totals)
    torch.testing.assert_close((both[:2] / both[2]).float(), alone, rtol=1e-5, atol=1e-7)


def test_another_model_is_refused():
    runner = SimpleNamespace(model=nn.Linear(1, 1))
    with pytest.raises(TypeError, match='belongs to an IRNet, but the model is Linear'):
        IRNetCalibrationHook().before_train(runner)


@pytest.mark.slow
def test_two_ranks_train_and_calibrate_like_one(demo_root, tmp_path):
    states = []
    for ranks in (1, 2):
        cfg = runner_cfg(demo_root, tmp_path / f'run{ranks}', **BY_EPOCH)
        cfg.train_dataloader.batch_size = 4 // ranks
        path = tmp_path / f'config{ranks}.py'
        cfg.dump(path)
        call(ranks, 'train.py', path)
        states.append(load_checkpoint_file(tmp_path / f'run{ranks}' / 'epoch_2.pth')['state_dict'])
    assert states[0][SHIFT].abs().min() > 1e-4
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-4, atol=1e-6, msg=key)

"""Training on groups of images: workers and restarts change nothing."""

import pytest
import torch

from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.stages.test_train import config, train


def pair_config(demo_root, work_dir, workers, by_epoch):
    """Two epochs of two iterations, or four iterations, of two groups of three images."""
    cfg = config(demo_root, work_dir)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    loader = cfg.train_dataloader
    loader.dataset = dict(type='PairDataset', group_size=3, dataset=loader.dataset)
    loader.collate_fn = dict(type='flatten_groups')
    loader.batch_size, loader.num_workers, loader.drop_last = 3, workers, True
    if not by_epoch:
        loader.sampler.infinite = True
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=4)
        cfg.param_scheduler = [dict(type='PolyLR', power=0.9, end=4, by_epoch=False)]
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=2, by_epoch=False)
        cfg.log_processor = dict(by_epoch=False)
    return cfg


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_cut_run_with_a_worker_equals_a_whole_one_without(demo_root, tmp_path, by_epoch):
    name = 'epoch_2.pth' if by_epoch else 'iter_4.pth'
    whole = tmp_path / 'whole'
    train(pair_config(demo_root, whole, 0, by_epoch))
    cut = pair_config(demo_root, tmp_path / 'cut', 1, by_epoch)
    with pytest.raises(KeyboardInterrupt):
        train(cut, 'StopHook')
    assert not (tmp_path / 'cut' / name).exists()
    train(cut, resume=True)
    expected = load_checkpoint_file(whole / name)['state_dict']
    found = load_checkpoint_file(tmp_path / 'cut' / name)['state_dict']
    assert all(torch.equal(found[key], value) for key, value in expected.items())

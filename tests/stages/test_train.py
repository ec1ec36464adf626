import copy
import logging
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmseg.registry import HOOKS

from mmwsss.io import RecordError, read_record
from mmwsss.stages.test import run_test
from mmwsss.stages.train import (
    build_runner,
    check_loop,
    default_work_dir,
    enable_amp,
    run_training,
    share_batch,
    training_record,
)
from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.tiny_models import localizer_config

SEEN = []


@HOOKS.register_module()
class LookHook(Hook):
    """Note the classifier's output dtypes and the layout of a weight."""

    def before_train(self, runner):
        weight = runner.model.backbone.layer2[0].conv1.weight
        SEEN.append(weight.is_contiguous(memory_format=torch.channels_last))
        runner.model.head.classifier.register_forward_hook(lambda m, i, o: SEEN.append(o.dtype))


@HOOKS.register_module()
class StopHook(Hook):
    """Cut a run in the middle of its second epoch, as a kill would."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 2:
            raise KeyboardInterrupt


def config(demo_root, work_dir, **kwargs):
    return Config({**localizer_config(demo_root, **kwargs), 'work_dir': str(work_dir)})


def train(cfg, hook=None, **kwargs):
    cfg = copy.deepcopy(cfg)
    cfg.experiment_name = uuid.uuid4().hex  # runs of one name and second share MMEngine's logs
    if hook is not None:
        cfg.custom_hooks = [*cfg.custom_hooks, dict(type=hook)]
    return run_training(cfg, **kwargs)


def weights(folder, epoch=2):
    return load_checkpoint_file(folder / f'epoch_{epoch}.pth')['state_dict']


@pytest.mark.parametrize('workers', [0, 2])
def test_a_cut_and_resumed_run_equals_an_uninterrupted_one(demo_root, tmp_path, workers):
    results = []
    for name in ('whole', 'cut'):
        cfg = config(demo_root, tmp_path / name)
        cfg.train_dataloader.num_workers = workers
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        if name == 'cut':
            with pytest.raises(KeyboardInterrupt):
                train(cfg, 'StopHook')
            assert not (tmp_path / 'cut' / 'epoch_2.pth').exists()
        train(cfg, resume=name == 'cut')
        results.append(weights(tmp_path / name))
    whole, cut = results
    first = weights(tmp_path / 'whole', epoch=1)
    assert any(not torch.equal(first[key], whole[key]) for key in whole)
    for key, value in whole.items():
        assert torch.equal(value, cut[key]), key


def test_a_cut_run_that_began_with_other_weights_goes_on_with_its_own(demo_root, tmp_path):
    def of(name, seed=0):
        cfg = config(demo_root, tmp_path / name)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.randomness.seed = seed
        return cfg

    train(of('first', seed=1))
    results = []
    for name in ('whole', 'cut'):
        cfg = of(name)
        cfg.load_from = str(tmp_path / 'first' / 'epoch_2.pth')
        if name == 'cut':
            with pytest.raises(KeyboardInterrupt):
                train(cfg, 'StopHook')
            (tmp_path / 'cut').rename(tmp_path / 'moved')
            cfg.work_dir = str(tmp_path / 'moved')
        train(cfg, resume=name == 'cut')
        results.append(weights(Path(cfg.work_dir)))
        assert read_record(cfg.work_dir).protocol.initial_weights == 'first/epoch_2.pth'
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])
    cfg = of('late')
    cfg.load_from = str(tmp_path / 'first' / 'epoch_2.pth')
    with pytest.raises(
        ValueError, match=r'nothing is left to train: .*is at iteration 4, and .* at 4;'
    ):
        train(cfg, resume=True)
    cfg.load_from = str(tmp_path / 'first' / 'epoch_1.pth')
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=-1, save_last=False)
    assert train(cfg, resume=True).iter == 4


@pytest.mark.parametrize('infinite', [True, False])
def test_an_iteration_based_run_resumes_exactly(demo_root, tmp_path, monkeypatch, infinite):
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    states = []
    for name in ('whole', 'cut'):
        cfg = config(demo_root, tmp_path / name)
        cfg.train_dataloader.sampler.infinite = infinite
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=5)
        cfg.param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False)]
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=2, by_epoch=False)
        cfg.log_processor = dict(by_epoch=False)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        if name == 'cut':
            with pytest.raises(KeyboardInterrupt):
                train(cfg, 'StopHook')
        train(cfg, resume=name == 'cut')
        content = load_checkpoint_file(tmp_path / name / 'iter_5.pth')
        assert content['param_schedulers'][0]['end'] == 5  # as configs rely on
        states.append(content['state_dict'])
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_same_seed_same_weights_whatever_the_workers(demo_root, tmp_path):
    results = []
    for name, workers, seed in (('a', 0, 0), ('b', 2, 0), ('c', 0, 1)):
        cfg = config(demo_root, tmp_path / name)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.train_dataloader.num_workers = workers
        cfg.randomness.seed = seed
        train(cfg)
        results.append(weights(tmp_path / name)['head.classifier.weight'])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_validation_reports_labels_and_maps(demo_root, tmp_path):
    cfg = config(demo_root, tmp_path / 'run')
    runner = train(cfg)
    test_cfg = copy.deepcopy(cfg)
    test_cfg.test_dataloader, test_cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    test_cfg.test_cfg = dict(type='TestLoop')
    with pytest.raises(RecordError, match="has a record of 'train'"):
        run_test(test_cfg, tmp_path / 'run' / 'epoch_2.pth')
    test_cfg.work_dir = str(tmp_path / 'test')
    scores = run_test(test_cfg, tmp_path / 'run' / 'epoch_2.pth')
    assert 0 < scores['cls/mAP'] <= 100
    best = scores['maps/mIoU_best']
    assert 0 < best <= 100
    assert runner.iter == 4
    labelled, swept = read_record(tmp_path / 'test').scores
    for protocol in (labelled.protocol, swept.protocol):
        assert (protocol.scales, protocol.flip) == (list(test_cfg.model.test_cfg.scales), True)
        assert protocol.trained_on == 'image labels'
    assert labelled.what == 'localizer'
    assert labelled.metrics == {'mAP': pytest.approx(scores['cls/mAP'] / 100)}
    assert not labelled.protocol.image_labels
    assert not labelled.protocol.uses_ground_truth
    assert swept.what == 'maps at best threshold'
    assert swept.metrics == {'mIoU': pytest.approx(best / 100)}
    assert swept.protocol.threshold == scores['maps/best_threshold']
    assert swept.protocol.image_labels
    assert swept.protocol.uses_ground_truth


def test_a_checkpoint_that_does_not_fit_is_refused(demo_root, tmp_path):
    cfg = config(demo_root, tmp_path / 'run')
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.test_cfg = dict(type='TestLoop')
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='torchvision://resnet18')
    torch.save(
        {'state_dict': {'head.classifier.weight': torch.zeros(5, 64, 1, 1)}}, tmp_path / 'c.pth'
    )
    with pytest.raises(ValueError, match=r"c\.pth' does not fit ImageLevelClassifier.*backbone"):
        run_test(cfg, tmp_path / 'c.pth')
    torch.save({'state_dict': {'visual.conv1.weight': torch.zeros(1)}}, tmp_path / 'c.pth')
    with pytest.raises(ValueError, match='converted first: mmwsss weights --help'):
        run_test(cfg, tmp_path / 'c.pth')


@pytest.mark.parametrize(
    ('capability', 'dtype'), [('AVX512', torch.bfloat16), ('AVX2', torch.float32)]
)
def test_bfloat16_and_channels_last_train(demo_root, tmp_path, monkeypatch, capability, dtype):
    monkeypatch.setattr('torch.backends.cpu.get_cpu_capability', lambda: capability)
    cfg = config(demo_root, tmp_path / 'run')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.optim_wrapper.type = 'BFloat16OptimWrapper'
    SEEN.clear()
    train(cfg, 'LookHook')
    assert SEEN[0] is False
    assert set(SEEN[1:]) == {dtype}
    assert weights(tmp_path / 'run')['backbone.conv1.weight'].dtype == torch.float32
    cfg.custom_hooks = [dict(type='ChannelsLastHook')]
    SEEN.clear()
    train(cfg, 'LookHook')
    assert SEEN[0] is True


@pytest.mark.parametrize(
    ('parts', 'wanted'),
    [
        ([{}], 'true masks'),
        ([{}, dict(pseudo_mask_dir='masks')], 'pseudo masks'),
    ],
)
def test_pseudo_masks_are_seen_below_wrappers(demo_root, tmp_path, parts, wanted):
    cfg = config(demo_root, tmp_path)
    plain = cfg.train_dataloader.dataset.to_dict()
    whole = dict(type='WSSSConcatDataset', datasets=[{**plain, **part} for part in parts])
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=whole)
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo={}))
    runner = SimpleNamespace(model=torch.nn.ReLU(), train_dataloader=loader, seed=0)
    assert training_record(cfg, runner, 'scratch').protocol.trained_on == wanted


def test_arguments(tmp_path, monkeypatch):
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    assert default_work_dir(cfg, 'configs/cam/x.py') == 'work_dirs/x'
    assert default_work_dir(Config(dict(work_dir='w')), 'x.py') == 'w'
    assert default_work_dir(Config(dict(work_dir='w')), 'x.py', 'mine') == 'mine'
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match='--amp is for GPUs'):
            enable_amp(cfg)
    monkeypatch.setattr('mmwsss.stages.train.get_device', lambda: 'cuda')
    enable_amp(cfg)
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')
    with pytest.raises(ValueError, match="but got 'BFloat16OptimWrapper'"):
        enable_amp(Config(dict(optim_wrapper=dict(type='BFloat16OptimWrapper'))))
    with pytest.raises(ValueError, match=r"--tta needs \['tta_model', 'tta_pipeline'\]"):
        run_test(cfg, 'x.pth', tta=True)


def test_a_batch_is_shared_among_the_processes(monkeypatch):
    def batch(launcher, **variables):
        for name in ('WORLD_SIZE', 'SLURM_NTASKS'):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        cfg = Config(dict(launcher=launcher, train_dataloader=dict(batch_size=16)))
        share_batch(cfg)
        return cfg.train_dataloader.batch_size

    assert batch('none', SLURM_NTASKS='4') == 16
    assert batch('pytorch', WORLD_SIZE='4') == 4
    assert batch('slurm', SLURM_NTASKS='16', WORLD_SIZE='2') == 1
    with pytest.raises(ValueError, match='3 processes cannot share a batch of 16 images evenly'):
        batch('pytorch', WORLD_SIZE='3')


@pytest.mark.parametrize(('rank', 'files'), [(0, 1), (1, 0)])
def test_only_the_first_process_writes_the_scores(demo_root, tmp_path, monkeypatch, rank, files):
    monkeypatch.setattr('mmwsss.stages.train.get_rank', lambda: rank)
    cfg = config(demo_root, tmp_path / 'run')
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.test_cfg = dict(type='TestLoop')
    runner = build_runner(cfg)
    scores = runner.test()
    assert scores['maps/mIoU_best'] > 0
    found = [file for file in (tmp_path / 'run').rglob('*.json') if 'vis_data' not in file.parts]
    assert len(found) == files


def test_epochs_of_a_sampler_without_end_are_refused(demo_root, tmp_path):
    cfg = config(demo_root, tmp_path)
    cfg.train_dataloader.sampler.infinite = True
    with pytest.raises(ValueError, match=r'whose epochs end, but the SeededSampler .* is infinite'):
        train(cfg)


def test_epochs_without_a_whole_batch_are_refused(demo_root, tmp_path):
    cfg = config(demo_root, tmp_path)
    cfg.train_dataloader.update(batch_size=100, drop_last=True)
    with pytest.raises(
        ValueError,
        match=r'^8 images of an epoch and process fill no batch of 100, which .*drop_last=True',
    ):
        train(cfg)


@pytest.mark.parametrize(
    ('checkpoint', 'together', 'warning'),
    [
        (dict(by_epoch=False, interval=2), 1, 'within epochs'),
        (dict(by_epoch=True, interval=1), 3, 'every 2 iterations, while gradients of 3 are added'),
        (dict(by_epoch=True, interval=1), 2, None),
    ],
)
def test_checkpoints_that_no_run_goes_on_from_exactly_are_warned_of(
    demo_root, tmp_path, monkeypatch, checkpoint, together, warning
):
    cfg = config(demo_root, tmp_path)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', **checkpoint)
    cfg.optim_wrapper.accumulative_counts = together
    runner = build_runner(cfg)
    assert len(runner.train_dataloader) == 2
    said = []
    monkeypatch.setattr(
        'mmwsss.stages.train.print_log', lambda text, level, **kwargs: said.append((text, level))
    )
    check_loop(cfg, runner)
    assert len(said) == (warning is not None)
    assert all(warning in text and level == logging.WARNING for text, level in said)

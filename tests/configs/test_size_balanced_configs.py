"""Every config of configs/size_balanced trains through both tasks, with a small model on tiny images."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmwsss.engine.hooks.ewc_hook import EWCHook, load_fisher_file
from mmwsss.functional.size_weights import size_balanced_cross_entropy
from mmwsss.models.losses import SizeBalancedCrossEntropyLoss
from mmwsss.stages.train import run_training
from mmwsss.utils.checkpoint import load_checkpoint_file
from mmwsss.utils.config import load_config
from tests.configs.rates import rate_ends
from tests.datasets.tiny import make_tiny

FOLDER = Path(__file__).parents[2] / 'configs' / 'size_balanced'
NAMES = sorted(path.stem.removeprefix('size_balanced_') for path in FOLDER.rglob('*.py'))
ONE_RUN = [name for name in NAMES if name.removesuffix('_paper').endswith('_sb')]
CLASSES = {'VOC12WSSSDataset': 21, 'COCO14WSSSDataset': 81}


def config(name: str, **options: object) -> Config:
    (path,) = FOLDER.rglob(f'size_balanced_{name}.py')
    return load_config(path, options)


def ewc(cfg: Config) -> dict | None:
    found = [hook for hook in cfg.get('custom_hooks', []) if hook['type'] == 'EWCHook']
    assert len(found) <= 1
    return found[0] if found else None


def parts(cfg: Config) -> list:
    dataset = cfg.train_dataloader.dataset
    return dataset.get('datasets', [dataset])


def shrunk(cfg: Config, data: Path, work_dir: Path, iters: int = 2) -> Config:
    """The config for a few iterations of a narrow model from scratch on images of at most 16 pixels."""
    backbone, head = cfg.model.backbone, cfg.model.decode_head
    backbone.init_cfg = None
    if backbone.type == 'ResNet':
        backbone.update(depth=18, base_channels=4, stem_channels=4)
        head.in_channels = 32
    elif backbone.type == 'MobileNetV2':
        backbone.update(widen_factor=0.1)
        head.in_channels = 32
    elif backbone.type == 'EfficientNetLite':
        backbone.variant, head.in_channels = 0, 320
    else:
        backbone.update(embed_dims=4, num_layers=[1] * 4, num_heads=[1, 1, 2, 2])
        head.update(in_channels=[4, 4, 8, 8], channels=8, norm_cfg=dict(type='BN'))
    cfg.model.data_preprocessor.size = (33, 33)
    loader = cfg.train_dataloader
    loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    for dataset in parts(cfg):
        dataset.update(data_root=str(data), ann_file='lists/some.txt', expected_count=0)
        dataset.data_prefix = dict(img_path='images', seg_map_path='masks')
    for step in (step for dataset in parts(cfg) for step in dataset.pipeline):
        step.update({'RandomResize': dict(scale=(32, 32)), 'RandomCrop': dict(crop_size=(32, 32))}
                    .get(step.type, {}))  # fmt: skip
    hook = ewc(cfg)
    if hook is not None:
        hook.update(num_workers=0, task_b_begin=min(hook['task_b_begin'], 1))
    cfg.train_cfg.max_iters = iters
    cfg.update(work_dir=str(work_dir), val_cfg=None, val_dataloader=None, val_evaluator=None)
    cfg.default_hooks.pop('check_initial_weights')
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='LossNames')]
    return cfg


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / 'data'
    root.mkdir()
    make_tiny(root)
    (root / 'lists' / 'some.txt').write_text('first\nthird\n')
    return root


@HOOKS.register_module()
class LossNames(Hook):
    """Keeps the names of the losses of each iteration, whatever the scale of their logits."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        names = [re.sub(r'(?<=decode)_(x[\d.]+|max)(?=\.)', '', name) for name in outputs]
        self.seen.append({name for name in names if 'loss_' in name})


def loss_names(runner: Runner) -> list[set[str]]:
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, LossNames))
    return hook.seen


def last_checkpoint(runner: Runner) -> dict:
    return load_checkpoint_file(Path(runner.work_dir) / f'iter_{runner.iter}.pth')


def test_there_are_configs():
    assert len(ONE_RUN) >= 4
    assert {'r101_voc_sw', 'r101_voc_taska', 'r101_voc_taskb', 'r101_coco14_sb'} < set(NAMES)


@pytest.mark.parametrize('name', [n for n in NAMES if '_task' not in n])
def test_each_config_trains_two_iterations_with_its_losses(name, data, tmp_path):
    runner = run_training(shrunk(config(name), data, tmp_path / 'work'))
    expected = {
        'ce': [{'decode.loss_ce'}] * 2,
        'sw': [{'decode.loss_sw'}] * 2,
        'sb': [{'decode.loss_ce'}, {'decode.loss_sw', 'loss_ewc'}],
    }
    assert loss_names(runner) == expected[name.removesuffix('_paper').rpartition('_')[2]]
    assert ('ewc' in last_checkpoint(runner)) == (name in ONE_RUN)


def test_task_b_starts_from_the_files_that_task_a_leaves(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    second = config('r101_voc_taskb')
    first = shrunk(config('r101_voc_taska'), data, Path(second.load_from).parent)
    assert Path(second.fisher_file).parent == Path(second.load_from).parent
    ewc(first)['task_b_begin'] = 2
    weights = run_training(first).model.state_dict()
    stored = load_fisher_file(second.fisher_file)
    torch.testing.assert_close(stored['anchors']['decode_head.convs.0.bias'],
                               weights['decode_head.convs.0.bias'])  # fmt: skip
    load_from = str(Path(second.load_from).with_name('iter_2.pth'))
    second = config('r101_voc_taskb', load_from=load_from, ewc_strength=3.0)
    runner = run_training(shrunk(second, data, tmp_path / 'b'))
    assert loss_names(runner) == [{'decode.loss_sw', 'loss_ewc'}] * 2
    anchors = last_checkpoint(runner)['ewc']['anchors']
    assert all(torch.equal(anchors[key], value) for key, value in stored['anchors'].items())


@pytest.mark.parametrize('name', NAMES)
def test_head_dataset_and_scores_fit_together(name):
    cfg = config(name)
    dataset = cfg.test_dataloader.dataset.type
    assert cfg.model.decode_head.num_classes == CLASSES[dataset]
    assert {part.type for part in parts(cfg)} == {dataset}
    assert [metric.type for metric in cfg.test_evaluator] == ['MeanIoUMetric', 'IAmIoUMetric']
    assert cfg.max_iters == cfg.train_cfg.max_iters
    assert rate_ends(cfg)[-1] == cfg.max_iters * (2 if name.endswith('taska') else 1)


def test_two_runs_have_the_rates_of_one():
    def rates(name):
        cfg = config(name)
        (decay,), (end,) = cfg.param_scheduler, rate_ends(cfg)
        part = np.arange(0, cfg.max_iters, 1000) / end
        return cfg.optim_wrapper.optimizer.lr * (1 - part) ** decay.power

    two = np.concatenate([rates('r101_voc_taska'), rates('r101_voc_taskb')])
    np.testing.assert_allclose(two, rates('r101_voc_sb'))


def test_size_weights_alone_differ_from_the_released_recipe_in_the_loss_only():
    one, other = config('r101_voc_sb'), config('r101_voc_sw')
    assert sw_options(other) == sw_options(one)
    assert ewc(other) is None
    other.model.decode_head.loss_decode = one.model.decode_head.loss_decode
    for key in ('custom_hooks', 'ewc_strength'):
        one.pop(key), other.pop(key)
    assert other.to_dict() == one.to_dict()


@pytest.mark.parametrize('name', ONE_RUN)
def test_both_tasks_of_one_run_take_half_of_the_iterations(name):
    cfg = config(name)
    assert ewc(cfg)['task_b_begin'] * 2 == cfg.max_iters
    assert ewc(cfg)['task_b_begin'] % cfg.default_hooks.checkpoint.interval == 0


def test_rows_of_the_comparison_differ_only_in_the_loss():
    rows = {row: config(f'mobilenetv2_mini_{row}') for row in ('ce', 'sw', 'sb')}
    for row, cfg in rows.items():
        cfg.model.decode_head.pop('loss_decode')
        for key in ('tau', 'total', 'ewc_strength', 'custom_hooks'):
            cfg.pop(key, None)
        assert cfg.to_dict() == rows['ce'].to_dict(), row


def sw_options(cfg: Config) -> dict:
    """The size-balanced loss of a config, wherever it stands."""
    hook = ewc(cfg) or {}
    return (hook.get('task_b_loss') or {}).get('decode_head') or cfg.model.decode_head.loss_decode


def test_full_size_recipes_are_as_released_and_the_ablation_as_written():
    released = dict(tau=5.0, total='image', normalize='weights')
    for name in ('r101_voc_sb', 'r101_voc_taskb', 'r101_coco14_sb', 'segformer-b2_voc_sb'):
        cfg = config(name)
        assert {key: sw_options(cfg)[key] for key in released} == released, name
        assert ewc(cfg)['strength'] == EWCHook().strength == 500
    cfg = config('r101_voc_sb')
    assert (cfg.max_iters, ewc(cfg)['task_b_begin']) == (30_000, 15_000)
    assert (cfg.model.type, list(cfg.model.scales)) == ('MSCEncoderDecoder', [0.5, 0.75])
    assert cfg.initial_weights == 'coco'
    assert cfg.model.backbone.init_cfg.checkpoint == cfg.pretrained
    paper = config('r101_voc_sb_paper')
    loss = SizeBalancedCrossEntropyLoss(
        **{k: v for k, v in sw_options(paper).items() if k != 'type'}
    )
    defaults = inspect.signature(size_balanced_cross_entropy).parameters
    written = {key: defaults[key].default for key in ('total', 'normalize')}
    assert loss.options == {**SizeBalancedCrossEntropyLoss().options, **written}
    for key in ('total', 'normalize', 'custom_hooks'):
        cfg.pop(key), paper.pop(key)
    assert paper.to_dict() == cfg.to_dict()


def test_options_reach_the_loss_and_the_hook():
    options = dict(tau=3.0, total='class', normalize='pixels')
    cfg = config('r101_voc_taskb', ewc_strength=5.0, fisher_file='f.pth', **options)
    hook = ewc(cfg)
    assert (hook['strength'], hook['fisher_file']) == (5.0, 'f.pth')
    assert {key: sw_options(cfg)[key] for key in options} == options

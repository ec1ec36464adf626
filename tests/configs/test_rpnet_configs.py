"""RPNet's configs: they build, fit their backbones, differ as their names say, and train."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import FUNCTIONS
from mmseg.registry import MODELS

from demo_data import make_demo_data
from mmwsss.stages.train import build_runner
from mmwsss.utils.config import load_config
from tests.configs.documented import documented_options
from tests.configs.rates import rate_ends

FOLDER = Path(__file__).parents[2] / 'configs'
NAMES = sorted(path.stem for path in (FOLDER / 'rpnet').rglob('*.py'))


def config(name: str, method: str = 'rpnet', **options: object) -> Config:
    (path,) = (FOLDER / method).rglob(f'{name}.py')
    return load_config(path, options)


def images_seen(cfg: Config, group_size: int) -> int:
    return cfg.train_cfg.max_iters * cfg.train_dataloader.batch_size * group_size


def test_a_newcomer_sees_few_recipes():
    assert 4 <= len(list((FOLDER / 'rpnet').glob('*.py'))) <= 7


@pytest.mark.parametrize('name', NAMES)
def test_builds_and_fits_its_backbone(name):
    cfg = config(name)
    with torch.device('meta'):
        cfg.model.backbone.init_cfg = None
        backbone, head = MODELS.build(cfg.model.backbone), MODELS.build(cfg.model.head)
        feats = backbone(torch.zeros(2, 3, 64, 64))
    assert feats[head.in_index].shape[1] == head.in_channels
    for index in head.block_indices:
        assert head.projections[str(index)].weight.shape[1] == feats[index].shape[1]
    assert feats[head.in_index].shape[2] == feats[-2].shape[2]  # the last stage has stride 1
    loader = cfg.train_dataloader
    assert loader.dataset.type == 'PairDataset'
    assert loader.sampler == dict(type='SeededSampler', shuffle=True, infinite=True)
    assert FUNCTIONS.get(loader.collate_fn.type)
    assert head.group_size is None  # the samples say it: one number to change


def test_paper_rows_have_the_papers_settings():
    default = MODELS.build(dict(type='RPNetHead', num_classes=20))
    names = ['detach', 'confidence_peak', 'confidence_threshold', 'loss_weights', 'drop_prob']
    for name in ('rpnet_mobilenetv2_vocmini_paper', 'rpnet_r50_voc_paper'):
        row = MODELS.build(config(name).model.head)
        assert row.loss_scales == ()
        for key in (*names, 'matching'):
            assert getattr(row, key) == getattr(default, key)


@pytest.mark.parametrize('name', ['rpnet_r50_voc', 'rpnet_r50_coco14'])
def test_recipe_is_the_released_one(name):
    cfg = config(name)
    assert 'clip_grad' not in cfg.optim_wrapper
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys == {'head.': dict(lr_mult=10.0)}
    optimizer = dict(type='SGD', lr=0.02, momentum=1e-4, weight_decay=1e-4)
    assert cfg.optim_wrapper.optimizer == optimizer
    for head in (cfg.model.head, config('rpnet_mobilenetv2_vocmini_released').model.head):
        built = MODELS.build(head)
        assert built.loss_scales == (0.5, 1.5, 2.0)
        assert built.loss_weights['cls_enhanced'] == 0
        assert (built.matching, built.projection_peak, built.detach) == (
            'same_block',
            'channel',
            False,
        )


def test_documented_group_sizes_have_the_same_budget():
    base = config('rpnet_r50_voc')
    groups = [o for o in documented_options('rpnet') if 'train_dataloader.dataset.group_size' in o]
    assert len(groups) == 2
    for options in groups:
        cfg = config('rpnet_r50_voc', **options)
        g = cfg.train_dataloader.dataset.group_size
        assert images_seen(cfg, g) == pytest.approx(images_seen(base, 2), rel=1e-3)
        assert rate_ends(cfg) == [cfg.train_cfg.max_iters]
        assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size


@pytest.mark.parametrize(
    ('name', 'other', 'images'),
    [
        ('rpnet_mobilenetv2_vocmini', 'cam_mobilenetv2_vocmini', 149),
        ('rpnet_r50_voc', 'cam_r50_voc', 10582),
        ('rpnet_r50_coco14', 'cam_r50_coco14', 82081),
    ],
)
def test_budget_equals_that_of_cam(name, other, images):
    cam = config(other, 'cam')
    iterations = images // cam.train_dataloader.batch_size * cam.train_cfg.max_epochs
    cfg = config(name)
    assert cfg.train_cfg.max_iters == iterations
    assert images_seen(cfg, 2) == iterations * cam.train_dataloader.batch_size
    assert rate_ends(cfg) == [iterations]
    wrapped = cfg.train_dataloader.dataset.dataset
    assert wrapped == cam.train_dataloader.dataset
    for key in ('map_dataset', 'val_dataloader', 'test_dataloader'):
        assert cfg[key] == cam[key]
    assert cfg.model.backbone == cam.model.backbone
    assert cfg.model.test_cfg == cam.model.test_cfg


def test_voc_mini_shares_the_optimiser_of_cam():
    cfg, cam = config('rpnet_mobilenetv2_vocmini'), config('cam_mobilenetv2_vocmini', 'cam')
    assert cfg.optim_wrapper == cam.optim_wrapper
    assert cfg.custom_hooks == cam.custom_hooks


@pytest.mark.parametrize('g', [1, 3])
def test_tiny_config_trains(g, tmp_path):
    make_demo_data(tmp_path / 'data', train=8, val=2, min_size=48, max_size=64)
    cfg = config('rpnet_tiny_demo', data_root=str(tmp_path / 'data'))
    cfg.merge_from_dict(
        {
            'work_dir': str(tmp_path / 'work'),
            'train_cfg.max_iters': 2,
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.dataset.group_size': g,
            'val_cfg': None,
            'val_dataloader': None,
            'val_evaluator': None,
            'default_hooks.logger.interval': 1,
            'log_level': 'WARNING',
        }
    )
    runner = build_runner(cfg)
    before = runner.model.head.projections['1'].weight.detach().clone()
    runner.train()
    log = runner.message_hub.log_scalars
    for term in ('loss_cls', 'loss_cls_enhanced', 'loss_consistency'):
        assert log[f'train/{term}'].current() > 0
    assert not torch.equal(runner.model.head.projections['1'].weight, before)

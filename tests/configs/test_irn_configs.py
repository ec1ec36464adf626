"""The IRNet configs build, and lead from class maps to labels, a trained network and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import PixelData
from mmseg.registry import DATASETS, MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmwsss.io import (
    ClassMaps,
    load_mask,
    make_record,
    read_id_list,
    read_lines,
    read_record,
    save_class_maps,
    write_record,
)
from mmwsss.refine import RefinerChain
from mmwsss.stages.masks import make_masks
from mmwsss.stages.train import run_training
from mmwsss.utils.checkpoint import load_checkpoint_file
from mmwsss.utils.config import load_config
from tests.configs.rates import rate_ends

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / 'configs' / 'irn').rglob('*.py'))
TRAINED = [
    'irn_lite2_voc12part',
    'irn_mobilenetv2_vocmini',
    'irn_r50_voc',
    'irn_r50_coco14',
    'irn_tiny_demo',
]
RELEASED = 'irn_r50_voc'


def config(name: str, **options: object) -> Config:
    (path,) = (ROOT / 'configs' / 'irn').rglob(f'{name}.py')
    return load_config(path, options)


def build(cfg: Config) -> nn.Module:
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def parent(name: str) -> str:
    return max((t for t in TRAINED if name.startswith(t)), key=len)


@pytest.mark.parametrize('name', NAMES)
def test_variants_differ_from_the_trained_config_in_their_masks_only(name):
    cfg, base = config(name), config(parent(name))
    for key in set(base) - {'mask_cfg'}:
        assert cfg[key] == base[key], key
    first, *rest = cfg.mask_cfg.refiners
    assert [r.type for r in rest] == (['DenseCRF'] if name.endswith('_crf') else [])
    if name.endswith('_labels'):
        assert first.type == 'ConfidentLabels'
    else:
        assert first.type == 'RandomWalk'
        assert (ROOT / first.config).samefile(ROOT / 'configs' / 'irn' / f'{parent(name)}.py')
        folder, file = Path(first.checkpoint).parts[-2:]
        assert folder == parent(name)
        loop = base.train_cfg
        assert file in (f'epoch_{loop.get("max_epochs")}.pth', f'iter_{loop.get("max_iters")}.pth')
    assert RefinerChain(cfg.mask_cfg.refiners).needs_image


@pytest.mark.parametrize('name', TRAINED)
def test_a_model_learns_from_a_batch_on_a_grid_of_stride_4(name):
    cfg = config(name)
    cfg.model.radius = 2
    model = build(cfg).train()
    labels = torch.zeros(1, 64, 96, dtype=torch.uint8)
    labels[:, 20:40, 30:60] = 3
    sample = SegDataSample(gt_sem_seg=PixelData(data=labels))
    inputs = torch.randn(2, 3, 64, 96)
    assert model(inputs)[0].shape == (2, 1, 16, 24)
    sum(model(inputs, [sample, sample], mode='loss').values()).backward()
    without = {n for n, p in model.named_parameters() if p.grad is None}
    assert without == {n for n, _ in model.named_parameters() if n.startswith('backbone.')}


@pytest.mark.parametrize('name', TRAINED)
def test_crops_are_what_the_preprocessor_expects_and_the_rate_falls_to_the_end(name):
    cfg = config(name)
    (crop,) = [step.crop_size for step in cfg.train_pipeline if 'crop_size' in step]
    assert crop == cfg.model.data_preprocessor['size'] == cfg.model.test_size
    assert cfg.model.data_preprocessor.seg_pad_val == 255
    loop = cfg.train_cfg
    assert rate_ends(cfg) == [loop.get('max_epochs', loop.get('max_iters'))]
    assert cfg.train_dataloader.dataset.labels is None
    assert cfg.train_dataloader.dataset.pseudo_mask_dir == cfg.pseudo_mask_dir
    assert cfg.train_dataloader.dataset.ann_file == cfg.map_dataset.ann_file
    assert 'IRNetCalibrationHook' in [hook.type for hook in cfg.custom_hooks]


def test_released_recipe():
    cfg = config(RELEASED)
    assert cfg.model.backbone.depth == 50
    assert cfg.model.backbone.strides == (1, 2, 2, 1)
    assert (cfg.model.radius, cfg.model.stem) == (10, 'maxpool')
    assert cfg.model.data_preprocessor['size'] == (512, 512)
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (3, 32)
    assert cfg.train_dataloader.drop_last
    model = build(cfg)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    rates = {id(p): group for group in groups for p in group['params']}
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad != name.startswith('backbone.')
        if parameter.requires_grad:
            group = rates.pop(id(parameter))
            wanted = {'edge': 0.1, 'displacement': 1.0}[name.split('.')[0]]
            assert group['lr'] == pytest.approx(wanted), name
            assert group['momentum'] == group['weight_decay'] == pytest.approx(1e-4)
    assert not rates


def test_options_reach_the_dataset_and_the_walk():
    cfg = config(
        RELEASED,
        pseudo_mask_dir='labels',
        **{'mask_cfg.refiners.0.checkpoint': 'a.pth', 'mask_cfg.refiners.0.beta': 8},
    )
    assert cfg.train_dataloader.dataset.pseudo_mask_dir == 'labels'
    assert cfg.mask_cfg.refiners[0].checkpoint == 'a.pth'
    assert RefinerChain(cfg.mask_cfg.refiners).refiners[0].walk['beta'] == 8


def test_training_without_labels_names_their_folder(demo_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = config('irn_tiny_demo', data_root=str(demo_root))
    with pytest.raises(FileNotFoundError, match='work_dirs/irn_tiny_demo_labels'):
        DATASETS.build(cfg.train_dataloader.dataset)


@pytest.fixture
def maps(demo_root, tmp_path) -> Path:
    """Class maps with a background that are unsure near the borders of the true masks."""
    folder, ids = tmp_path / 'maps', read_id_list(demo_root / 'ImageSets/Segmentation/train.txt')
    for name in ids:
        mask = load_mask(demo_root / 'SegmentationClass' / f'{name}.png')
        keys = [int(i) for i in np.unique(mask) if i < 255]
        scores = np.stack([0.4 + 0.5 * (mask == key) for key in keys])
        coarse = ClassMaps(keys, scores[:, ::4, ::4], mask.shape)
        save_class_maps(folder / f'{name}.npz', coarse)
    classes = ['background', *read_lines(demo_root / 'classes.txt')]
    write_record(folder, make_record('maps', classes, 'train', ids))
    return folder


@pytest.mark.parametrize('variant', ['threshold-free', 'thresholded'])
def test_from_maps_to_labels_to_a_network_to_masks(demo_root, tmp_path, maps, variant):
    thresholded = variant == 'thresholded'
    root = {'data_root': str(demo_root)}
    bounds = {'mask_cfg.refiners.0.fg_threshold': 0.6, 'mask_cfg.refiners.0.bg_threshold': 0.5}
    cfg = config('irn_tiny_demo_labels', **root, **(bounds if thresholded else {}))
    assert make_masks(cfg, maps, tmp_path / 'labels').exit_code == 0
    labels = [load_mask(path) for path in sorted((tmp_path / 'labels').glob('*.png'))]
    found = np.bincount(np.concatenate([label.ravel() for label in labels]), minlength=256)
    assert min(found[0], found[1:6].sum(), found[255]) > 0
    assert found[6:255].sum() == 0

    cfg = config('irn_tiny_demo', **root, pseudo_mask_dir=str(tmp_path / 'labels'))
    cfg.work_dir = str(tmp_path / 'run')
    cfg.model.backbone.init_cfg = None
    cfg.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
    cfg.train_cfg.max_iters = cfg.default_hooks.checkpoint.interval = 2
    run_training(cfg)
    checkpoint = tmp_path / 'run' / 'iter_2.pth'
    assert load_checkpoint_file(checkpoint)['state_dict']['displacement.mean_shift'].any()

    options = {
        'mask_cfg.refiners.0.config': str(ROOT / 'configs' / 'irn' / 'irn_tiny_demo.py'),
        'mask_cfg.refiners.0.checkpoint': str(checkpoint),
        'mask_cfg.refiners.0.exp_times': 2,  # untrained edges hold nothing back
    }
    if thresholded:
        options['mask_cfg.refiners.0.background_threshold'] = 0.6
    cfg = config('irn_tiny_demo', **root, **options)
    assert make_masks(cfg, maps, tmp_path / 'masks', workers=2).exit_code == 0
    files = sorted((tmp_path / 'masks').glob('*.png'))
    true = np.concatenate(
        [load_mask(demo_root / 'SegmentationClass' / f.name) for f in files], None
    )
    mask = np.concatenate([load_mask(f) for f in files], None)
    assert (mask[true < 255] == true[true < 255]).mean() > 0.8
    assert set(np.unique(mask)) <= set(np.unique(true[true < 255]))
    inputs = read_record(tmp_path / 'masks').inputs
    assert [key.split()[-1] for key in inputs] == [
        'maps',
        'irn_tiny_demo.py',
        'iter_2.pth',
    ]

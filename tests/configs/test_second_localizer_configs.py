"""ReCAM and AMN differ from the CAM that they start from in what they say; SEAM and MCTformer+ fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS

from mmwsss.refine import ConfidentLabels, RefinerChain
from mmwsss.utils.config import load_config
from tests.configs.rates import rate_ends

CONFIGS = Path(__file__).parents[2] / 'configs'
RECIPES = ('r50_voc', 'r50_coco14', 'lite2_voc12part', 'tiny_demo')


def pair(method, recipe):
    return (load_config(CONFIGS / f'{name}/{name}_{recipe}.py') for name in (method, 'cam'))


@pytest.mark.parametrize('recipe', RECIPES)
def test_recam_goes_on_from_cam(recipe):
    cfg, cam = pair('recam', recipe)
    loop = cam.train_cfg
    last = f'iter_{loop.max_iters}' if 'max_iters' in loop else f'epoch_{loop.max_epochs}'
    assert cfg.load_from == f'work_dirs/cam_{recipe}/{last}.pth'
    assert cfg.model.backbone.get('init_cfg') is None
    own = {'type': 'ReCAMHead'} | ({'product': 'positive'} if 'lite2' in recipe else {})
    assert cfg.model.head == {**cam.model.head, **own}
    assert cfg.map_dataset == cam.map_dataset
    assert rate_ends(cfg)[-1] == cfg.train_cfg.get('max_epochs', loop.get('max_iters'))


def test_rates_of_recam():
    cfg, _ = pair('recam', 'r50_voc')
    cfg.model.backbone.update(depth=18, base_channels=2, stem_channels=2)
    cfg.model.head.in_channels = 16
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    rates = {id(p): group['lr'] for group in groups for p in group['params']}
    found = {name: rates.get(id(p)) for name, p in model.named_parameters()}
    assert found.pop('head.reclassifier.weight') == pytest.approx(5e-4)
    assert {rate for rate in found.values() if rate} == {5e-5}


@pytest.mark.parametrize('recipe', RECIPES)
def test_amn_is_trained_on_confident_labels_of_the_same_images(recipe):
    cfg, cam = pair('amn', recipe)
    dataset = cfg.train_dataloader.dataset
    assert dataset.pseudo_mask_dir == f'work_dirs/amn_{recipe}_labels'
    other = {**cam.train_dataloader.dataset, 'pipeline': dataset.pipeline}
    assert {**dataset, 'pseudo_mask_dir': None} == {**other, 'pseudo_mask_dir': None}
    steps = [step for step in dataset.pipeline if step.type != 'LoadMask']
    assert steps == cam.train_dataloader.dataset.pipeline
    assert cfg.model.head.num_classes == cam.model.head.num_classes
    assert cfg.model.head.in_channels == cam.model.head.in_channels
    assert cfg.model.data_preprocessor == {**cam.model.data_preprocessor, 'seg_pad_val': 255}
    thresholds = {
        'mask_cfg.refiners.0.fg_threshold': 0.30,
        'mask_cfg.refiners.0.bg_threshold': 0.05,
    }
    labels = load_config(CONFIGS / f'irn/irn_{recipe}_labels.py', thresholds)
    (refiner,) = RefinerChain(labels.mask_cfg.refiners).refiners
    assert isinstance(refiner, ConfidentLabels)
    assert refiner.thresholds == (0.30, 0.05)
    assert labels.map_dataset == cam.map_dataset


@pytest.mark.parametrize('recipe', ['r38_voc', *RECIPES])
def test_seams_head_fits_the_backbone(recipe):
    cfg, cam = pair('seam', recipe)
    assert cfg.model.backbone == cam.model.backbone
    chosen = dict(refiners=[dict(type='BackgroundThreshold', threshold='chosen')])
    assert cfg.mask_cfg == (cam.mask_cfg if recipe == 'tiny_demo' else chosen)
    with torch.device('meta'):
        model = MODELS.build({**cfg.model, 'backbone': {**cfg.model.backbone, 'init_cfg': None}})
    model = model.to('meta').eval()
    feats = model.extract_feat(torch.zeros(1, 3, 64, 64, device='meta'))
    logits, _ = model.head.logits_and_correlated(feats)
    assert logits.shape[1] == cam.model.head.num_classes
    sides = model.head.side_convs
    assert model.head.correlation.in_channels == 3 + sum(conv.out_channels for conv in sides)


@pytest.mark.parametrize('recipe', ['deit-s_voc', 'deit-s_coco14', 'tiny_demo'])
def test_mctformers_classes_grid_and_maps(recipe):
    cfg = load_config(CONFIGS / f'mctformer/mctformer_{recipe}.py')
    cam = load_config(CONFIGS / f'cam/cam_{recipe.replace("deit-s", "r50")}.py')
    model = MODELS.build({**cfg.model, 'backbone': {**cfg.model.backbone, 'init_cfg': None}})
    model = model.to('meta').eval()
    crop = cfg.train_dataloader.dataset.pipeline[3].crop_size
    assert model.backbone.img_size == model.data_preprocessor.size == crop
    outputs = model.head(model.extract_feat(torch.zeros(1, 3, 64, 64, device='meta')))
    assert outputs['cam'].shape[1] == cam.model.head.num_classes
    assert cfg.map_dataset == cam.map_dataset


def test_mctformers_published_recipe():
    cfg = load_config(CONFIGS / 'mctformer/mctformer_deit-s_voc.py')
    assert cfg.train_dataloader.dataset.pipeline[3].crop_size == (448, 448)
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (45, 32)
    assert cfg.model.test_cfg.scales == (1.0, 0.75, 1.25)
    assert cfg.model.test_cfg.flip
    model = MODELS.build({**cfg.model, 'backbone': {**cfg.model.backbone, 'init_cfg': None}})
    groups = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    assert {group['lr'] for group in groups} == {5e-4 * 32 / 512}
    names = {id(p): name for name, p in model.named_parameters()}
    free = [names[id(p)] for g in groups if g['weight_decay'] == 0 for p in g['params']]
    assert not any(p.ndim == 1 for g in groups if g['weight_decay'] for p in g['params'])
    rest = [name for name in free if not name.endswith(('cls_token', 'pos_embed', 'bias'))]
    assert all('.ln' in name for name in rest)
    assert len(rest) == 2 * 12

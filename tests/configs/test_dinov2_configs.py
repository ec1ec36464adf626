"""The configs on DINOv2: full size by their shapes, what is trained and at which rates."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS

from mmwsss.utils.config import load_config

CONFIGS = Path(__file__).parents[2] / 'configs' / 'dinov2'
# Outputs of the head, thousands of weights in it, its rate and weight decay.
RECIPES = {
    'cam_dinov2-s_voc': (20, 7.7, 6e-4, 0.01),
    'cam_dinov2-s_coco14': (80, 30.7, 6e-4, 0.01),
    'sipe_dinov2-s_voc': (20, 302.6, 6e-4, 0.01),
    'linear_dinov2-s_voc_pseudo': (21, 8.1, 1e-3, 1e-4),
    'segformer_dinov2-s_voc_pseudo': (21, 663.3, 6e-4, 0.01),
}
PARTS = ('cls_token', 'pos_embed', 'register_tokens', '.ln', 'gamma')


def model_of(name, **options):
    cfg = load_config(CONFIGS / f'{name}.py', options)
    assert cfg.model.backbone.init_cfg.checkpoint == cfg.pretrained
    assert cfg.model.backbone.out_indices == (2, 5, 8, 11)
    cfg.model.backbone.update(init_cfg=None, img_size=56, num_layers=4, out_indices=(0, 1, 2, 3))
    return cfg, MODELS.build(cfg.model)


def test_all_are_here():
    assert {path.stem for path in CONFIGS.glob('*.py')} == {*RECIPES, 'cam_dinov2_tiny_demo'}


def test_the_demo_trains_a_small_one_from_scratch():
    model = MODELS.build(load_config(CONFIGS / 'cam_dinov2_tiny_demo.py', {}).model)
    assert all(p.requires_grad for p in model.parameters())
    feats = model.extract_feat(torch.zeros(1, 3, 48, 75))
    assert [tuple(feat.shape) for feat in feats] == [(1, 64, 6, 9)] * 2
    assert model.head(feats)['cam_logits'].shape == (1, 5, 6, 9)


@pytest.mark.parametrize('name', RECIPES)
def test_shapes_and_rates(name):
    classes, thousands, rate, decay = RECIPES[name]
    cfg, model = model_of(name)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    of = {id(p): group for group in groups for p in group['params']}
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert not any(n.startswith('backbone.') for n in trained)
    assert sum(p.numel() for p in trained.values()) / 1e3 == pytest.approx(thousands, abs=0.1)
    assert [of[id(p)]['lr'] for p in trained.values()] == pytest.approx([rate] * len(trained))
    assert {of[id(p)]['weight_decay'] for p in trained.values() if p.ndim > 1} == {decay}

    model = model.to('meta').eval()
    feats = model.extract_feat(torch.zeros(1, 3, 70, 98, device='meta'))
    assert [tuple(feat.shape) for feat in feats] == [(1, 384, 5, 7)] * 4
    if 'pseudo' in name:
        assert model.decode_head(feats).shape == (1, classes, 5, 7)
    else:
        assert model.head(feats)['cam_logits'].shape == (1, classes, 5, 7)


@pytest.mark.parametrize('name', ['cam_dinov2-s_voc', 'segformer_dinov2-s_voc_pseudo'])
def test_not_frozen(name):
    options = {'model.backbone.frozen': False, 'model.backbone.num_register_tokens': 4}
    cfg, model = model_of(name, **options)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    of = {id(p): group for group in groups for p in group['params']}
    for key, p in model.backbone.named_parameters():
        assert p.requires_grad
        assert of[id(p)]['lr'] == pytest.approx(6e-5)
        free = any(part in f'.{key}' for part in PARTS)
        assert of[id(p)]['weight_decay'] == (0 if free else 0.01), key


def test_a_larger_arch_is_an_option():
    options = {'model.backbone.arch': 'base', 'model.head.in_channels': 768}
    model = model_of('cam_dinov2-s_voc', **options)[1]
    assert model.tensors(torch.zeros(1, 3, 28, 28)).shape == (1, 20)

"""What is not worth a config is an option on a method's page: each is taken and builds."""

from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS

from mmwsss.refine import RefinerChain
from mmwsss.utils.config import load_config
from tests.configs.documented import documented_options
from tests.docs.pages import ROOT

CASES = [(method, o) for method in ('rpnet', 'sipe') for o in documented_options(method)]


def test_there_are_options():
    assert len(CASES) == 12


@pytest.mark.parametrize(
    ('method', 'options'), CASES, ids=['-'.join(options) for _, options in CASES]
)
def test_a_row_changes_what_it_says_and_builds(method, options):
    path = ROOT / 'configs' / method / f'{method}_r50_voc.py'
    cfg, base = load_config(path, options), load_config(path)
    assert cfg.to_dict() != base.to_dict()
    with torch.device('meta'):
        cfg.model.backbone.init_cfg = None
        backbone, head = MODELS.build(cfg.model.backbone), MODELS.build(cfg.model.head)
        shapes = [out.shape[1] for out in backbone(torch.zeros(2, 3, 64, 64))]
    assert head.in_channels == shapes[-1]
    if method == 'rpnet':
        for index in head.block_indices:
            assert head.projections[str(index)].weight.shape[1] == shapes[index]


def test_the_thresholds_of_irnet_reach_its_refiners():
    labels, walk = documented_options('irnet')
    cfg = load_config(ROOT / 'configs/irn/irn_r50_voc_labels.py', labels)
    assert RefinerChain(cfg.mask_cfg.refiners)
    assert (cfg.mask_cfg.refiners[0].fg_threshold, cfg.mask_cfg.refiners[0].bg_threshold) == (
        0.3,
        0.05,
    )
    cfg = load_config(ROOT / 'configs/irn/irn_r50_voc.py', walk)
    assert RefinerChain(cfg.mask_cfg.refiners)
    assert cfg.mask_cfg.refiners[0].background_threshold == 0.25

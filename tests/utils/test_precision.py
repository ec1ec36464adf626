from __future__ import annotations

import runpy

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmwsss.utils.precision import precision_notes, run_in, set_precision
from tests.tools.run import TOOLS


def test_a_config_changes_only_where_it_says_something_else():
    cfg = Config(dict(model=dict(test_cfg=dict(flip=True)), mask_cfg=dict(refiners=[])))
    before = cfg.to_dict()
    set_precision(cfg, None)
    set_precision(cfg, 'float32')
    assert cfg.to_dict() == before
    set_precision(cfg, 'bfloat16')
    assert cfg.model.test_cfg == dict(flip=True, precision='bfloat16')
    assert cfg.mask_cfg == dict(refiners=[], precision='bfloat16')
    set_precision(cfg, 'float32')
    assert cfg.model.test_cfg.precision == cfg.mask_cfg.precision == 'float32'
    segmenter = Config(dict(model=dict(test_cfg=None)))
    set_precision(segmenter, 'float16')
    assert segmenter.to_dict() == dict(model=dict(test_cfg=dict(precision='float16')))


def test_notes_of_a_protocol():
    assert precision_notes(None) == precision_notes(dict(precision='float32')) == []
    assert precision_notes(dict(precision='bfloat16')) == ['backbone in bfloat16']
    with pytest.raises(ValueError, match="precision 'bfloat61' is unknown"):
        precision_notes(dict(precision='bfloat61'))


@pytest.mark.parametrize('precision', ['bfloat16', 'float16'])
@torch.no_grad()
def test_a_backbone_in_lower_precision_returns_float32(precision):
    torch.manual_seed(0)
    backbone, images = nn.Conv2d(3, 4, 3), torch.rand(2, 3, 8, 8)
    exact = backbone(images)
    run_in(backbone, 'float32')
    assert torch.equal(backbone(images), exact)
    run_in(backbone, precision)
    lowered = backbone(images)
    with torch.autocast('cpu', dtype=getattr(torch, precision)):
        expected = nn.functional.conv2d(images, backbone.weight, backbone.bias)
    assert lowered.dtype == torch.float32
    assert torch.equal(lowered, expected.float())
    assert not torch.equal(lowered, exact)


def test_the_option_of_the_tools():
    words = {
        'make_maps.py': ['c.py', 'w.pth', '--out', 'o'],
        'make_masks.py': ['c.py', '--maps', 'm', '--out', 'o'],
        'predict.py': ['c.py', 'w.pth', 'i.jpg', '--out', 'o'],
        'test.py': ['c.py', 'w.pth'],
    }
    for tool, given in words.items():
        parse = runpy.run_path(str(TOOLS / tool))['parse_args']
        assert parse(given).precision is None
        assert parse([*given, '--precision', 'bfloat16']).precision == 'bfloat16'

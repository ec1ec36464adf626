"""The small CLIP of the demo: what the script writes is what CLIP-ES loads."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import torch

from mmwsss.apis import class_maps, load_localizer
from mmwsss.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]


def test_clip_es_takes_what_few_steps_leave(demo_root, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'path', [str(ROOT / '.dev'), *sys.path])
    main = runpy.run_path(str(ROOT / '.dev/clip_demo.py'))['main']
    weights = {}
    for steps in (2, 3):
        main([str(tmp_path / f'{steps}.pth'), '--data', str(demo_root), '--steps', str(steps)])
        weights[steps] = torch.load(tmp_path / f'{steps}.pth')['state_dict']
    for name in ('backbone.proj', 'head.text_encoder.text_projection'):  # both encoders learn
        assert not torch.equal(weights[2][name], weights[3][name])
    config = ROOT / 'configs/clip_es/clip_es_tiny_demo.py'
    cfg = load_config(config, dict(data_root=str(demo_root)))
    model = load_localizer(cfg, tmp_path / '3.pth')
    maps = class_maps(model, demo_root / 'JPEGImages/train_0000.jpg', ['kite'])
    assert maps.keys.tolist() == [0, 2]

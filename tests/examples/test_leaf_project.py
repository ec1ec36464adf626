"""The example project, run as its README says, outside of the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo_data import CLASSES, make_demo_data
from mmwsss.utils.checkpoint import load_checkpoint_file

EXAMPLE = Path(__file__).parents[2] / 'examples' / 'leaf_project'


@pytest.fixture(scope='module')
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('elsewhere') / 'leaf_project'
    shutil.copytree(
        EXAMPLE, root, ignore=shutil.ignore_patterns('work_dirs', 'data', '__pycache__')
    )
    make_demo_data(root / 'data' / 'demo', train=8, val=2, min_size=64, max_size=96)
    return root


def test_the_only_use_of_mmwsss_is_its_import_in_the_config():
    python = [path for path in EXAMPLE.rglob('*.py') if 'import mmwsss' in path.read_text()]
    assert python == []
    using = [p for p in EXAMPLE.rglob('*.py') if "'mmwsss'" in p.read_text()]
    assert [path.name for path in using] == ['runtime.py']


def test_classes_are_those_of_the_demo_data():
    text = (EXAMPLE / 'leaves' / 'dataset.py').read_text()
    assert str(('background', *CLASSES)) in text


@pytest.mark.parametrize(
    ('config', 'metrics', 'weight'),
    [
        ('segmenter', {'mIoU', 'IA-mIoU', 'IA_S', 'IA_L'}, 'decode_head.conv_seg.weight'),
        (
            'localizer',
            {'cls/mAP', 'maps/mIoU_best', 'maps/mIoU_argmax'},
            'head.side_convs.0.weight',
        ),
    ],
)
def test_trains_and_validates(project, config, metrics, weight):
    command = [sys.executable, 'train.py', f'configs/{config}.py', '--work-dir', f'out/{config}']
    options = ['train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'train_dataloader.batch_size=2']
    options.append('default_hooks.checkpoint.interval=2')
    result = subprocess.run(
        [*command, '--cfg-options', *options],
        cwd=project,
        env={**os.environ, 'PYTHONPATH': str(project), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    saved = load_checkpoint_file(project / 'out' / config / 'iter_2.pth')
    assert weight in saved['state_dict']
    assert 'backbone.layers.0.0.weight' in saved['state_dict']
    (log,) = (project / 'out' / config).rglob('scalars.json')
    logged = {key for line in log.read_text().splitlines() for key in json.loads(line)}
    assert metrics <= logged

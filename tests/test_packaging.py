"""What an installed package brings along beside its modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_mim_finds_every_config_in_a_built_package(tmp_path):
    command = [sys.executable, 'setup.py', '-q', 'build', '--build-base', str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (package,) = tmp_path.glob('lib*/mmwsss')
    assert not list(package.rglob('__pycache__'))
    mim = package / '.mim'
    index = yaml.safe_load((mim / 'model-index.yml').read_text())
    models = [
        model
        for name in index['Import']
        for model in yaml.safe_load((mim / name).read_text())['Models']
    ]
    assert len(models) > 8
    for model in models:
        assert (mim / model['Config']).is_file(), model['Name']
    assert (mim / 'configs' / '_base_' / 'models' / 'cam_r50.py').is_file()
    assert (mim / 'tools' / 'train.py').is_file()
    make_demo_data = [sys.executable, mim / 'tools' / 'dataset_converters' / 'make_demo_data.py']
    sizes = ['--train', '1', '--val', '0', '--out', tmp_path / 'demo']
    subprocess.run([*make_demo_data, *sizes], check=True, capture_output=True, timeout=300)

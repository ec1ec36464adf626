"""What an installed package brings along beside its modules, seen from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
# `mmwsss::` as a base, with MMEngine's own loader, and in its hub; a config of the package by its name.
LOADING = """
import sys, warnings
from pathlib import Path
import mmwsss
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DATASETS, HOOKS, MODELS, VISUALIZERS
from mmwsss.utils.config import load_config

assert Path(mmwsss.__file__).parent == Path(sys.argv[1]), mmwsss.__file__
Path('own.py').write_text('''
_base_ = 'mmwsss::sipe/sipe_tiny_demo.py'
model = dict(head=dict(num_classes=3))
''')
load_config('own.py')
cfg = Config.fromfile('own.py')
model = MODELS.build(cfg.model)
assert type(model).__name__ == 'ImageLevelClassifier' and model.head.num_classes == 3
assert HOOKS.build(cfg.default_hooks.checkpoint)
assert VISUALIZERS.build(cfg.visualizer)
named = load_config('configs/sipe/sipe_tiny_demo.py')
assert get_config('mmwsss::sipe/sipe_tiny_demo.py').model.head.type == named.model.head.type == 'SIPEHead'
try:
    load_config('configs/sipe/none.py')
except FileNotFoundError as error:
    print(error)
"""


def from_source_archive(folder: Path) -> Path:
    """What the source distribution of a copy of the checkout holds."""
    outside = (
        '.*',
        'data',
        'docs',
        'results',
        'tests',
        'work_dirs',
        'build',
        '*.egg-info',
        '__pycache__',
    )
    copy = folder / 'copy'
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*outside))
    command = [sys.executable, 'setup.py', '-q', 'sdist', '--dist-dir', str(folder)]
    subprocess.run(command, cwd=copy, check=True, capture_output=True, timeout=300)
    (archive,) = folder.glob('*.tar.gz')
    shutil.unpack_archive(archive, folder / 'unpacked')
    (source,) = (folder / 'unpacked').iterdir()
    return source


@pytest.fixture(scope='module')
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp('build')
    source = from_source_archive(folder)
    about = ['egg_info', '--egg-base', folder, 'install_egg_info', '--install-dir', folder / 'lib']
    words = [
        'setup.py',
        '-q',
        'build',
        '--build-base',
        folder,
        '--build-lib',
        folder / 'lib',
        *about,
    ]
    command = [sys.executable, *map(str, words)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=300)
    return folder / 'lib' / 'mmwsss'


def test_mim_finds_every_config(package):
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


def run_installed(package, folder, *words):
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(package.parent)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_configs_by_name_in_an_empty_folder(package, tmp_path):
    done = run_installed(package, tmp_path, '-c', LOADING, package)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == (
        'config not found: configs/sipe/none.py; `mmwsss configs` lists those of the package'
    )
    assert 'Failed to search registry' not in done.stdout + done.stderr


def test_commands_in_an_empty_folder(package, tmp_path):
    command = package.parent / 'mmwsss_command.py'
    done = run_installed(package, tmp_path, command, 'configs', '--folder')
    assert done.stdout.strip() == str(package / '.mim' / 'configs')
    sizes = ['--train', 1, '--val', 0, '--out', 'demo']
    done = run_installed(package, tmp_path, command, 'data', 'demo', *sizes)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'demo' / 'JPEGImages').is_dir()

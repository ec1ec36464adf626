"""A rank that dies loses nothing that others, or itself, have written; the same command goes on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from mmengine.config import Config

from mmwsss.io import read_record
from tests.tiny_models import localizer_config
from tests.tools.run import TOOLS, run_here

# Imported by the config: rank 1 is killed in the middle of its third image, when its first is written.
KILLER = """
import os, signal
from mmwsss.stages import maps, masks

def deadly(function, seen=[]):
    def call(*args, **kwargs):
        seen.append(1)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

if os.environ.get('RANK') == os.environ.get('KILLED_RANK'):
    maps.compute_class_maps = deadly(maps.compute_class_maps)
    masks.MaskWriter.__call__ = deadly(masks.MaskWriter.__call__)
"""


def call(folder, tool, *args, killed='none'):
    """Run a tool under torchrun as two ranks and return its exit code."""
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    env = {**os.environ, 'PYTHONPATH': str(folder), 'KILLED_RANK': killed, 'OMP_NUM_THREADS': '1'}
    result = subprocess.run(
        [*command, str(TOOLS / tool), *map(str, args), '--launcher', 'pytorch'],
        capture_output=True,
        text=True,
        env={**env, 'CUDA_VISIBLE_DEVICES': ''},
        timeout=300,
        check=False,
    )
    return result.returncode


@pytest.fixture
def setup(demo_root, tiny_cam, tmp_path):
    (tmp_path / 'killer.py').write_text(KILLER)
    cfg = localizer_config(demo_root)
    cfg['custom_imports'] = dict(imports=['killer'], allow_failed_imports=False)
    Config(cfg).dump(tmp_path / 'config.py')
    return tmp_path / 'config.py', tiny_cam[1]


def test_what_was_written_stays_and_the_rest_is_made(setup, tmp_path, monkeypatch):
    config, checkpoint = setup
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('KILLED_RANK', 'none')
    tools = {
        'maps': ['make_maps.py', config, checkpoint],
        'masks': ['make_masks.py', config, '--maps', tmp_path / 'maps', '--workers', '0'],
    }
    for stage, (tool, *args) in tools.items():
        out, suffix = tmp_path / stage, {'maps': '.npz', 'masks': '.png'}[stage]
        assert call(tmp_path, tool, *args, '--out', out, killed='1') != 0
        before = {path: path.stat().st_mtime_ns for path in out.glob(f'*{suffix}')}
        assert 1 <= len(before) < 8
        assert not read_record(out).complete
        assert call(tmp_path, tool, *args, '--out', out) == 0
        assert read_record(out).complete
        assert {path: path.stat().st_mtime_ns for path in before} == before
        assert run_here(tool, *args, '--out', tmp_path / f'{stage}_whole').returncode == 0
        names = sorted(path.name for path in (tmp_path / f'{stage}_whole').glob(f'*{suffix}'))
        assert len(names) == 8
        assert names == sorted(path.name for path in out.glob(f'*{suffix}'))
        for name in names:
            whole = tmp_path / f'{stage}_whole' / name
            assert (out / name).read_bytes() == whole.read_bytes()
        assert not list(out.glob('.tmp-*'))

"""A rank that dies loses nothing that others, or itself, have written; the same command goes on."""

from __future__ import annotations

import signal

import pytest
from mmengine.config import Config

from mmwsss.io import read_record
from tests.tiny_models import localizer_config
from tests.tools.run import run_here, run_ranks

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

if os.environ.get('RANK', 'alone') == os.environ.get('KILLED_RANK'):
    maps.compute_class_maps = deadly(maps.compute_class_maps)
    masks.MaskWriter.__call__ = deadly(masks.MaskWriter.__call__)
"""


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
    tools = {
        'maps': ['make_maps.py', config, checkpoint],
        'masks': ['make_masks.py', config, '--maps', tmp_path / 'maps', '--workers', '0'],
    }
    suffixes = {'maps': '.npz', 'masks': '.png'}
    for stage, (tool, *args) in tools.items():
        out = tmp_path / stage
        assert run_ranks(tool, *args, '--out', out, KILLED_RANK='1')[1] == -signal.SIGKILL
        before = {path: path.stat().st_mtime_ns for path in out.glob(f'*{suffixes[stage]}')}
        assert 1 <= len(before) < 8
        assert not read_record(out).complete
        assert run_ranks(tool, *args, '--out', out) == [0, 0]
        assert read_record(out).complete
        assert {path: path.stat().st_mtime_ns for path in before} == before
        assert not list(out.glob('.tmp-*'))
    # In this process, whose modules the ranks would inherit, hence last.
    for stage, (tool, *args) in tools.items():
        out, whole = tmp_path / stage, tmp_path / f'{stage}_whole'
        assert run_here(tool, *args, '--out', whole).returncode == 0
        names = sorted(path.name for path in whole.glob(f'*{suffixes[stage]}'))
        assert len(names) == 8
        assert names == sorted(path.name for path in out.glob(f'*{suffixes[stage]}'))
        for name in names:
            assert (out / name).read_bytes() == (whole / name).read_bytes()

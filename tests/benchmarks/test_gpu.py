"""The benchmark of accelerators runs in small where there is none."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module('gpu')


def test_stages_in_small(gpu, tmp_path, monkeypatch, capsys):
    out, words = tmp_path / 'gpu.json', ['--small', '--device', 'cpu', '--seconds', '0']
    words += ['--out', str(out), '--only']
    assert gpu.main([*words, 'SIPE', 'edges']) == 0
    results = json.loads(out.read_text())['results']
    for name in ('SIPE', 'edges'):
        assert {f'{name} float32', f'{name} bfloat16'} <= set(results)
    for name, found in results.items():
        if name not in ('small', 'seconds'):
            assert found['images'] == (2 if name.split()[0] in gpu.TRAININGS else 1)
            assert found['images_per_second'] > 0
            assert found['peak_mib'] > 0
            assert found['launches'] > 20
    assert 'edges      float32        1 ' in capsys.readouterr().out

    def measure(*_):
        raise RuntimeError('out of memory\nTried to allocate')

    monkeypatch.setattr(gpu, 'measure', measure)
    assert gpu.main([*words, 'PAR']) == 1  # and the file says which row failed
    assert json.loads(out.read_text())['results']['PAR float32'] == {'error': 'out of memory'}


@pytest.mark.parametrize(
    ('name', 'batch', 'size'),
    [('CAM', 16, 512), ('SIPE', 16, 512), ('RPNet', 16, 512), ('IRNet', 32, 512), ('DeepLabV2', 10, 321)],
)  # fmt: skip
def test_full_size_steps_have_the_published_batch_and_crop(gpu, name, batch, size):
    loader = gpu.read(gpu.TRAININGS[name][0], small=False).train_dataloader
    assert gpu.published(loader) == dict(batch=batch, size=size)

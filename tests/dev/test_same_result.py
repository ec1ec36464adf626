"""Comparing two runs of a pipeline, and the table of the comparisons."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsss.io import (
    ClassMaps,
    Protocol,
    Record,
    Score,
    save_class_maps,
    save_mask,
    write_json,
)
from mmwsss.io.record import write_record
from mmwsss.pipeline.summary import StageSummary, Summary

ROOT = Path(__file__).parents[2]
TABLE = ROOT / '.dev' / 'same_result_table.py'
ENVIRONMENT = dict(date='2026-01-01 00:00 UTC', commit='abc', device='a CPU', cores=2)


@pytest.fixture(scope='module')
def benchmark():
    sys.path.insert(0, str(ROOT / 'benchmarks'))
    try:
        return runpy.run_path(str(ROOT / 'benchmarks' / 'same_result.py'))
    finally:
        sys.path.remove(str(ROOT / 'benchmarks'))


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(TABLE))


def make_run(folder: Path, score: float = 0.5, weight: float = 2.0, pixel: int = 1) -> Path:
    """What a pipeline leaves: one training, two maps, two masks, a summary."""
    for name in ('localizer', 'maps', 'masks'):
        (folder / name).mkdir(parents=True)
    checkpoint = folder / 'localizer' / 'iter_3.pth'
    torch.save(dict(state_dict=dict(a=torch.tensor([weight, -4.0]), n=torch.tensor(3))), checkpoint)
    (folder / 'localizer' / 'last_checkpoint').write_text(str(checkpoint))
    for name in ('maps', 'masks'):
        write_record(folder / name, Record(name))
    for name in ('one', 'two'):
        values = np.full((1, 2, 5), score if name == 'two' else 0.25, np.float32)
        maps = ClassMaps(np.array([3]), values, (2, 5))
        save_class_maps(folder / 'maps' / f'{name}.npz', maps)
        labels = np.zeros((2, 5), np.int64)
        labels[0, 0] = pixel if name == 'two' else 0
        save_mask(folder / 'masks' / f'{name}.png', labels)
    write_record(folder / 'masks_score', Record('score'))
    write_summary(folder, [Score('masks', Protocol(), {'mIoU': (40 + pixel) / 100})])
    return folder


def write_summary(folder: Path, scores: list[Score]) -> None:
    stage = StageSummary('masks_score', 'score', scores=scores)
    write_json(folder / 'summary.json', asdict(Summary('cam', 'p.py', stages=[stage])))


def test_equal_runs(benchmark, tmp_path):
    one, two = (make_run(tmp_path / name) for name in ('one', 'two'))
    found = benchmark['compare'](one, two)
    assert found['weights'] == {'localizer': {'absolute': 0.0, 'relative': 0.0}}
    assert found['maps'] == {'maps': {'files': 2, 'equal': 2, 'largest_difference': 0.0}}
    assert found['masks'] == {'masks': {'files': 2, 'equal': 2, 'different_pixels': 0.0}}
    assert found['scores'] == [{'what': 'masks', 'mIoU': [41.0, 41.0]}]


def test_every_kind_of_difference_is_seen(benchmark, tmp_path):
    one = make_run(tmp_path / 'one')
    two = make_run(tmp_path / 'two', score=0.75, weight=1.0, pixel=2)
    found = benchmark['compare'](one, two)
    assert found['weights']['localizer'] == {'absolute': 1.0, 'relative': 0.25}
    assert found['maps']['maps'] == {'files': 2, 'equal': 1, 'largest_difference': 0.25}
    assert found['masks']['masks'] == {'files': 2, 'equal': 1, 'different_pixels': 1 / 20}
    assert found['scores'][0]['mIoU'] == [41.0, 42.0]


def test_a_missing_file_is_not_equal(benchmark, tmp_path):
    one, two = (make_run(tmp_path / name) for name in ('one', 'two'))
    (two / 'masks' / 'two.png').unlink()
    for pair in ((one, two), (two, one)):
        with pytest.raises(ValueError, match=r'same files: two\.png, in one only'):
            benchmark['compare'](*pair)


def test_a_missing_score_is_not_equal(benchmark, tmp_path):
    one, two = (make_run(tmp_path / name) for name in ('one', 'two'))
    write_summary(two, [])
    with pytest.raises(ValueError, match='have other scores'):
        benchmark['compare'](one, two)


def test_rows(benchmark, tool, tmp_path):
    one = make_run(tmp_path / 'one')
    killed = benchmark['compare'](one, make_run(tmp_path / 'killed'))
    ranks = benchmark['compare'](one, make_run(tmp_path / 'ranks', 0.75, 1.0, 2))
    results = dict(
        pipeline='configs/pipelines/cam_demo.py',
        options=[],
        killed_after={'localizer': 3.0, 'maps': None},
        killed=killed,
        ranks=dict(ranks, processes=2),
    )
    keep = tmp_path / 'same_result_cam.json'
    keep.write_text(json.dumps(dict(environment=ENVIRONMENT, results=results)))
    where = '2026-01-01, abc; a CPU, 2 cores |'
    assert tool['table'](tmp_path).splitlines()[2:] == [
        f'| `cam_demo` | killed in 1 stages and continued | 0 | 2 of 2 | 2 of 2 | 0 | {where}',
        '| `cam_demo` | 2 processes | 0.25 | 1 of 2 | 1 of 2 (5 % of the pixels differ) | 1 | '
        f'{where}',
    ]


def test_the_page_says_what_the_stored_figures_say():
    done = subprocess.run([sys.executable, TABLE, '--check'], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_page_without_markers_is_refused(tool, tmp_path):
    with pytest.raises(ValueError, match='must hold the markers'):
        tool['page_with_table']('# Pipelines\n', tmp_path)

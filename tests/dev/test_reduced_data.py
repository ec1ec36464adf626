import importlib
import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import pytest

from mmwsss.io import Protocol, Score
from mmwsss.pipeline.summary import StageSummary, Summary

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / '.dev'))
    return importlib.import_module('reduced_data_curve')


@pytest.fixture
def results(tmp_path):
    """CAM with seeds 0 and 1 (and 2 of all images), SIPE without its part."""
    for run, seed, miou in (
        ('cam_lite2_voc12part', 0, 40.0),
        ('cam_lite2_voc12part', 1, 36.0),
        ('cam_lite2_voc12part', 2, 99.0),
        ('cam_lite2_voc12part_1of4', 0, 30.0),
        ('cam_lite2_voc12part_1of4', 1, 27.0),
        ('cam_lite2_voc12part_1of16', 1, 18.0),
        ('cam_lite2_voc12part_1of16', 0, 20.0),
        ('sipe_lite2_voc12part', 0, 43.0),
    ):
        scores = [
            Score('masks', Protocol(), {'mIoU': 0.01}),
            Score('maps at best threshold', Protocol(), {'mIoU': miou / 100}),
        ]
        folder = tmp_path / run
        folder.mkdir(exist_ok=True)
        stage = StageSummary('maps_score', 'score', scores=scores)
        summary = Summary('cam', 'p.py', seed, stages=[stage])
        (folder / f'seed{seed}.json').write_text(json.dumps(asdict(summary)))
    return tmp_path


def test_curves_are_of_methods_that_have_all_points(tool, results):
    assert tool.read_curves(results) == {
        'CAM': {
            Fraction(1): {0: 40.0, 1: 36.0, 2: 99.0},
            Fraction(1, 4): {0: 30.0, 1: 27.0},
            Fraction(1, 16): {0: 20.0, 1: 18.0},
        }
    }


def test_table(tool, results):
    page = 'text\n<!-- reduced data -->\nmore\n'
    once = tool.page_with_table(page, tool.read_curves(results))
    assert '| method | seeds | all images | 1/4 | 1/16 | left at 1/4 | left at 1/16 |' in once
    scores = '58.33 ± 35.28 | 28.50 ± 2.12 | 19.00 ± 1.41'
    assert f'| CAM | 3, 2, 2 | {scores} | 75 % | 50 % |' in once  # of the same seeds
    assert '](images/reduced_data.png)' in once
    assert '(images/' not in tool.page_with_table(page, {})
    assert once.startswith('text\n')
    assert once.endswith('-->\nmore\n')
    assert tool.page_with_table(once, tool.read_curves(results)) == once
    with pytest.raises(ValueError, match='marker <!-- reduced data -->'):
        tool.page_with_table('text', {})


def test_figure(tool, results, tmp_path):
    tool.draw(tool.read_curves(results), tmp_path / 'curve.png')
    assert 5_000 < (tmp_path / 'curve.png').stat().st_size < 100_000


def test_the_page_is_what_the_stored_runs_say(tool):
    curves = tool.read_curves(ROOT / 'results')
    page = (ROOT / 'docs' / 'reduced_data.md').read_text('utf-8')
    assert tool.page_with_table(page, curves) == page


def test_the_studies_make_the_runs_that_the_curve_shows(tool, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    studies = importlib.import_module('run_all')
    names = {tool.entry(m, f).run for m in tool.METHODS for f in tool.FRACTIONS}
    assert names <= set(studies.STUDIES)
    words = studies.study('rpnet_lite2_voc12part_1of16', 1)
    assert 'localizer.fraction=1/16' in words
    assert 'results/rpnet_lite2_voc12part_1of16' in words
    for name in studies.STUDIES:
        assert (ROOT / studies.study(name, 0)[1]).is_file()

import importlib
import json
from fractions import Fraction
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / '.dev'))
    return importlib.import_module('reduced_data_curve')


@pytest.fixture
def results(tmp_path):
    """CAM with seeds 0 and 1 (and 2 at one fraction), SIPE without its last fraction."""
    for method, part, seed, miou in (
        ('cam', '', 0, 40.0),
        ('cam', '', 1, 36.0),
        ('cam', '', 2, 99.0),
        ('cam', '_1of4', 0, 30.0),
        ('cam', '_1of4', 1, 28.0),
        ('cam', '_1of8', 1, 19.0),
        ('cam', '_1of8', 0, 19.0),
        ('sipe', '', 0, 43.0),
        ('sipe', '_1of4', 0, 33.0),
    ):
        scores = [dict(what='masks', mIoU=1.0), dict(what='maps at best threshold', mIoU=miou)]
        folder = tmp_path / f'{method}_mobilenetv2_vocmini{part}'
        folder.mkdir(exist_ok=True)
        summary = json.dumps(dict(seed=seed, scores=scores))
        (folder / f'seed{seed}.json').write_text(summary)
    return tmp_path


def test_curves_use_the_seeds_that_all_points_have(tool, results):
    assert tool.read_curves(results) == {
        'CAM': {
            Fraction(1): {0: 40.0, 1: 36.0},
            Fraction(1, 4): {0: 30.0, 1: 28.0},
            Fraction(1, 8): {0: 19.0, 1: 19.0},
        }
    }


def test_table(tool, results):
    page = 'text\n<!-- reduced data -->\nmore\n'
    once = tool.page_with_table(page, tool.read_curves(results))
    assert '| method | seeds | all images | 1/4 | 1/8 | left at 1/4 | left at 1/8 |' in once
    assert '| CAM | 0, 1 | 38.00 ± 2.83 | 29.00 ± 1.41 | 19.00 ± 0.00 | 76 % | 50 % |' in once
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


def test_the_benchmark_runs_the_configs_that_the_curve_shows(tool, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    benchmark = importlib.import_module('reduced_data')
    commands = benchmark.commands(['cam', 'sipe', 'rpnet'], [0, 1], [])
    assert all((ROOT / command[1]).is_file() for command in commands)
    parts = {command[5].replace('/', 'of') for command in commands if '--fraction' in command}
    names = {tool.run_name(m, f) for m in tool.METHODS for f in tool.FRACTIONS}
    stems = {Path(command[1]).stem for command in commands}
    assert names == stems | {f'{stem}_{part}' for stem in stems for part in parts}
    assert len(commands) == 2 * len(names)

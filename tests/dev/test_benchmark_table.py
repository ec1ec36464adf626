import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / '.dev' / 'benchmark_table.py'
ENVIRONMENT = dict(
    date='2026-01-01 00:00 UTC', commit='abc', device='a CPU', threads=1, cores=2, load_average=0.5
)


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('benchmark_table', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def keep(folder, name, results):
    content = dict(environment=ENVIRONMENT, results=results)
    (folder / f'{name}.json').write_text(json.dumps(content))


@pytest.mark.parametrize(('ratio', 'met'), [(1.6, 'no'), (1.7, 'yes'), (1.8, 'yes')])
def test_a_ratio_with_its_spread_and_whether_the_goal_is_met(tool, tmp_path, ratio, met):
    keep(tmp_path, 'crf', dict(pool=dict(ratio=ratio, ratio_min=1.5, ratio_max=1.9)))
    row = tool.Row('a pool', 'crf', ('pool',), '>=', 1.7)
    assert tool.line(tmp_path, row) == (
        f'| a pool | {ratio:.3g}x (1.5x to 1.9x) | >= 1.7x | {met} | 2026-01-01 |'
    )


def test_shares_are_percent(tool, tmp_path):
    keep(tmp_path, 'svm', dict(agreement=0.9991))
    row = tool.Row('labels', 'svm', ('agreement',), '>=', 0.999, '%')
    assert '| 99.9 % | >= 99.9 % | yes |' in tool.line(tmp_path, row)


def test_what_was_not_measured_says_so(tool, tmp_path):
    row = tool.Row('labels', 'svm', ('agreement',), '>=', 0.999, '%')
    assert tool.line(tmp_path, row) == '| labels | not measured | >= 99.9 % | | |'
    keep(tmp_path, 'svm', {})
    assert 'not measured' in tool.line(tmp_path, row)


def test_plain_formulations_are_ours_turned_over_where_ours_comes_first(tool, tmp_path):
    keep(tmp_path, 'head', dict(time=dict(ratio=0.5), memory=0.25))
    peer = tool.Peer('a head', 'head', ('time',), ('memory',), True)
    assert tool.peer_line(tmp_path, peer) == '| a head | 2x | 4x |'
    other = peer._replace(time=('memory',), memory=(), is_ours_first=False)
    assert tool.peer_line(tmp_path, other) == '| a head | 0.25x |  |'
    assert 'not measured' in tool.peer_line(tmp_path, peer._replace(file='nothing'))


def test_all_figures_in_one_file(tool, tmp_path):
    keep(tmp_path, 'crf', dict(pool=dict(ratio=1.6, ratio_min=1.5, ratio_max=1.9)))
    entries = {entry['figure']: entry for entry in json.loads(tool.summary(tmp_path))}
    assert len(entries) == len(tool.ROWS)
    pool = entries['dense CRF: one process / pool of two']
    assert (pool['goal'], pool['met'], pool['measured']['ratio']) == ('>= 1.7x', False, 1.6)
    assert pool['environment'] == ENVIRONMENT
    walk = entries['random walk, 94x125 grid']
    assert (walk['measured'], walk['met'], walk['environment']) == (None, None, {})


def test_a_page_without_markers_is_refused(tool, tmp_path):
    with pytest.raises(ValueError, match='must hold the markers'):
        tool.page_with_table('# Benchmarks\n', tmp_path)


def test_the_page_says_what_the_stored_figures_say():
    done = subprocess.run([sys.executable, TOOL, '--check'], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()

"""Tables of tested combinations: from a JUnit report to the page, and the page against the tests."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.configs.test_localizer_backbones import METHODS, STRIDES
from tests.configs.test_segmenter_configs import TINY

ROOT = Path(__file__).parents[2]
CASE = (
    '<testcase name="{name}"><properties><property name="cpu_seconds" value="{value}"/>'
    '</properties>{inside}</testcase>'
)
PAIR = 'test_trains_and_maps_an_odd_sized_image[{}]'
MASKS = 'test_trains_saves_loads_and_predicts[{}]'


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(ROOT / '.dev' / 'swap_table.py'))


def report(path: Path, cases: dict[str, float], inside: str = '') -> Path:
    text = ''.join(CASE.format(name=n, value=v, inside=inside) for n, v in cases.items())
    path.write_text(f'<testsuites><testsuite>{text}</testsuite></testsuites>')
    return path


def test_cells_are_seconds_by_combination(tool, tmp_path):
    cases = {PAIR.format('cam-r50'): 1.25, PAIR.format('sipe-r50'): 2.0, MASKS.format('pspnet'): 3}
    localizers, segmenters = tool['read_report'](report(tmp_path / 'r.xml', cases))
    assert localizers == {('cam', 'r50'): 1.25, ('sipe', 'r50'): 2.0}
    assert segmenters == {('pspnet',): 3.0}
    assert tool['localizer_table'](localizers).splitlines() == [
        '| backbone | cam | sipe |', '|---|---|---|', '| `r50` | 1.2 | 2.0 |'
    ]  # fmt: skip
    assert '| `pspnet` | 3.0 |' in tool['segmenter_table'](segmenters)


@pytest.mark.parametrize('tag', ['failure', 'error', 'skipped'])
def test_a_test_that_did_not_pass_stops_it(tool, tmp_path, tag, capsys):
    path = report(tmp_path / 'r.xml', {PAIR.format('cam-r50'): 1.0}, f'<{tag}/>')
    before = (ROOT / 'docs' / 'swap.md').read_text()
    assert tool['main'](['--junit', str(path)]) == 1
    assert 'cam-r50] did not pass' in capsys.readouterr().err
    assert (ROOT / 'docs' / 'swap.md').read_text() == before


def test_a_report_without_one_kind_is_refused(tool, tmp_path):
    path = report(tmp_path / 'r.xml', {PAIR.format('cam-r50'): 1.0})
    with pytest.raises(ValueError, match='holds no test of one of'):
        tool['read_report'](path)


def test_the_page_has_a_cell_for_every_test():
    page = (ROOT / 'docs' / 'swap.md').read_text()
    pairs = page.split('<!-- localizers:start -->')[1].split('<!-- localizers:end -->')[0]
    header, _, *rows = pairs.strip().splitlines()
    assert header == f'| backbone | {" | ".join(METHODS)} |'
    found = {row.split('|')[1].strip(' `'): row.split('|')[2:-1] for row in rows}
    assert list(found) == list(STRIDES)
    assert all(float(cell) > 0 for cells in found.values() for cell in cells)
    masks = page.split('<!-- segmenters:start -->')[1].split('<!-- segmenters:end -->')[0]
    assert [name for name in TINY if f'| `{name}` | ' not in masks] == []

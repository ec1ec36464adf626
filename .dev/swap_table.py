"""Make the tables of docs/swap.md: each cell is a test that ran, with its seconds of CPU time.

Runs the parametrised tests of backbones x localizers and of segmenters on pseudo masks, or reads the JUnit
report of such a run (--junit), and refuses to write anything if one of them did not pass.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from generated_pages import ROOT, replace_part

PAGE = ROOT / 'docs' / 'swap.md'
TESTS = ('tests/configs/test_localizer_backbones.py', 'tests/configs/test_segmenter_configs.py')
LOCALIZERS = 'test_trains_and_maps_an_odd_sized_image'
SEGMENTERS = 'test_trains_saves_loads_and_predicts'
Cells = dict[tuple[str, ...], float]


def run_tests(report: Path) -> None:
    """Run the tests, with a JUnit report."""
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:xdist', f'--junitxml={report}']
    select = ['-k', f'{LOCALIZERS} or {SEGMENTERS}']
    subprocess.run([*command, *select, *TESTS], cwd=ROOT, check=False)  # noqa: S603


def read_report(report: Path) -> tuple[Cells, Cells]:
    """Seconds by (method, backbone) and by (segmenter,).

    Raises:
        ValueError: A test did not pass, or none of a kind ran.
    """
    cells: dict[str, Cells] = {LOCALIZERS: {}, SEGMENTERS: {}}
    for case in ET.parse(report).getroot().iter('testcase'):  # noqa: S314
        found = re.fullmatch(r'(\w+)\[(.+)\]', case.get('name'))
        if not found or found[1] not in cells:
            continue
        if any(case.find(tag) is not None for tag in ('failure', 'error', 'skipped')):
            raise ValueError(f'{case.get("name")} did not pass')
        properties = {p.get('name'): p.get('value') for p in case.iter('property')}
        cells[found[1]][tuple(found[2].split('-'))] = float(properties['cpu_seconds'])
    if not all(cells.values()):
        raise ValueError(f'{report} holds no test of one of {list(cells)}')
    return cells[LOCALIZERS], cells[SEGMENTERS]


def localizer_table(cells: Cells) -> str:
    """Rows: backbones; columns: localizers."""
    methods = list(dict.fromkeys(method for method, _ in cells))
    backbones = list(dict.fromkeys(backbone for _, backbone in cells))
    lines = ['| backbone | ' + ' | '.join(methods) + ' |', '|---' * (len(methods) + 1) + '|']
    for backbone in backbones:
        values = ' | '.join(f'{cells[method, backbone]:.1f}' for method in methods)
        lines.append(f'| `{backbone}` | {values} |')
    return '\n'.join(lines)


def segmenter_table(cells: Cells) -> str:
    """One row per segmenter."""
    rows = [f'| `{name}` | {seconds:.1f} |' for (name,), seconds in cells.items()]
    return '\n'.join(['| segmenter | pseudo masks |', '|---|---|', *rows])


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--junit', type=Path, help='report of a run; without it the tests are run')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        report = args.junit or Path(folder) / 'report.xml'
        if args.junit is None:
            run_tests(report)
        try:
            localizers, segmenters = read_report(report)
        except (ValueError, OSError, KeyError) as error:
            print(f'error: {error}', file=sys.stderr)
            return 1
    total = sum(localizers.values()) + sum(segmenters.values())
    today = datetime.datetime.now(datetime.timezone.utc).date()
    count = len(localizers) + len(segmenters)
    note = f'{count} tests, {total:.0f} seconds of one CPU core, {today}.'
    page = PAGE.read_text(encoding='utf-8')
    page = replace_part(page, 'localizers', localizer_table(localizers))
    page = replace_part(page, 'segmenters', segmenter_table(segmenters) + '\n\n' + note)
    PAGE.write_text(page, encoding='utf-8')
    print(f'wrote {PAGE.relative_to(ROOT)}: {note}')
    return 0


if __name__ == '__main__':
    sys.exit(main())

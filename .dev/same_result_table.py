"""Make the table of docs/pipelines.md from the figures of `benchmarks/same_result.py`.

The numbers are never typed. `--check` fails if the page is not what the figures say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generated_pages import ROOT, check_parser, replace_part, write_or_check

PAGE = ROOT / 'docs' / 'pipelines.md'
FIGURES = 'same_result_*.json'
HEADER = (
    '| pipeline | compared with one run left alone | weights, largest relative difference | maps equal '
    '| masks equal | scores, largest difference | measured |\n|---|---|---|---|---|---|---|'
)


def totals(found: dict[str, dict[str, Any]]) -> str:
    """How many of the files of all stages are equal."""
    equal, files = (sum(stage[key] for stage in found.values()) for key in ('equal', 'files'))
    return f'{equal} of {files}'


def masks(found: dict[str, dict[str, Any]]) -> str:
    """How many masks are equal, and the worst stage's share of pixels that differ."""
    share = max(stage['different_pixels'] for stage in found.values())
    return totals(found) + (f' ({100 * share:.2g} % of the pixels differ)' if share else '')


def cells(found: dict[str, Any]) -> str:
    """What a comparison says, four cells."""
    weights = max(stage['relative'] for stage in found['weights'].values())
    scores = max(abs(a - b) for a, b in (score['mIoU'] for score in found['scores']))
    numbers = ['0' if value == 0 else f'{value:.2g}' for value in (weights, scores)]
    return ' | '.join((numbers[0], totals(found['maps']), masks(found['masks']), numbers[1]))


def lines(content: dict[str, Any]) -> Iterator[str]:
    """The rows of a file of figures."""
    results, environment = content['results'], content['environment']
    name = Path(results['pipeline']).stem
    first = f'`{name}`' + (', shortened' if results['options'] else '')
    where = '{date:.10}, {commit}; {device}, {cores} cores'.format(**environment)
    cut = [stage for stage, after in results['killed_after'].items() if after is not None]
    yield f'| {first} | killed in {len(cut)} stages and continued | {cells(results["killed"])} | {where} |'
    if 'ranks' in results:
        ranks = results['ranks']
        yield f'| {first} | {ranks["processes"]} processes | {cells(ranks)} | {where} |'


def table(folder: Path) -> str:
    """The table of all files of figures in a folder."""
    files = sorted(folder.glob(FIGURES))
    contents = [json.loads(path.read_text(encoding='utf-8')) for path in files]
    return '\n'.join([HEADER, *(line for content in contents for line in lines(content))])


def page_with_table(text: str, folder: Path) -> str:
    """The page with the table between its markers replaced.

    Raises:
        ValueError: A marker is missing.
    """
    return replace_part(text, 'same result', table(folder), PAGE.name)


def main() -> int:
    args = check_parser(__doc__).parse_args()
    wanted = page_with_table(PAGE.read_text(encoding='utf-8'), ROOT / 'benchmarks' / 'results')
    return write_or_check({PAGE: wanted}, args.check, 'benchmarks/results')


if __name__ == '__main__':
    sys.exit(main())

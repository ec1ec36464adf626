"""Make docs/results.md and the tables in README.md, docs/pipelines.md and docs/methods/ of results/.

The numbers are never typed: a row is the mean over the seeds of `results/<name>/seed*.json`, which
`benchmarks/study.py` writes. `--check` fails if the pages are not what the summaries say.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from generated_pages import ROOT, check_parser, replace_part, write_or_check

# On a method's page: the runs whose names begin with the word.
METHOD = re.compile(r'<!-- results: (\w+) -->\n(?:.*?<!-- /results -->\n)?', re.DOTALL)
HEADER = '| run | scored | mIoU % | seeds | protocol |\n|---|---|---|---|---|\n'
SIZE_SCORES = ('mIoU', 'IA-mIoU', 'IA_S', 'IA_M', 'IA_L')
SIZE_HEADER = (
    f'| run | {" | ".join(f"{key} %" for key in SIZE_SCORES)} | seeds | protocol |\n'
    f'|{"---|" * (len(SIZE_SCORES) + 3)}\n'
)
SEEDS_OF_A_CLAIM = 3
Runs = dict[str, list[dict[str, Any]]]


def read_runs(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Summaries by run name, each list in the order of the seeds."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob('*/seed*.json')):
        summary = {**json.loads(path.read_text(encoding='utf-8')), 'file': str(path)}
        runs.setdefault(summary['name'], []).append(summary)
    return {name: sorted(group, key=lambda run: run['seed']) for name, group in runs.items()}


def spread(values: list[float]) -> str:
    """Mean, and the sample standard deviation where there are several values."""
    if len(values) == 1:
        return f'{values[0]:.2f}'
    return f'{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}'


def rows(name: str, group: list[dict[str, Any]]) -> Iterable[str]:
    """One row per kind of score of a run."""
    kinds = list(dict.fromkeys(s['what'] for run in group for s in run['scores']))
    for what in kinds:
        scores = [s for run in group for s in run['scores'] if s['what'] == what and 'mIoU' in s]
        if not scores:
            continue
        protocol = scores[0]['protocol']
        thresholds = sorted({s['threshold'] for s in scores if s.get('threshold') is not None})
        if len(thresholds) > 1:  # a sweep's best, which differs between seeds
            found = ', '.join(f'{t:g}' for t in thresholds)
            protocol = protocol.replace(
                f'threshold {scores[0]["threshold"]:g}', f'threshold {found}'
            )
        if any(map(used_ground_truth, scores)) and 'ground truth' not in protocol:
            protocol += ', chosen on these masks: uses ground truth'
        yield f'| `{name}` | {what} | {spread([s["mIoU"] for s in scores])} | {len(scores)} | {protocol} |'


def used_ground_truth(score: dict[str, Any]) -> bool:
    """Whether a score says that something was chosen on the masks that it is measured against."""
    return bool(score.get('uses_ground_truth') or score.get('details', {}).get('uses_ground_truth'))


def size_rows(name: str, group: list[dict[str, Any]]) -> Iterable[str]:
    """One row per kind of score of a run that tells objects apart by size.

    Raises:
        ValueError: A seed lacks one of the scores, so that the columns would be means over other seeds.
    """
    kinds = list(dict.fromkeys(s['what'] for run in group for s in run['scores'] if 'IA_S' in s))
    for what in kinds:
        scores = [
            checked_sizes(run, s) for run in group for s in run['scores'] if s['what'] == what
        ]
        cells = ' | '.join(spread([s[key] for s in scores]) for key in SIZE_SCORES)
        yield f'| `{name}` | {cells} | {len(scores)} | {scores[0]["protocol"]} |'


def checked_sizes(run: dict[str, Any], score: dict[str, Any]) -> dict[str, Any]:
    """A score that has all of ``SIZE_SCORES``.

    Raises:
        ValueError: It lacks some; names the file.
    """
    missing = [key for key in SIZE_SCORES if not isinstance(score.get(key), (int, float))]
    if missing:
        where = run.get('file', f'run {run["name"]!r}, seed {run["seed"]}')
        raise ValueError(
            f'{where}: score {score["what"]!r} needs the numbers {", ".join(SIZE_SCORES)}, but lacks '
            f'{", ".join(missing)}'
        )
    return score


def table(runs: Runs) -> str:
    """The table of mIoU of all kinds of scores."""
    return HEADER + '\n'.join(row for name, group in runs.items() for row in rows(name, group))


def size_table(runs: Runs) -> str:
    """The table of the runs whose scores tell objects apart by size; empty if there are none."""
    lines = [row for name, group in runs.items() for row in size_rows(name, group)]
    return SIZE_HEADER + '\n'.join(lines) if lines else ''


def page(runs: dict[str, list[dict[str, Any]]]) -> str:
    """The text of docs/results.md."""
    parts = [
        '# Measured results',
        '',
        'Made by `.dev/results_table.py` from the run summaries in `results/`; do not edit.',
        'Mean ± sample standard deviation over seeds. Published numbers are on the pages of the methods.',
        '',
        table(runs),
        '',
        *(['## By size of the objects', '', sizes, ''] if (sizes := size_table(runs)) else []),
        '## Commands',
        '',
    ]
    for name, group in runs.items():
        first = group[0]
        minutes = (
            statistics.mean(sum(step['seconds'] for step in run['steps']) for run in group) / 60
        )
        seeds = ', '.join(str(run['seed']) for run in group)
        parts += [
            f'### `{name}`',
            '',
            f'Seeds {seeds}; {minutes:.1f} minutes each on {first["hardware"]}; '
            f'code {first["code"]}, {first["date"]}. Seed {first["seed"]}:',
            '',
            '```bash',
            *[step['command'] for step in first['steps']],
            '```',
            '',
        ]
    return '\n'.join(parts).rstrip() + '\n'


def readme_with_table(text: str, runs: dict[str, list[dict[str, Any]]]) -> str:
    """README.md with the table between its markers replaced.

    It shows the demo and the runs of several seeds that do not only try a setting; all others are in
    docs/results.md.

    Raises:
        ValueError: A marker is missing.
    """
    shown = {
        name: group
        for name, group in runs.items()
        if name == 'demo'
        or (len(group) >= SEEDS_OF_A_CLAIM and not group[0].get('tries_a_setting'))
    }
    return replace_part(text, 'results', table(shown), 'README.md')


def method_page(text: str, runs: dict[str, list[dict[str, Any]]]) -> str:
    """A page with the tables behind its ``<!-- results: NAME -->`` markers replaced."""

    def replaced(found: re.Match[str]) -> str:
        word = found.group(1)
        of_method = {name: group for name, group in runs.items() if name.startswith(word)}
        sized = {name: group for name, group in of_method.items() if any(size_rows(name, group))}
        others = {name: group for name, group in of_method.items() if name not in sized}
        parts = [table(others) if others else '', size_table(sized)]
        body = '\n\n'.join(part for part in parts if part) or 'No runs are stored yet.'
        return f'<!-- results: {word} -->\n{body}\n<!-- /results -->\n'

    return METHOD.sub(replaced, text)


def pages(runs: Runs) -> dict[Path, str]:
    """The text of every page that shows stored runs."""
    readme = ROOT / 'README.md'
    wanted = {
        ROOT / 'docs' / 'results.md': page(runs),
        readme: readme_with_table(readme.read_text(encoding='utf-8'), runs),
    }
    docs = ROOT / 'docs'
    for path in (docs / 'pipelines.md', *sorted((docs / 'methods').glob('*.md'))):
        wanted[path] = method_page(path.read_text(encoding='utf-8'), runs)
    return wanted


def main() -> int:
    args = check_parser(__doc__).parse_args()
    try:
        wanted = pages(read_runs(ROOT / 'results'))
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return write_or_check(wanted, args.check, 'results/')


if __name__ == '__main__':
    sys.exit(main())

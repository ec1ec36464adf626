"""Make docs/results.md and the tables in README.md, docs/pipelines.md and docs/methods/ of results/.

The numbers are never typed: a row is the mean over the seeds of `results/<run>/seed*.json`, the summaries
that `tools/run_pipeline.py --results` keeps. `--check` fails if the pages are not what the summaries say.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from generated_pages import ROOT, check_parser, replace_part, write_or_check
from mmwsss.io import Score
from mmwsss.pipeline import Summary, read_summary

# On a method's page: the runs whose names begin with the word.
METHOD = re.compile(r'<!-- results: (\w+) -->\n(?:.*?<!-- /results -->\n)?', re.DOTALL)
SIZE_SCORES = ('mIoU', 'IA-mIoU', 'IA_S', 'IA_M', 'IA_L')
SEEDS_OF_A_CLAIM = 3
Runs = dict[str, list[Summary]]


class Row(NamedTuple):
    """What one stage of a run scored, by seed.

    Attributes:
        what: What was scored, and by which stage where several score the same.
        scored: Config that the score is of.
        scores: One per seed.
    """

    what: str
    scored: str
    scores: list[Score]

    def mean(self, metric: str) -> str:
        """Mean in percent, and the sample standard deviation where there are several seeds.

        Raises:
            ValueError: A seed lacks the metric, so that the columns would be means over other seeds.
        """
        values = [score.metrics.get(metric) for score in self.scores]
        if None in values:
            raise ValueError(f'seed {values.index(None)} of {self.what!r} lacks {metric}')
        return spread([round(100 * value, 6) for value in values])

    def protocol(self) -> str:
        """The protocol, with the thresholds of all seeds where they differ."""
        text = self.scores[0].protocol.text()
        thresholds = [f'{s.protocol.threshold or 0:g}' for s in self.scores]
        if len(set(thresholds)) > 1:
            text = text.replace(f'threshold {thresholds[0]}', f'thresholds {", ".join(thresholds)}')
        return text


def read_runs(folder: Path) -> Runs:
    """Summaries by run, in the order of the seeds."""
    runs: Runs = {}
    for path in sorted(folder.glob('*/seed*.json')):
        runs.setdefault(path.parent.name, []).append(read_summary(path))
    return {name: sorted(group, key=lambda run: run.seed or 0) for name, group in runs.items()}


def spread(values: Sequence[float]) -> str:
    """Mean, and the sample standard deviation where there are several values."""
    deviation = f' ± {statistics.stdev(values):.2f}' if len(values) > 1 else ''
    return f'{statistics.mean(values):.2f}{deviation}'


def rows(group: Sequence[Summary]) -> list[Row]:
    """What the stages of a run scored."""
    scores: dict[tuple[str, str], list[Score]] = {}
    configs: dict[tuple[str, str], str] = {}
    for run in group:
        made = ''
        for stage in run.stages:
            made = stage.config if stage.kind in ('maps', 'masks') else made
            for score in stage.scores:
                if score.miou is not None:
                    key = (stage.name, score.what)
                    scores.setdefault(key, []).append(score)
                    of_stage = stage.kind != 'score' or not made
                    configs[key] = stage.config if of_stage else made
    times = Counter(what for _, what in scores)
    return [
        Row(label(stage, what, configs[stage, what], times[what]), configs[stage, what], found)
        for (stage, what), found in scores.items()
    ]


def label(stage: str, what: str, config: str, times: int) -> str:
    """What was scored; where several stages score the same, the segmenter or the masks are named."""
    made = Path(config).stem if what == 'segmenter' else stage.removesuffix('_score')
    return what if times == 1 or made == what else f'{what} ({made})'


def table(runs: Runs, wanted: Callable[[Row], bool] = bool) -> str:
    """The table of mIoU."""
    lines = ['| run | scored | mIoU % | seeds | protocol |', '|---|---|---|---|---|']
    for name, group in runs.items():
        lines += [
            f'| `{name}` | {row.what} | {row.mean("mIoU")} | {len(row.scores)} | {row.protocol()} |'
            for row in rows(group)
            if wanted(row)
        ]
    return '\n'.join(lines) if len(lines) > 2 else ''


def has_sizes(row: Row) -> bool:
    """Whether a score tells objects apart by size."""
    return 'IA_S' in row.scores[0].metrics


def size_table(runs: Runs) -> str:
    """The table of the scores by size; empty if there are none."""
    head = ' | '.join(f'{key} %' for key in SIZE_SCORES)
    lines = [f'| run | {head} | seeds | protocol |', '|---' * (len(SIZE_SCORES) + 3) + '|']
    for name, group in runs.items():
        lines += [
            f'| `{name}` | {" | ".join(map(row.mean, SIZE_SCORES))} | {len(row.scores)} '
            f'| {row.protocol()} |'
            for row in rows(group)
            if has_sizes(row)
        ]
    return '\n'.join(lines) if len(lines) > 2 else ''


def claims(runs: Runs) -> Runs:
    """The demo, and the runs of several seeds that do not only try a setting."""
    return {
        name: group
        for name, group in runs.items()
        if name == 'demo' or (len(group) >= SEEDS_OF_A_CLAIM and not group[0].options)
    }


def page(runs: Runs) -> str:
    """The text of docs/results.md."""
    parts = [
        '# Measured results',
        '',
        'Made by `.dev/results_table.py` from the summaries of pipelines in `results/`; do not edit.',
        '`make bench-studies` runs those of three seeds; the commands below are those of the stages.',
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
        minutes = statistics.mean(run.seconds for run in group) / 60
        code = ', '.join(dict.fromkeys(stage.code for stage in first.stages))
        options = ', '.join(f'`{key}={value}`' for key, value in first.options.items())
        parts += [
            f'### `{name}`',
            '',
            f'`{first.pipeline}`' + f' with {options}' * bool(options) + '. '
            f'Seeds {", ".join(str(run.seed) for run in group)}; {minutes:.1f} minutes each on '
            f'{first.hardware}; code {code}, {first.stages[0].date}. Seed {first.seed}:',
            '',
            '```bash',
            *[stage.command for stage in first.stages if stage.command],
            '```',
            '',
        ]
    return '\n'.join(parts).rstrip() + '\n'


def method_page(text: str, runs: Runs) -> str:
    """A page with the tables behind its ``<!-- results: NAME -->`` markers replaced."""

    def replaced(found: re.Match[str]) -> str:
        word = found.group(1)
        chosen = {name: group for name, group in runs.items() if name.startswith(word)}
        parts = [table(chosen, lambda row: not has_sizes(row)), size_table(chosen)]
        body = '\n\n'.join(part for part in parts if part) or 'No runs are stored yet.'
        return f'<!-- results: {word} -->\n{body}\n<!-- /results -->\n'

    return METHOD.sub(replaced, text)


def pages(runs: Runs) -> dict[Path, str]:
    """The text of every page that shows stored runs."""
    readme, docs = ROOT / 'README.md', ROOT / 'docs'
    text = readme.read_text(encoding='utf-8')
    wanted = {
        docs / 'results.md': page(runs),
        readme: replace_part(text, 'results', table(claims(runs)), 'README.md'),
    }
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

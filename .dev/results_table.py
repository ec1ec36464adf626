"""Make docs/results.md of results/.

The numbers are never typed: a row is the mean over the seeds of `results/<run>/seed*.json`, the summaries
that `tools/run_pipeline.py --results` keeps. `--check` fails if the page is not what the summaries say.
Commands, hardware and the protocol of every row stay in the summaries.
"""

from __future__ import annotations

import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from generated_pages import ROOT, check_parser, write_or_check
from mmwsss.io import Score
from mmwsss.pipeline import Summary, read_summary

SIZE_SCORES = ('mIoU', 'IA-mIoU', 'IA_S', 'IA_M', 'IA_L')
SEEDS_OF_A_CLAIM = 3
Runs = dict[str, list[Summary]]
HEAD = """# Measured results

Only what this code scored; published numbers are on the pages of the methods. Mean ± sample standard
deviation over seeds. `vocmini` is a part of PASCAL VOC 2012, 149 training and 21 validation images, on
which a MobileNetV2 trains on two CPU cores: it tells whether the parts work together, not what they reach
on the full data set. Its recipes were found with its masks at hand, and scores on 21 images scatter by two
to three points between seeds.

Made by `.dev/results_table.py` from `results/<run>/seed<N>.json`, which also hold commands, code, hardware
and IoU by class; `make bench-studies` repeats the runs of three seeds."""
SIZES = """Size-balanced loss on true masks, tested on 78 images of `coco_mini/voc20` at scale 1, no CRF;
`swapped`: training and test images exchanged, 77 test images, where tau and lambda were chosen.
`frozen_sw`: the two readings of equation 3 on a frozen ImageNet backbone, tested on 363 images of VOC val;
objects are components of the true masks."""
SINGLE = """One or two seeds: settings that were tried, whole chains (`pipeline_`), part of the images
(`1of4`, `1of8`), 2,899 images of VOC, scored on 701 of them (`voc12part`). The protocol of each row is
in its file. "Maps at best threshold" uses the ground truth."""


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


def table(runs: Runs, with_protocol: bool = True) -> str:
    """The table of mIoU; without protocol also without the score that the masks repeat."""
    last = (' protocol |', '---|') if with_protocol else ('', '')
    lines = [f'| run | scored | mIoU % | seeds |{last[0]}', f'|---|---|---|---|{last[1]}']
    for name, group in runs.items():
        for row in rows(group):
            if not has_sizes(row) and (with_protocol or row.what != 'maps without threshold'):
                end = f' {row.protocol()} |' * with_protocol
                line = f'| `{name}` | {row.what} | {row.mean("mIoU")} | {len(row.scores)} |{end}'
                lines.append(line)
    return '\n'.join(lines) if len(lines) > 2 else ''


def has_sizes(row: Row) -> bool:
    """Whether a score tells objects apart by size."""
    return 'IA_S' in row.scores[0].metrics


def size_table(runs: Runs) -> str:
    """The table of the scores by size; empty if there are none."""
    head = ' | '.join(f'{key} %' for key in SIZE_SCORES)
    lines = [f'| run | {head} | seeds |', '|---' * (len(SIZE_SCORES) + 2) + '|']
    for name, group in runs.items():
        lines += [
            f'| `{name}` | {" | ".join(map(row.mean, SIZE_SCORES))} | {len(row.scores)} |'
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
    main = claims(runs)
    others = {name: group for name, group in runs.items() if name not in main}
    parts = [HEAD, table(main)]
    if sizes := size_table(runs):
        parts += ['## By size of the objects', SIZES, sizes]
    if single := table(others, with_protocol=False):
        parts += ['## Single settings', SINGLE, single]
    return '\n\n'.join(parts) + '\n'


def main() -> int:
    args = check_parser(__doc__).parse_args()
    try:
        wanted = {ROOT / 'docs' / 'results.md': page(read_runs(ROOT / 'results'))}
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return write_or_check(wanted, args.check, 'results/')


if __name__ == '__main__':
    sys.exit(main())

"""Make docs/results.md and the README's table of results/.

The numbers are never typed: a row is the mean over the seeds of `results/<run>/seed*.json`, the summaries
that `tools/run_pipeline.py --results` keeps. `--check` fails if the page is not what the summaries say.
Commands, hardware and the protocol of every row stay in the summaries.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from generated_pages import ROOT, check_parser, replace_part, write_or_check
from mmwsss.io import Protocol, Score
from mmwsss.pipeline import Summary, read_summary
from mmwsss.pipeline.summary import StageSummary

SIZE_SCORES = ('mIoU', 'IA-mIoU', 'IA_S', 'IA_M', 'IA_L')
TOGETHER = ('threshold', 'threshold_source', 'uses_ground_truth')
# Options of a pipeline that choose other configs or images, and leave the settings of configs alone.
SAME_SETTINGS = re.compile(r'configs\.\w+|stages\.\w+\.list')
STAGE_FOLDER = re.compile(r'work_dirs/\S*?/(\w+)(?=[/\s]|$)')
Runs = dict[str, list[Summary]]
HEAD = """# Measured results

Only what this code scored; published numbers are on the pages of the methods. Mean ± sample standard
deviation over seeds; differences are to the first row, seed by seed, with the number of seeds in which they
are positive. On VOC itself, EfficientNet-Lite2 and 2,899 training images, whose data
`.dev/voc12_part.py` makes. `vocmini`: 149 training images and
MobileNetV2, whose recipes were found with its masks at hand; it tells whether the parts work together.

Made by `.dev/results_table.py` from `results/<run>/seed<N>.json`, which also hold commands, code, hardware
and IoU by class; `make bench-studies` repeats the runs of three seeds. Scores by size: objects are
components of the true masks, or those of the instance maps of `coco_mini/voc20` where the protocol says so;
the readings of equation 3 are compared on a frozen ImageNet backbone."""
CLAIMED = """Points of difference, published with larger networks on full data, and here: "holds" if all
seeds, at least two, agree and the mean is half of the published one or more. Rows of 149 images are
`vocmini`'s, that of 78 `coco_mini`'s."""


class Entry(NamedTuple):
    """A row: the run, what of it was scored (:attr:`Row.what`), and its name in a question's table."""

    run: str
    what: str
    text: str = ''


class Question(NamedTuple):
    """What is compared under one protocol.

    Attributes:
        title: Heading.
        entries: The rows, the baseline first.
        metrics: Columns.
        metric: The one whose difference is shown.
    """

    title: str
    entries: tuple[Entry, ...]
    metrics: tuple[str, ...] = ('mIoU',)
    metric: str = 'mIoU'


class Claim(NamedTuple):
    """What a paper says is better, and by how many points there.

    Attributes:
        text: The claim.
        published: Points on the paper's data and network.
        better: The row said to be better.
        baseline: Than which.
        metric: By which metric.
    """

    text: str
    published: float
    better: Entry
    baseline: Entry
    metric: str = 'mIoU'


class Method(NamedTuple):
    """A row of the README's table: a method, and the rows of its maps, masks and segmenter."""

    text: str
    maps: Entry | None = None
    masks: Entry | None = None
    segmenter: Entry | None = None


RPNET = 'rpnet_mobilenetv2_vocmini'
BEST, ARGMAX = 'maps at best threshold', 'maps without threshold'
SEGMENTER, CRF = 'segmenter', ', CRF'
VOC, LOCALIZERS = 'refiners_lite2_voc12part', 'localizers_lite2_voc12part'
PART = 'deeplabv2_lite2_voc12part_pseudo'
SIPE = 'sipe_lite2_voc12part'
READING = 'deeplabv2_lite2_voc12part_frozen_sw'
LOSS, LOSS_VOC = 'size_balanced_mobilenetv2_mini', 'size_balanced_lite2_voc12part'
SIPE_PARTS = (
    ('', 'all of it'),
    ('_ipe-only', 'without consistency'),
    ('_semantic', 'semantic features only'),
    ('_alpha1', 'alpha 1 at test'),
    ('_no-background', 'no prototype of the background'),  # nor an argmax
)
QUESTIONS = (
    Question('Which localizer on VOC itself? Its maps', (
        Entry(LOCALIZERS, f'{BEST} (maps)', 'CAM'),
        Entry(LOCALIZERS, f'{BEST} (recam_maps)', 'ReCAM'),
        Entry(LOCALIZERS, f'{BEST} (seam_maps)', 'SEAM'),
        Entry('amn_lite2_voc12part', BEST, 'AMN'),
        Entry(LOCALIZERS, f'{BEST} (rpnet_maps)', 'RPNet'),
        Entry(VOC, BEST, 'SIPE'),
        Entry(f'{VOC}_general-cam', BEST, "the CAM of SIPE's network"),
    )),
    *(
        Question(
            f'Which parts of SIPE matter on VOC itself? Maps {how}',
            tuple(Entry(f'{VOC}{part}', what, text) for part, text in parts),
        )
        for how, what, parts in (
            ('at their best threshold', BEST, SIPE_PARTS),
            ('by argmax', ARGMAX, SIPE_PARTS[:-1]),
        )
    ),
    Question('Which localizer on VOC itself? Its masks', (
        Entry(LOCALIZERS, 'masks', 'CAM, usual threshold'),
        Entry(LOCALIZERS, 'masks (chosen_masks)', 'CAM, threshold chosen'),
        Entry(LOCALIZERS, 'masks (recam_masks)', 'ReCAM, threshold chosen'),
        Entry(LOCALIZERS, 'masks (seam_masks)', 'SEAM, threshold chosen'),
        Entry('amn_lite2_voc12part', 'masks', 'AMN, threshold chosen'),
        Entry(LOCALIZERS, 'masks (rpnet_masks)', 'RPNet, threshold chosen'),
        Entry(VOC, 'masks (chosen_masks)', 'SIPE, threshold chosen'),
    )),
    Question("By how many images is a threshold chosen? SIPE's masks", (
        Entry('sipe_lite2_voc12part_300', 'masks', '300'),
        Entry('sipe_lite2_voc12part_1200', 'masks', '1,200'),
        Entry('sipe_lite2_voc12part', 'masks', 'all 2,899'),
    )),
    Question("Which refiner on VOC itself? On SIPE's maps", (
        Entry(VOC, 'masks', 'none'),
        Entry(VOC, 'masks (vote_masks)', 'votes of superpixels'),
        Entry(VOC, 'masks (par_masks)', 'PAR'),
        Entry(VOC, 'masks (chosen_masks)', 'threshold, chosen'),
        Entry(VOC, 'masks (chosen_par_masks)', 'threshold, PAR'),
        Entry(VOC, 'masks (crf_masks)', 'threshold, dense CRF'),
        Entry('sipe_irn_lite2_voc12part', 'masks', 'IRNet'),
        Entry('sipe_irn_lite2_voc12part', 'masks (crf_masks)', 'IRNet, dense CRF'),
        Entry(VOC, 'masks (box_masks)', 'boxes of true components'),
    )),
    Question("Do classifiers of each image help? On SIPE's maps", (
        Entry(f'{VOC}_100', 'masks (chosen_masks)', 'threshold'),
        Entry(f'{VOC}_100', 'masks (svm_masks)', 'threshold, SVM'),
        Entry(f'{VOC}_100', 'masks (crf_masks)', 'threshold, dense CRF'),
    )),
    Question('What does a segmenter learn from?', (
        Entry('cam_lite2_voc12part', SEGMENTER, "CAM's masks, threshold chosen"),
        Entry('sipe_lite2_voc12part', SEGMENTER, "SIPE's masks, threshold chosen"),
        Entry('sipe_lite2_voc12part_1200', SEGMENTER, 'the same, chosen by 1,200 images'),
        Entry('sipe_lite2_voc12part_300', SEGMENTER, 'the same, chosen by 300 images'),
        Entry('sipe_lite2_voc12part_300', SEGMENTER + CRF, 'the latter, CRF on its output'),
        Entry('sipe_irn_lite2_voc12part', SEGMENTER, "SIPE's masks by IRNet and dense CRF"),
        Entry(f'{PART}_true-masks', SEGMENTER, 'true masks'),
    )),
    Question("Which segmenter? On SIPE's masks", (
        Entry('sipe_lite2_voc12part', SEGMENTER, 'DeepLabV2'),
        Entry('sipe_lite2_voc12part_deeplabv3plus', SEGMENTER, 'DeepLabV3+'),
    )),
    Question('Which segmenter? On masks of IRNet and dense CRF', (
        Entry('sipe_irn_lite2_voc12part_deeplabv2', SEGMENTER, 'DeepLabV2'),
        Entry('sipe_irn_lite2_voc12part_deeplabv3plus', SEGMENTER, 'DeepLabV3+'),
    )),
    Question('Is the backbone trained, too? On true masks, in the same time', (
        Entry(f'{PART}_frozen_20min', SEGMENTER, 'no, 1,000 steps, 20 minutes'),
        Entry(f'{PART}_unfrozen_20min', SEGMENTER, 'all but four stages, 330 steps, 20 minutes'),
        Entry(f'{PART}_frozen', SEGMENTER, 'no, 300 steps, 8 minutes'),
        Entry(f'{PART}_unfrozen', SEGMENTER, 'all but four stages, 150 steps, 8 minutes'),
    )),
    Question('Do scribbles suffice? With the earlier recipe', (
        Entry('scribbles_lite2_voc12part', SEGMENTER, 'scribbles, 2 % of the pixels'),
        Entry(f'{PART}_earlier', SEGMENTER, 'true masks'),
    )),
    Question('A single class: do photos without it help? Masks of cats', (
        Entry('one_class_no-negatives', 'masks', 'left out'),
        Entry('one_class_negatives', 'masks', 'negatives'),
    )),
    Question('Which loss on VOC itself? On true masks', (
        Entry(f'{PART}_true-masks', SEGMENTER, 'cross-entropy'),
        Entry(f'{LOSS_VOC}_sw', SEGMENTER, 'size-weighted'),
        Entry(f'{LOSS_VOC}_sb', SEGMENTER, 'size-balanced'),
    ), SIZE_SCORES, 'IA_S'),
    Question("Which loss on VOC itself? On SIPE's masks", (
        Entry(f'{SIPE}_ce', SEGMENTER, 'cross-entropy'),  # on the same masks, seed by seed
        Entry(f'{SIPE}_sw', SEGMENTER, 'size-weighted'),
        Entry(f'{SIPE}_sb', SEGMENTER, 'size-balanced'),
    ), SIZE_SCORES, 'IA_S'),
    Question('Which loss? On coco_mini', (
        Entry(f'{LOSS}_ce', SEGMENTER, 'cross-entropy'),
        Entry(f'{LOSS}_sw', SEGMENTER, 'size-weighted'),
        Entry(f'{LOSS}_sb', SEGMENTER, 'size-balanced'),
    ), SIZE_SCORES, 'IA_S'),
    Question('Which reading of equation 3?', (
        Entry(f'{READING}-image', SEGMENTER, "`total='image'`"),
        Entry(f'{READING}-class', SEGMENTER, "`total='class'`"),
    ), SIZE_SCORES, 'IA_S'),
)  # fmt: skip

CLAIMS = (
    Claim("SIPE's maps are better than CAM's", 8.5,
          Entry(VOC, BEST), Entry(LOCALIZERS, f'{BEST} (maps)')),
    Claim("so are those of its prototypes alone (IPE)", 3.1,
          Entry(f'{VOC}_ipe-only', BEST), Entry(LOCALIZERS, f'{BEST} (maps)')),
    Claim('and consistency (GSC) adds to them', 5.4,
          Entry(VOC, BEST), Entry(f'{VOC}_ipe-only', BEST)),
    Claim("RPNet's maps are better than CAM's", 2.5,
          Entry(LOCALIZERS, f'{BEST} (rpnet_maps)'), Entry(LOCALIZERS, f'{BEST} (maps)')),
    Claim('pairs of images help RPNet', 1.0,
          Entry(RPNET, BEST), Entry(f'{RPNET}_g1', BEST)),
    Claim('with a sixteenth of the images RPNet is far better than CAM', 28.7,
          Entry('rpnet_lite2_voc12part_1of16', BEST), Entry('cam_lite2_voc12part_1of16', BEST)),
    Claim("a dense CRF improves SIPE's masks", 6.1,
          Entry(VOC, 'masks (crf_masks)'), Entry(VOC, 'masks (chosen_masks)')),
    Claim('an SVM on true labels does better with the first stage (F1) than the last (F5)', 20.8,
          Entry('svm_lite2_voc12part_true-masks', 'F1'),
          Entry('svm_lite2_voc12part_true-masks', 'F5')),
    Claim('size weights find small objects', 4.2,
          Entry(f'{LOSS}_sw', SEGMENTER), Entry(f'{LOSS}_ce', SEGMENTER), 'IA_S'),
    Claim('also on VOC', 4.2,
          Entry(f'{LOSS_VOC}_sw', SEGMENTER), Entry(f'{PART}_true-masks', SEGMENTER), 'IA_S'),
    Claim('the size-balanced loss does so, too', 5.6,
          Entry(f'{LOSS_VOC}_sb', SEGMENTER), Entry(f'{PART}_true-masks', SEGMENTER), 'IA_S'),
    Claim('and does not cost mIoU', 0.6,
          Entry(f'{LOSS_VOC}_sb', SEGMENTER), Entry(f'{PART}_true-masks', SEGMENTER)),
)  # fmt: skip
METHODS = (
    Method('CAM, threshold chosen',
           Entry(LOCALIZERS, f'{BEST} (maps)'), Entry('cam_lite2_voc12part', 'masks'),
           Entry('cam_lite2_voc12part', SEGMENTER)),
    Method('ReCAM, threshold chosen',
           Entry(LOCALIZERS, f'{BEST} (recam_maps)'), Entry(LOCALIZERS, 'masks (recam_masks)')),
    Method('SEAM, threshold chosen',
           Entry(LOCALIZERS, f'{BEST} (seam_maps)'), Entry(LOCALIZERS, 'masks (seam_masks)')),
    Method('AMN, threshold chosen',
           Entry('amn_lite2_voc12part', BEST), Entry('amn_lite2_voc12part', 'masks')),
    Method('RPNet, threshold chosen',
           Entry(LOCALIZERS, f'{BEST} (rpnet_maps)'), Entry(LOCALIZERS, 'masks (rpnet_masks)')),
    Method('SIPE',
           Entry(VOC, BEST), Entry(VOC, 'masks')),
    Method('SIPE, threshold chosen', None, Entry('sipe_lite2_voc12part', 'masks'),
           Entry('sipe_lite2_voc12part', SEGMENTER)),
    Method('SIPE, threshold chosen, dense CRF', None, Entry(VOC, 'masks (crf_masks)')),
    Method('SIPE, IRNet', None, Entry('sipe_irn_lite2_voc12part', 'masks')),
    Method('SIPE, IRNet, dense CRF', None,
           Entry('sipe_irn_lite2_voc12part', 'masks (crf_masks)'),
           Entry('sipe_irn_lite2_voc12part', SEGMENTER)),
    Method('SIPE, boxes of objects', None, Entry(VOC, 'masks (box_masks)')),
    Method('true masks', None, None, Entry(f'{PART}_true-masks', SEGMENTER)),
)  # fmt: skip


class Row(NamedTuple):
    """What one stage of a run scored, by seed.

    Attributes:
        what: What was scored, and by which stage where several score the same.
        stage: Name of the stage.
        scored: Config that the score is of.
        scores: Score by seed.
    """

    what: str
    stage: str
    scored: str
    scores: dict[int, Score]

    def values(self, metric: str) -> dict[int, float]:
        """The metric in percent by seed.

        Raises:
            ValueError: A seed lacks it, so that the columns would be means over other seeds.
        """
        values = {seed: score.metrics.get(metric) for seed, score in self.scores.items()}
        for seed, value in values.items():
            if value is None:
                raise ValueError(f'seed {seed} of {self.what!r} lacks {metric}')
        return {seed: round(100 * value, 6) for seed, value in values.items()}

    def mean(self, metric: str) -> str:
        """Mean in percent, and the sample standard deviation where there are several seeds."""
        return spread(list(self.values(metric).values()))


def read_runs(folder: Path) -> Runs:
    """Summaries by run, in the order of the seeds."""
    runs: Runs = {}
    for path in sorted(folder.glob('*/seed*.json')):
        runs.setdefault(path.parent.name, []).append(read_summary(path))
    return {name: sorted(group, key=lambda run: run.seed or 0) for name, group in runs.items()}


def as_configured(run: Summary) -> bool:
    """Whether a run used its configs' settings as they are, and tried no others."""
    return all(map(SAME_SETTINGS.fullmatch, run.options))


def spread(values: Sequence[float]) -> str:
    """Mean, and the sample standard deviation where there are several values."""
    return f'{statistics.mean(values):.2f}{deviation(values)}'


def deviation(values: Sequence[float]) -> str:
    """Sample standard deviation behind a plus-minus sign; empty for a single value."""
    return f' ± {statistics.stdev(values):.2f}' if len(values) > 1 else ''


def rows(group: Sequence[Summary]) -> list[Row]:
    """What the stages of a run scored."""
    scores: dict[tuple[str, str], dict[int, Score]] = {}
    configs: dict[tuple[str, str], str] = {}
    for run in group:
        made = ''
        for stage in run.stages:
            made = stage.config if stage.kind in ('maps', 'masks') else made
            for score in stage.scores:
                crf = stage.kind == 'test' and score.protocol.crf
                if score.miou is not None:
                    key = (stage.name, f'{score.what}{CRF}' if crf else score.what)
                    scores.setdefault(key, {})[run.seed or 0] = score
                    of_stage = stage.kind != 'score' or not made
                    configs[key] = stage.config if of_stage else made
    times = Counter(what for _, what in scores)
    return [
        Row(
            label(stage, what, configs[stage, what], times[what]),
            stage,
            configs[stage, what],
            found,
        )
        for (stage, what), found in scores.items()
    ]


def label(stage: str, what: str, config: str, times: int) -> str:
    """What was scored; where several stages score the same, the segmenter or the masks are named."""
    made = Path(config).stem if what.startswith('segmenter') else stage.removesuffix('_score')
    return what if times == 1 or made == what else f'{what} ({made})'


def find(runs: Runs, entry: Entry) -> Row:
    """The row that an entry names.

    Raises:
        ValueError: The run has none.
    """
    found = {row.what: row for row in rows(runs.get(entry.run, []))}
    if entry.what not in found:
        raise ValueError(f'results/{entry.run} has no {entry.what!r}; it has {", ".join(found)}')
    return found[entry.what]


def protocols(found: Sequence[Row]) -> tuple[str, list[str]]:
    """What holds for all rows and seeds, and what is each row's own."""
    first, *others = (vars(score.protocol) for row in found for score in row.scores.values())
    same = {name for name, value in first.items() if all(o[name] == value for o in others)}
    if not same.issuperset(TOGETHER):
        same.difference_update(TOGETHER)
    shared = Protocol(**{name: first[name] for name in same}).text()
    return shared, [own_protocol(row, same) for row in found]


def own_protocol(row: Row, shared: set[str]) -> str:
    """The protocol without what holds for all rows; numbers that differ between seeds stand side by side."""
    texts = []
    for score in row.scores.values():
        own = {name: value for name, value in vars(score.protocol).items() if name not in shared}
        texts.append(Protocol(**own).text().removeprefix('0 images').removeprefix(', '))
    columns = zip(*(re.split(r'(\d+\.?\d*)', text) for text in texts))
    return ''.join(column[0] if len(set(column)) == 1 else ', '.join(column) for column in columns)


def differences(row: Row, baseline: Row, metric: str) -> list[float]:
    """Row minus baseline, of the seeds that both have."""
    one, other = row.values(metric), baseline.values(metric)
    return [round(one[seed] - other[seed], 6) for seed in one if seed in other]


def difference(found: Sequence[float]) -> str:
    """Mean difference over the seeds, and in how many of them it is positive."""
    positive = sum(value > 0 for value in found)
    return f'{statistics.mean(found):+.2f}{deviation(found)} ({positive} of {len(found)})'


def question(runs: Runs, asked: Question) -> str:
    """Heading, protocol and table of a question."""
    found = [find(runs, entry) for entry in asked.entries]
    shared, own = protocols(found)
    seeds = sorted({len(row.scores) for row in found})
    columns = [*(f'{name} %' for name in asked.metrics), f'difference in {asked.metric}']
    lines = [
        f'| | {" | ".join(columns)} |' + ' |' * any(own),
        '|---' * (len(columns) + 1 + any(own)) + '|',
    ]
    for entry, row, text in zip(asked.entries, found, own):
        gain = differences(row, found[0], asked.metric)
        cells = [*map(row.mean, asked.metrics), '' if row is found[0] else difference(gain)]
        lines.append(f'| {entry.text} | {" | ".join(cells)} |' + f' {text} |' * any(own))
    count = ' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
    count += ' seed' if count == '1' else ' seeds'
    return '\n'.join([f'## {asked.title}', '', f'{count}; {shared}.', '', *lines])


def claim_table(runs: Runs, claims: Sequence[Claim]) -> str:
    """One row per claim: the published difference, that of here, and whether they agree."""
    lines = ['| claim | published | here | images | |', '|---|---|---|---|---|']
    for claim in claims:
        row = find(runs, claim.better)
        found = differences(row, find(runs, claim.baseline), claim.metric)
        images = next(iter(row.scores.values())).protocol.images
        cells = f'{claim.metric} {claim.published:+.1f} | {difference(found)} | {images}'
        lines.append(f'| {claim.text} | {cells} | {verdict(claim.published, found)} |')
    return '\n'.join(lines)


def verdict(published: float, found: Sequence[float]) -> str:
    """Whether the differences agree with the published one; a single seed decides nothing."""
    shares = [value / published for value in found]
    if len(shares) < 2:
        return 'one seed'
    if min(shares) > 0:
        return 'holds' if statistics.mean(shares) >= 0.5 else 'in sign only'
    return 'does not hold' if max(shares) < 0 else 'open'


def method_table(runs: Runs, methods: Sequence[Method]) -> str:
    """The README's table: mIoU of each method's maps, masks and segmenter, and how long the last took."""
    lines = ['| method | maps | masks | segmenter | seeds | minutes |', '|---|---|---|---|---|---|']
    for method in methods:
        found = [entry and find(runs, entry) for entry in method[1:]]
        cells = [row.mean('mIoU') if row else '' for row in found]
        seeds = ', '.join(map(str, dict.fromkeys(len(row.scores) for row in found if row)))
        run, row = [
            (runs[entry.run], row) for entry, row in zip(method[1:], found) if entry and row
        ][-1]
        lines.append(
            f'| {named(method.text, found[1])} | {" | ".join(cells)} | {seeds} | {minutes(run, row):.0f} |'
        )
    return '\n'.join(lines)


def named(text: str, masks: Row | None) -> str:
    """A method's name and, where its masks have a chosen threshold, by how many images it was chosen."""
    sources = [score.protocol.threshold_source for score in masks.scores.values()] if masks else []
    counts = [int(n) for source in sources for n in re.findall(r'colours of (\d+) images', source)]
    if not counts:
        return text
    by = ' to '.join(f'{n:,}' for n in dict.fromkeys((min(counts), max(counts))))
    return text.replace('threshold chosen', f'threshold chosen by {by} images')


def minutes(group: Sequence[Summary], row: Row) -> float:
    """How long the stages that led to a row took, in the seed that other work disturbed least."""
    times = [
        sum(stage.seconds for stage in leading(run.stages, row.stage))
        for run in group
        if (run.seed or 0) in row.scores
    ]
    return min(times) / 60


def leading(stages: Sequence[StageSummary], last: str) -> Iterator[StageSummary]:
    """A stage and those that it depends on, which are the folders in their commands."""
    needed = {last}
    for stage in reversed(stages):
        if stage.name in needed:
            needed.update(STAGE_FOLDER.findall(stage.command))
            yield stage


def page(runs: Runs, questions: Sequence[Question], claims: Sequence[Claim] = ()) -> str:
    """The text of docs/results.md."""
    parts = [HEAD, *(question(runs, one) for one in questions)]
    if claims:
        parts += ['## Do the claims of the papers hold here?', CLAIMED, claim_table(runs, claims)]
    return re.sub(r'package://\S*/', '', '\n\n'.join(parts)) + '\n'  # weights by their file


def generated(runs: Runs) -> dict[Path, str]:
    """The text of docs/results.md and of the README."""
    readme = ROOT / 'README.md'
    table = method_table(runs, METHODS)
    return {
        ROOT / 'docs' / 'results.md': page(runs, QUESTIONS, CLAIMS),
        readme: replace_part(readme.read_text('utf-8'), 'results', table, readme.name),
    }


def main() -> int:
    args = check_parser(__doc__).parse_args()
    try:
        wanted = generated(read_runs(ROOT / 'results'))
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return write_or_check(wanted, args.check, 'results/')


if __name__ == '__main__':
    sys.exit(main())

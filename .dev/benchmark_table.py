"""Make the tables of docs/benchmarks.md, and summary.json, from the figures in benchmarks/results/.

The numbers are never typed. `--check` fails if one of the two is not what the figures say.
"""

from __future__ import annotations

import json
import operator
import sys
from pathlib import Path
from typing import Any, NamedTuple

from generated_pages import ROOT, check_parser, replace_part, write_or_check

HEADER = '| figure | measured | goal | met | on |\n|---|---|---|---|---|\n'
HEAD_TIME = 'head forward+backward / correlation forward+backward'
HEAD_MEMORY = 'head forward+backward / plain head forward+backward'
LIMITS = {'<=': operator.le, '>=': operator.ge, '<': operator.lt}


class Row(NamedTuple):
    """A figure of a benchmark.

    Attributes:
        text: what it is.
        file: name of its JSON file.
        keys: where in the results it stands: a number, or a dict with ``ratio`` and its spread.
        limit: ``<=``, ``>=`` or ``<``.
        goal: what it is compared with, in its own unit.
        unit: printed behind the number; ``%`` multiplies by 100.
    """

    text: str
    file: str
    keys: tuple[str, ...]
    limit: str
    goal: float
    unit: str = 'x'


SIPE_CASES = {
    'N16_K20_32x32_C2048': '16 images, 20 classes, 32x32',
    'N1_K80_64x64_C2048': '1, 80, 64x64',
}
RPNET_CASES = {
    'mobilenetv2_N16_288': 'MobileNetV2, 16 images of 288 pixels',
    'r50_N4_512': 'ResNet-50, 4 images of 512 pixels',
}
ROWS = (
    *(
        Row(f'SIPE head / unavoidable correlation, forward + backward ({text})', 'sipe_head',
            (case, 'time', HEAD_TIME), '<=', 1.25)
        for case, text in SIPE_CASES.items()
    ),
    *(
        Row(f'SIPE head: peak memory / plain formulation ({text})', 'sipe_head',
            (case, 'memory', HEAD_MEMORY), '<=', 0.4, '%')
        for case, text in SIPE_CASES.items()
    ),
    *(
        Row(f'training step with RPNet head / with CAM head, pairs ({text})', 'rpnet_head',
            (case, 'time', 'head / classifier'), '<=', 1.15)
        for case, text in RPNET_CASES.items()
    ),
    Row('4-scale mirrored SIPE maps of a 500x375 image / backbone passes alone (ResNet-50)', 'maps',
        ('sipe_r50_voc',), '<=', 1.2),
    Row('IRNet training step (ResNet-50, 4 images of 512 pixels): formulas as they stand / ours',
        'irn_step', ('step',), '>=', 1.1),
    Row('random walk, 70x94 grid: dense matrix squaring / ours', 'random_walk',
        ('70x94', 'dense_over_stencil'), '>=', 100),
    Row('random walk, 70x94 grid: memory of dense squaring / ours', 'random_walk',
        ('70x94', 'dense_memory_over_stencil'), '>=', 10),
    Row('random walk, 94x125 grid', 'random_walk', ('94x125', 'stencil', 'seconds'), '<', 1, 's'),
    Row('SVM, 3 labels, 24 channels: scikit-learn predict / exact', 'svm',
        ('local24', 'exact'), '>=', 25),
    Row('SVM exact: labels equal to scikit-learn', 'svm',
        ('local24', 'exact', 'agreement'), '>=', 0.999, '%'),
    Row('SVM, 3 labels, 24 channels: scikit-learn predict / Nystroem', 'svm',
        ('local24', 'nystroem'), '>=', 150),
    Row('SVM Nystroem: labels equal to scikit-learn', 'svm',
        ('local24', 'nystroem', 'agreement'), '>=', 0.98, '%'),
    Row('dense CRF, two label maps, 3 labels: two lattices / shared lattice', 'crf',
        ('pair_3_labels',), '>=', 1.4),
    Row('dense CRF: one process / pool of two', 'crf', ('pool',), '>=', 1.7),
    Row('dense CRF: pool of two / two processes that share nothing', 'crf',
        ('pool', 'over_bare'), '<=', 1.1),
    *(
        Row(f'{name}, 500x375 image, 3 labels: {what}', 'refiners', (name, key), '<', goal, unit)
        for name in ('dense CRF', 'PAR', 'SegmentVote')
        for what, key, goal, unit in (
            ('CPU time', 'seconds', 2, 's'),
            ('memory', 'memory_mib', 300, 'MiB'),
        )
    ),
    Row('IA-mIoU, 500x375: plain loop / ours', 'ia_miou', ('plain_over_ours',), '>=', 20),
    Row('IA-mIoU of a 1,449-image split', 'ia_miou', ('split', 'seconds'), '<', 30, 's'),
    Row('size weights of a 321x321 mask', 'size_weights',
        ('milliseconds_per_mask', 'median'), '<=', 3, 'ms'),
    Row('size weights / DeepLabV2 training step', 'size_weights',
        ('share_of_training_step',), '<=', 0.03, '%'),
)  # fmt: skip

PEER_HEADER = '| stage and plain formulation | time | memory |\n|---|---|---|\n'


class Peer(NamedTuple):
    """What a plain formulation of the same work takes, in ours.

    Attributes:
        text: the stage, and what is plain about it.
        file: name of the JSON file.
        time: where in the results the ratio of the times stands.
        memory: the same of the memory; empty if it was not measured.
        is_ours_first: whether they are ours / plain, and so turned over.
    """

    text: str
    file: str
    time: tuple[str, ...]
    memory: tuple[str, ...] = ()
    is_ours_first: bool = False


SIPE_PLAIN = 'head forward+backward / plain head forward+backward'
PEERS = (
    *(
        Peer(f'SIPE head, broadcast over pixels and classes ({text})', 'sipe_head',
             (case, 'time', SIPE_PLAIN), (case, 'memory', SIPE_PLAIN), True)
        for case, text in SIPE_CASES.items()
    ),
    *(
        Peer(f'RPNet training step, cosine of all pixels and prototypes ({text})', 'rpnet_head',
             (case, 'time', 'head / plain'), (case, 'memory', 'head / plain'), True)
        for case, text in RPNET_CASES.items()
    ),
    Peer('random walk, sparse matrix of torch', 'random_walk', ('70x94', 'torch_csr')),
    Peer('size weights, a mask for each component', 'size_weights', ('plain_over_ours',)),
)  # fmt: skip


def read(folder: Path, file: str, keys: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    """A figure and the environment it was measured in; None where it was not measured."""
    path = folder / f'{file}.json'
    if not path.is_file():
        return None, {}
    content = json.loads(path.read_text(encoding='utf-8'))
    found = content['results']
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found, content['environment']


def show(value: float, unit: str) -> str:
    """A number with three significant digits and its unit."""
    value = 100 * value if unit == '%' else value
    digits = f'{value:.0f}' if value >= 100 else f'{value:.3g}'
    return f'{digits}{"" if unit == "x" else " "}{unit}'


def line(folder: Path, row: Row) -> str:
    """The row of the table."""
    goal = f'{row.limit} {show(row.goal, row.unit)}'
    found, environment = read(folder, row.file, row.keys)
    if found is None:
        return f'| {row.text} | not measured | {goal} | | |'
    value, spread = found, ''
    if isinstance(found, dict):
        value = found['ratio']
        spread = f' ({show(found["ratio_min"], row.unit)} to {show(found["ratio_max"], row.unit)})'
    met = 'yes' if LIMITS[row.limit](value, row.goal) else 'no'
    measured, date = f'{show(value, row.unit)}{spread}', environment['date'].split()[0]
    return f'| {row.text} | {measured} | {goal} | {met} | {date} |'


def peer_line(folder: Path, peer: Peer) -> str:
    """The row of the table of plain formulations."""

    def cell(keys: tuple[str, ...]) -> str:
        found, _ = read(folder, peer.file, keys)
        if found is None:
            return 'not measured'
        value = found['ratio'] if isinstance(found, dict) else found
        return show(1 / value if peer.is_ours_first else value, 'x')

    memory = cell(peer.memory) if peer.memory else ''
    return f'| {peer.text} | {cell(peer.time)} | {memory} |'


def summary(folder: Path) -> str:
    """All figures as one JSON: what, value, spread, goal, whether it is met, and where it was measured."""
    entries = []
    for row in ROWS:
        found, environment = read(folder, row.file, row.keys)
        entry = {
            'figure': row.text,
            'goal': f'{row.limit} {show(row.goal, row.unit)}',
            'measured': found,
        }
        value = found['ratio'] if isinstance(found, dict) else found
        entry['met'] = None if value is None else bool(LIMITS[row.limit](value, row.goal))
        entries.append({**entry, 'environment': environment})
    return json.dumps(entries, indent=2) + '\n'


def page_with_table(text: str, folder: Path) -> str:
    """The page with the tables between their markers replaced.

    Raises:
        ValueError: A marker is missing.
    """
    peers = PEER_HEADER + '\n'.join(peer_line(folder, peer) for peer in PEERS)
    figures = HEADER + '\n'.join(line(folder, row) for row in ROWS)
    text = replace_part(text, 'benchmarks', figures, 'docs/benchmarks.md')
    return replace_part(text, 'peers', peers, 'docs/benchmarks.md')


def main() -> int:
    args = check_parser(__doc__).parse_args()
    folder = ROOT / 'benchmarks' / 'results'
    page, together = ROOT / 'docs' / 'benchmarks.md', folder / 'summary.json'
    wanted = {
        page: page_with_table(page.read_text(encoding='utf-8'), folder),
        together: summary(folder),
    }
    return write_or_check(wanted, args.check, 'benchmarks/results')


if __name__ == '__main__':
    sys.exit(main())

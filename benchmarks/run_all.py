"""Run all benchmarks, one after the other, and keep their figures in benchmarks/results/.

    python benchmarks/run_all.py

is what `make bench` runs, with one thread unless OMP_NUM_THREADS says otherwise. Nothing else should run on
the machine meanwhile: the speed of a process pool is wall time. The table of docs/benchmarks.md is made of
the figures by `.dev/benchmark_table.py`.

    python benchmarks/run_all.py --studies

is `make bench-studies`: the trainings on voc_mini whose scores are in results/, three seeds each, hours
on two cores. What is done is skipped, so it may be stopped and started again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Script and its options; fewer repeats where one takes long.
RUNS: dict[str, tuple[str, ...]] = {
    'sipe_head': (),
    'rpnet_head': (),
    'maps': ('--repeats', '3'),
    'random_walk': ('--repeats', '3'),
    'svm': ('--repeats', '3'),
    'crf': (),
    'ia_miou': (),
    'size_weights': ('--step',),
}

CAM = 'configs/cam/cam_mobilenetv2_vocmini.py'
SEGMENTER = 'configs/deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py'
BALANCED = 'configs/size_balanced/size_balanced_mobilenetv2_mini_{}.py'
# Each with --seed 0, 1 and 2.
STUDIES: tuple[tuple[str, ...], ...] = (
    ('study', CAM, '--segmenter', SEGMENTER),
    ('study', SEGMENTER, '--true-masks'),
    ('study', 'configs/sipe/sipe_mobilenetv2_vocmini.py'),
    ('study', 'configs/rpnet/rpnet_mobilenetv2_vocmini.py'),
    ('refinement', 'configs/irn/irn_mobilenetv2_vocmini.py'),
    ('svm_study', 'seed'),
    *(('small_objects', BALANCED.format(loss)) for loss in ('ce', 'sw')),
    ('small_objects', BALANCED.format('sb'), '--task-a', BALANCED.format('ce')),
)
SEEDS = (0, 1, 2)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--only', nargs='+', choices=[*RUNS], help='run these, all by default')
    parser.add_argument('--out', default=str(HERE / 'results'), help='folder for the figures')
    parser.add_argument(
        '--studies', action='store_true', help='the trainings on voc_mini instead (hours)'
    )
    return parser.parse_args()


def commands(args: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Script and options of each run."""
    if args.studies:
        found = product(SEEDS, STUDIES)
        yield from ((*study, '--seed', str(seed)) for seed, study in found)
        yield ('reduced_data',)
        return
    for name in args.only or RUNS:
        yield (name, *RUNS[name], '--out', str(Path(args.out).resolve() / f'{name}.json'))


def main() -> int:
    args = parse_args()
    # CPU time of several threads counts their waiting.
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    failed = []
    for script, *options in commands(args):
        name = script if not args.studies else ' '.join((script, *options))
        print(f'[bench] {name}', flush=True)
        start = time.monotonic()
        done = subprocess.run(  # noqa: S603
            [sys.executable, str(HERE / f'{script}.py'), *options],
            stdout=None if args.studies else subprocess.DEVNULL,
            cwd=HERE.parent,
            check=False,
        )
        print(f'[bench] {name}: {time.monotonic() - start:.0f} s', flush=True)
        failed += [name] if done.returncode else []
    if failed:
        print(f'[bench] failed: {", ".join(failed)}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

"""Train the localizers on parts of voc_mini and keep what their maps score.

    python benchmarks/reduced_data.py --methods cam sipe rpnet --seeds 0 1

makes the lists of images, then runs `benchmarks/study.py` on each config: all images, 1/4 and 1/8 of each
class, the same number of iterations, maps of all 149 training images. Steps that are done are skipped. The
curve is drawn by `.dev/reduced_data_curve.py`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from itertools import product

from study import ROOT

METHODS = ('cam', 'sipe', 'rpnet')
PARTS = ('', '_1of4', '_1of8')
LISTS = 'data/voc_mini_subsets'


def commands(methods: list[str], seeds: list[int], options: list[str]) -> list[list[str]]:
    """Arguments of python, in the order in which they are run."""
    first = 'configs/cam/cam_mobilenetv2_vocmini.py'
    found = [['tools/dataset_converters/subset.py', first, '--out', LISTS]]
    for seed, method, part in product(seeds, methods, PARTS):
        config = f'configs/{method}/{method}_mobilenetv2_vocmini{part}.py'
        found.append(['benchmarks/study.py', config, '--seed', str(seed), *options])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--methods', nargs='+', choices=METHODS, default=list(METHODS))
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    parser.add_argument('--work-dir', default='work_dirs/study', help='folder for all outputs')
    parser.add_argument('--results', default='results', help='folder for the summaries')
    args = parser.parse_args()
    options = ['--work-dir', args.work_dir, '--results', args.results]
    for command in commands(args.methods, args.seeds, options):
        print('>> python', *command, flush=True)
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True)  # noqa: S603


if __name__ == '__main__':
    main()

"""Train the localizers on parts of voc_mini and keep what their maps score.

    python benchmarks/reduced_data.py --methods cam sipe rpnet --seeds 0 1

runs `benchmarks/study.py` on each config: all images, 1/4 and 1/8 of each class (`fraction`), the same number
of iterations, maps of all 149 training images. Steps that are done are skipped. The
curve is drawn by `.dev/reduced_data_curve.py`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from itertools import product

from study import ROOT

METHODS = ('cam', 'sipe', 'rpnet')
FRACTIONS = (None, '1/4', '1/8')


def commands(methods: list[str], seeds: list[int], options: list[str]) -> list[list[str]]:
    """Arguments of python, in the order in which they are run."""
    lines = []
    for seed, method, fraction in product(seeds, methods, FRACTIONS):
        config = f'configs/{method}/{method}_mobilenetv2_vocmini.py'
        part = ['--fraction', fraction] if fraction else []
        lines.append(['benchmarks/study.py', config, '--seed', str(seed), *part, *options])
    return lines


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

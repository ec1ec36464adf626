"""Run all benchmarks, one after the other, and keep their figures in benchmarks/results/.

    python benchmarks/run_all.py

is what `make bench` runs. Nothing else should run on the machine meanwhile: the speed of a process pool is
wall time. `tools/analysis_tools/benchmark_table.py` makes the table of docs/benchmarks.md of the figures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
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


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--only', nargs='+', choices=[*RUNS], help='run these, all by default')
    parser.add_argument('--out', default=str(HERE / 'results'), help='folder for the figures')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    failed = []
    for name in args.only or RUNS:
        script, out = HERE / f'{name}.py', Path(args.out) / f'{name}.json'
        command = [sys.executable, str(script), *RUNS[name], '--out', str(out)]
        print(f'[bench] {name}', flush=True)
        start = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # noqa: S603
        print(f'[bench] {name}: {time.monotonic() - start:.0f} s', flush=True)
        failed += [name] if done.returncode else []
    if failed:
        print(f'[bench] failed: {", ".join(failed)}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

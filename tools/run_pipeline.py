"""Run a pipeline from image labels to a scored segmenter.

What is done and unchanged is skipped, what was cut goes on, a changed input repeats what depends on it.
Writes log.txt, summary.json and summary.md. Exit code: 0, or that of the stage that failed.
"""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmwsss.io import write_json
from mmwsss.pipeline import Launcher, Pipeline, StageError, read_pipeline
from mmwsss.utils.cli import add_config_arguments, add_device_argument, run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('--work-dir', help='folder for everything (default: work_dirs/NAME)')
    parser.add_argument('--seed', type=int, help='seed of all trainings')
    parser.add_argument('--results', help='keep the summary as RESULTS/seedN.json, too')
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='only say what would run, and why, and look whether images, labels and weights are there',
    )
    parser.add_argument(
        '--first', metavar='STAGE', help='begin here and take the stages before it as they are'
    )
    parser.add_argument('--last', metavar='STAGE', help='stop behind it')
    parser.add_argument(
        '--force', action='store_true', help='repeat the stages from --first to --last'
    )
    add_device_argument(parser)
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm'),
        default='none',
        help='start tools by torchrun on this machine, or by srun (options: variable SRUN_ARGS)',
    )
    parser.add_argument('--nproc', type=int, default=1, help='processes over all machines')
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    spec = read_pipeline(args.config, args.cfg_options, args.seed)
    work_dir = args.work_dir or Path('work_dirs') / spec.name
    launcher = Launcher(args.launcher, args.nproc)
    pipeline = Pipeline(spec, work_dir, launcher, device=args.device)
    if args.dry_run:
        decisions = pipeline.plan(args.first, args.last, args.force)
        for decision in decisions:
            print(f'{decision.stage}: {decision.action}: {decision.reason}', flush=True)
        problems = pipeline.problems(decisions)
        for stage, problem in problems.items():
            print(f'error: {stage}: {problem}', file=sys.stderr)
        return 2 if problems else 0
    signal.signal(signal.SIGTERM, interrupt)
    try:
        summary = pipeline.run(args.first, args.last, args.force)
    except StageError as error:
        print(f'error: {error}', file=sys.stderr, flush=True)
        return error.code if error.code > 0 else 1
    if args.results:
        write_json(Path(args.results) / f'seed{summary.seed}.json', asdict(summary))
    print(f'Summary: {Path(work_dir) / "summary.md"} (and summary.json)')
    return 0


def interrupt(*_: Any) -> None:
    """Leave as on Ctrl-C, so that the tool at work is ended, too."""
    raise KeyboardInterrupt


if __name__ == '__main__':
    run_tool(main, parse_args())

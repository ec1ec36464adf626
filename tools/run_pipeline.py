"""Run a pipeline from image labels to a scored segmenter.

What is done and unchanged is skipped, what was cut goes on, a changed input repeats what depends on it.
Writes log.txt, summary.json and summary.md. Exit code: 0, or that of the stage that failed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

FINISHED = 'finished.json'  # in the folder of a pipeline: what its last run looked at, and said


def told_before(words: list[str]) -> list[str] | None:
    """What the same command said, if all is done and no file that decides so has changed since.

    Needs nothing of the package, whose import takes seconds.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--work-dir', nargs='?')
    known, others = parser.parse_known_args(words)
    config = next((word for word in others if word.endswith('.py')), '')
    path = Path(known.work_dir or default_work_dir(config), FINISHED)
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        is_same = content['command'] == this_command(words)
        is_same = is_same and content['states'] == states(content['states'])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return list(content['said']) if is_same else None


def remember(work_dir: Path, words: list[str], said: list[str], paths: Iterable[Path]) -> None:
    """Keep what :func:`told_before` compares."""
    content = {'command': this_command(words), 'said': said, 'states': states(map(str, paths))}
    write_json(work_dir / FINISHED, content)


def this_command(words: list[str]) -> list[str]:
    """What a command means: the tool, where it runs, its words."""
    return [str(Path(__file__).resolve()), os.getcwd(), *words]


def states(paths: Iterable[str]) -> dict[str, list[int] | None]:
    """Size and time of change of each path; None: it is not there."""
    found: dict[str, list[int] | None] = {}
    for path in paths:
        try:
            stat = os.stat(path)
        except OSError:
            found[path] = None
        else:
            found[path] = [stat.st_size, stat.st_mtime_ns]
    return found


def default_work_dir(config: str) -> str:
    """Folder of a pipeline for which none is given."""
    return f'work_dirs/{Path(config).stem}'


if __name__ == '__main__' and (told := told_before(sys.argv[1:])) is not None:
    print(*told, sep='\n')
    sys.exit(0)

from mmwsss.io import write_json
from mmwsss.pipeline import Launcher, Pipeline, StageError, read_pipeline
from mmwsss.utils.cli import add_config_arguments, add_device_argument, run_tool
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
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
    args = parser.parse_args(argv)
    args.words = sys.argv[1:] if argv is None else argv
    return args


def main(args: argparse.Namespace) -> int:
    spec = read_pipeline(args.config, args.cfg_options, args.seed)
    work_dir = Path(args.work_dir or default_work_dir(spec.path))
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
    (work_dir / FINISHED).unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        summary = pipeline.run(args.first, args.last, args.force)
    except StageError as error:
        print(f'error: {error}', file=sys.stderr, flush=True)
        return error.code if error.code > 0 else 1
    written = [work_dir / 'summary.json', work_dir / 'summary.md']
    if args.results:
        written.append(Path(args.results) / f'seed{summary.seed}.json')
        write_json(written[-1], asdict(summary))
    print(line := f'Summary: {written[1]} (and summary.json)')
    decisions = pipeline.plan(args.first, args.last)
    paths = pipeline.looked_at()
    if paths is not None and not args.force and not any(decision.runs for decision in decisions):
        said = [text for decision in decisions for text in pipeline.told(decision)]
        remember(work_dir, args.words, [*said, line], {*paths, *written})
    return 0


def interrupt(*_: Any) -> None:
    """Leave as on Ctrl-C, so that the tool at work is ended, too."""
    raise KeyboardInterrupt


if __name__ == '__main__':
    run_tool(main, parse_args())

"""Run a pipeline whole, killed in each stage, and with several processes; compare what they made.

    python benchmarks/same_result.py configs/pipelines/cam_demo.py --ranks 2 --out figures.json

All processes are killed (SIGKILL) after half of the seconds that the stage took in the whole run, and the
same command goes on; a stage that makes data is left alone, and all runs use its images. Without `--ranks`
there is no run with several processes: batch statistics, as the demo's networks train them, depend on their
number. `.dev/same_result_table.py` makes the table of docs/pipelines.md of the figures.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, write_json

from mmwsss.io import RECORD_NAME, Score, load_class_maps, load_mask, read_record
from mmwsss.pipeline import Summary, read_summary
from mmwsss.utils.checkpoint import load_checkpoint_file

POLL = 0.05


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a pipeline')
    parser.add_argument('--ranks', type=int, help='processes of the run with several')
    parser.add_argument('--work-dir', default='work_dirs/same_result')
    parser.add_argument('--out', required=True, help='JSON file of the figures')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='as of run_pipeline.py')
    return parser.parse_args()


class Runs:
    """Runs of one pipeline, each in its folder below ``work``."""

    def __init__(self, config: str, work: Path, options: list[str]) -> None:
        self.command = [sys.executable, str(ROOT / 'tools' / 'run_pipeline.py'), config]
        self.options = ['--cfg-options', *options] if options else []
        self.work = work

    def words(self, name: str, *more: str) -> list[str]:
        """The command line of a run."""
        return [*self.command, '--work-dir', str(self.work / name), *more, *self.options]

    def finish(self, name: str, *more: str) -> float:
        """Seconds of a run to its end."""
        start = time.monotonic()
        subprocess.run(self.words(name, *more), cwd=ROOT, check=True)  # noqa: S603
        return time.monotonic() - start

    def kill_in(self, name: str, stage: str, seconds: float) -> bool:
        """Start a run and kill all its processes so many seconds into a stage.

        Returns:
            False if the run had ended before.
        """
        log = self.work / name / 'log.txt'
        seen = log.stat().st_size if log.is_file() else 0
        process = subprocess.Popen(self.words(name), cwd=ROOT, start_new_session=True)  # noqa: S603
        while process.poll() is None:
            if log.is_file() and f'=== {stage}: ' in log.read_text('utf-8', 'replace')[seen:]:
                time.sleep(seconds)
                break
            time.sleep(POLL)
        alive = process.poll() is None
        if alive:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return alive

    def summary(self, name: str) -> Summary:
        """What a run says about itself."""
        return read_summary(self.work / name / 'summary.json')


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that the last step of a training wrote."""
    name = folder / 'last_checkpoint'
    return Path(name.read_text().strip()) if name.is_file() else None


def weight_difference(one: Path, two: Path) -> dict[str, float]:
    """Largest difference of two checkpoints' weights, and that divided by the largest weight."""
    states = [load_checkpoint_file(path)['state_dict'] for path in (one, two)]
    if states[0].keys() != states[1].keys():
        raise ValueError(f'{one} and {two} do not hold the same weights')
    pairs = [(states[0][key].double(), states[1][key].double()) for key in states[0]]
    worst = max(float((a - b).abs().max()) for a, b in pairs if a.numel())
    largest = max(float(a.abs().max()) for a, _ in pairs if a.numel())
    return {'absolute': worst, 'relative': worst / largest}


def same_names(one: Path, two: Path, pattern: str) -> list[Path]:
    """The files of the first folder; the second must have the same and no others."""
    names = [
        sorted(path.relative_to(folder) for path in folder.rglob(pattern)) for folder in (one, two)
    ]
    unlike = sorted(set(names[0]) ^ set(names[1]))
    if unlike:
        raise ValueError(f'{one} and {two} do not hold the same files: {unlike[0]}, in one only')
    return [one / name for name in names[0]]


def compare_maps(one: Path, two: Path) -> dict[str, Any]:
    """Number of map files, how many have equal scores, and the largest difference."""
    equal, worst = 0, 0.0
    files = same_names(one, two, '*.npz')
    for path in files:
        a, b = (load_class_maps(folder / path.relative_to(one)) for folder in (one, two))
        if not np.array_equal(a.keys, b.keys):
            raise ValueError(f'{path.name}: the maps are of different classes')
        difference = np.abs(a.scores.astype(np.float64) - b.scores.astype(np.float64))
        equal += a.scores.tobytes() == b.scores.tobytes()
        worst = max(worst, float(difference.max(initial=0.0)))
    return {'files': len(files), 'equal': equal, 'largest_difference': worst}


def compare_masks(one: Path, two: Path) -> dict[str, Any]:
    """Number of masks, how many are equal, and the share of pixels that are not."""
    equal = pixels = different = 0
    files = same_names(one, two, '*.png')
    for path in files:
        a, b = (load_mask(folder / path.relative_to(one)) for folder in (one, two))
        unlike = int((a != b).sum())
        equal, pixels, different = equal + (not unlike), pixels + a.size, different + unlike
    return {'files': len(files), 'equal': equal, 'different_pixels': different / max(pixels, 1)}


def compare(one: Path, two: Path) -> dict[str, Any]:
    """What two runs' folders hold: weights, maps and masks by stage, and the scores."""
    found: dict[str, Any] = {'weights': {}, 'maps': {}, 'masks': {}}
    for folder in sorted(path for path in one.iterdir() if path.is_dir()):
        other = two / folder.name
        checkpoint = last_checkpoint(folder)
        if checkpoint is not None:
            pair = checkpoint, last_checkpoint(other)
            found['weights'][folder.name] = weight_difference(*pair)
        elif (folder / RECORD_NAME).is_file():
            kind = read_record(folder).kind
            if kind in ('maps', 'masks'):
                check = compare_maps if kind == 'maps' else compare_masks
                found[kind][folder.name] = check(folder, other)
    scores = [scores_of(path) for path in (one, two)]
    kinds = [[score.what for score in group] for group in scores]
    if kinds[0] != kinds[1]:
        raise ValueError(f'{one} and {two} have other scores: {kinds[0]} and {kinds[1]}')
    found['scores'] = [
        {'what': a.what, 'mIoU': [round(100 * score.miou, 6) for score in (a, b)]}
        for a, b in zip(*scores)
    ]
    return found


def scores_of(folder: Path) -> list[Score]:
    """The scores of a run that have a mIoU, in the order of its stages."""
    stages = read_summary(folder / 'summary.json').stages
    return [score for stage in stages for score in stage.scores if score.miou is not None]


def main() -> None:
    args = parse_args()
    runs = Runs(args.config, Path(args.work_dir).resolve(), args.cfg_options)
    # Where the data lie decides nothing, and is nobody's business.
    options = [option for option in args.cfg_options if not option.startswith('data_root=')]
    results: dict[str, Any] = {'pipeline': args.config, 'options': options}
    results['seconds'] = {'whole': round(runs.finish('whole'), 1)}
    results['seconds']['second run'] = round(runs.finish('whole'), 1)
    steps = {stage.name: stage.seconds for stage in runs.summary('whole').stages}
    results['killed_after'] = {
        stage: round(seconds / 2, 1) if runs.kill_in('killed', stage, seconds / 2) else None
        for stage, seconds in steps.items()
        if stage != 'data'
    }
    runs.finish('killed')
    results['killed'] = compare(runs.work / 'whole', runs.work / 'killed')
    if args.ranks:
        several = ('--launcher', 'pytorch', '--nproc', str(args.ranks))
        results['seconds'][f'{args.ranks} processes'] = round(runs.finish('ranks', *several), 1)
        results['ranks'] = {
            'processes': args.ranks,
            **compare(runs.work / 'whole', runs.work / 'ranks'),
        }
    write_json(args.out, results)


if __name__ == '__main__':
    main()

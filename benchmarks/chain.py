"""The whole chain, from image labels to scores, on 64 real images: seconds and share of each stage.

    python benchmarks/chain.py --data-root data/voc_mini --out work_dirs/benchmarks/chain.json

Runs a pipeline on the first 64 training and 16 validation images of a folder laid out as VOC, with trainings
cut to a pass or two, and reads the records of its stages. Networks begin with random weights, which costs the
same. Each stage is a process of its own: its seconds include importing torch and mmseg.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import ROOT, write_json

from mmwsss.datasets.splits import read_split
from mmwsss.io import write_lines
from mmwsss.pipeline import Summary, read_summary

LISTS = Path('ImageSets', 'Segmentation')
FOLDERS = ('JPEGImages', 'SegmentationClassAug')
OPTIONS = (
    'localizer.train_cfg.max_epochs=1',
    'localizer.model.backbone.init_cfg=None',
    'segmenter.model.backbone.init_cfg=None',
    'segmenter.train_cfg.max_iters=16',
    'stages.segmenter2=None',
    'stages.segmenter2_score=None',
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data-root', default='data/voc_mini', help='default: %(default)s')
    parser.add_argument('--pipeline', default='configs/pipelines/sipe_vocmini.py')
    parser.add_argument('--train', type=int, default=64, help='training images')
    parser.add_argument('--val', type=int, default=16, help='validation images')
    parser.add_argument('--out', default='work_dirs/benchmarks/chain.json')
    return parser.parse_args(argv)


def small_copy(root: Path, folder: Path, train: int, val: int) -> None:
    """A dataset of the first images of another, whose files it links to.

    Raises:
        FileNotFoundError, ValueError: ``root`` has no such lists.
    """
    for name in FOLDERS:
        (folder / name).symlink_to((root / name).resolve())
    for split, number in (('train', train), ('val', val)):
        ids = read_split(str(root / LISTS / f'{split}.txt'))
        write_lines(folder / LISTS / f'{split}.txt', ids[:number])


def shares(summary: Summary, train: int) -> dict[str, Any]:
    """Seconds of each stage, their share of the whole, and images per minute of the whole."""
    stages = {
        stage.name: {
            'seconds': stage.seconds,
            'share': round(stage.seconds / summary.seconds, 3),
        }
        for stage in summary.stages
    }
    return {
        'images': train,
        'seconds': round(summary.seconds, 1),
        'images_per_minute': round(60 * train / summary.seconds, 2),
        'stages': stages,
    }


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as parent:
        data, work = Path(parent, 'data'), Path(parent, 'work')
        data.mkdir()
        small_copy(Path(args.data_root), data, args.train, args.val)
        command = [sys.executable, 'tools/run_pipeline.py', args.pipeline, '--work-dir', str(work)]
        command += ['--cfg-options', f'data_root={data}', *OPTIONS]
        done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603
        if done.returncode:
            return done.returncode
        results = shares(read_summary(work / 'summary.json'), args.train)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    write_json(args.out, {Path(args.pipeline).stem: {**results, 'peak_mib': round(peak)}})
    return 0


if __name__ == '__main__':
    raise SystemExit(main())

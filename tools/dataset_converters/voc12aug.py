"""Make VOC 2012's train_aug split from VOC and SBD.

Example::

    mmwsss data voc12aug data/VOCdevkit/VOC2012 data/benchmark_RELEASE/dataset/cls

The second folder holds SBD's .mat files, or masks as .png. Writes SegmentationClassAug/<id>.png and
ImageSets/Segmentation/train_aug.txt (10,582 images) into the first, or into --out. Run again, it goes
on where it stopped. Exit code 1: some images failed and are named; the list is then not written.
"""

from __future__ import annotations

import argparse

from mmwsss.datasets.converters import convert_voc12aug
from mmwsss.utils.cli import (
    add_verbose_argument,
    add_workers_argument,
    finish_report,
    run_tool,
)
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('voc', help='VOCdevkit/VOC2012')
    parser.add_argument('sbd', help="SBD's dataset/cls (.mat), or a folder of masks (.png)")
    parser.add_argument('--out', help='folder to write into (default: voc)')
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    return finish_report(convert_voc12aug(args.voc, args.sbd, args.workers, out=args.out))


if __name__ == '__main__':
    run_tool(main, parse_args())

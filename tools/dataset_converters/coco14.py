"""Make masks of classes, image labels and lists from COCO 2014's instances.

Example::

    mmwsss data coco14 data/coco2014

Reads annotations/instances_{train,val}2014.json and writes masks/{train,val}2014/<id>.png (81 classes;
crowd = 255; where objects overlap, the smaller one is on top), labels_{train,val}.json and
{train,val}.txt, the images that carry labels (82,081 and 40,137). Run again, it goes on where it
stopped, and draws masks anew whose annotations have changed. Exit code 1: some images failed and are
named; the others are done, that split's list is not written. Needs pycocotools (the extra `coco`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmwsss.datasets.converters import convert_coco
from mmwsss.io import require_file
from mmwsss.utils.cli import (
    add_verbose_argument,
    add_workers_argument,
    finish_report,
    run_tool,
)
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('root', help='folder that holds annotations/')
    parser.add_argument('--out', help='folder for masks, labels and lists (default: root)')
    parser.add_argument('--splits', nargs='+', default=['train', 'val'], help='default: train val')
    parser.add_argument(
        '--year',
        default='2014',
        help='of the instances; 2017: also in the names of lists and labels',
    )
    parser.add_argument(
        '--expected-count',
        type=int,
        help="images with labels per split, 0: any (default: COCO 2014's)",
    )
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    out, codes, folder = args.out or args.root, [], Path(args.root, 'annotations')
    files = {split: folder / f'instances_{split}{args.year}.json' for split in args.splits}
    for path in files.values():
        require_file('file of instances', path)
    for split, path in files.items():
        report = convert_coco(
            path,
            split if args.year == '2014' else f'{split}{args.year}',
            out,
            mask_folder=f'masks/{split}{args.year}',
            expected_count=args.expected_count,
            workers=args.workers,
        )
        codes.append(finish_report(report))
    return max(codes)


if __name__ == '__main__':
    run_tool(main, parse_args())

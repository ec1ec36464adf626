"""Make segments of images, for the refiner SegmentVote, from superpixels or other programs' masks.

Examples::

    mmwsss data segments photos --out data/segments                       # superpixels
    mmwsss data segments photos --json sam_out --out data/segments        # sam_out/<id>.json
    mmwsss data segments photos --masks mask_folders --out data/segments  # mask_folders/<id>/*.png

--json takes the automatic masks of Segment Anything (its "coco_rle", or SA-1B's files) and any other list of
COCO's run lengths; --masks a folder per image of binary PNGs, as SAM's script writes without run lengths.
Writes <id>.json, a list of run lengths. Files that are there are kept. Exit code 1: some images failed and
are named.
"""

from __future__ import annotations

import argparse
from functools import partial

from mmwsss.datasets.converters import Superpixels, convert_segments, mask_folder, segment_file
from mmwsss.io import read_id_list, require_folder
from mmwsss.utils.cli import (
    add_verbose_argument,
    add_workers_argument,
    finish_report,
    run_tool,
)
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('images', help='folder of images')
    parser.add_argument('--out', required=True, help='folder for the files')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--json', help='folder of files <id>.json instead of superpixels')
    source.add_argument('--masks', help='folder of folders <id> of PNGs instead of superpixels')
    parser.add_argument('--count', type=int, default=200, help='superpixels (default: %(default)s)')
    parser.add_argument(
        '--compactness', type=float, default=10.0, help='of superpixels (default: %(default)s)'
    )
    parser.add_argument('--list', help='text file of image ids (default: all)')
    parser.add_argument('--overwrite', action='store_true', help='make all files anew')
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    if args.json:
        source = partial(segment_file, str(require_folder('--json', args.json)))
    elif args.masks:
        source = partial(mask_folder, str(require_folder('--masks', args.masks)))
    else:
        source = Superpixels(args.count, args.compactness)
    report = convert_segments(
        args.images,
        args.out,
        source,
        ids=read_id_list(args.list) if args.list else None,
        overwrite=args.overwrite,
        workers=args.workers,
    )
    return finish_report(report)


if __name__ == '__main__':
    run_tool(main, parse_args())

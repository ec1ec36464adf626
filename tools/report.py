"""Write the report of a run as one HTML page.

The page holds everything it shows and opens from disk. Scores, maps and masks are found by the records in
RUN_DIR, images and true masks through the configs that the trainings left there. Parts whose data are
missing are left out; the page and this tool say which, and what makes them.
"""

from __future__ import annotations

import argparse
import sys

from mmwsss.io import require_folder
from mmwsss.report import ReportOptions, write_run_report
from mmwsss.utils.cli import (
    OptionAction,
    add_verbose_argument,
    add_workers_argument,
    run_tool,
)
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('run_dir', help='folder of a run: of a pipeline, a study, the demo ...')
    parser.add_argument('--out', help='the page (default: report.html in RUN_DIR)')
    parser.add_argument(
        '--config', help='config that says where the images are (default: those found in RUN_DIR)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        metavar='KEY=VALUE',
        help='replace settings of these configs, e.g. data_root=data/voc_mini',
    )
    parser.add_argument('--gt', help='folder of true masks (default: that of the config)')
    parser.add_argument(
        '--instances',
        help='folder of instance maps, or COCO or LVIS JSON (default: SegmentationObject beside '
        'the true masks, else connected regions)',
    )
    parser.add_argument(
        '--num-images', type=int, default=4, help='best and worst images of each stage (default: 4)'
    )
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    require_folder('RUN_DIR', args.run_dir)
    if args.gt is not None:
        require_folder('--gt', args.gt)
    if args.num_images < 0:
        raise ValueError(f'--num-images must be >= 0, but got {args.num_images}')
    options = ReportOptions(
        config=args.config,
        cfg_options=args.cfg_options,
        ground_truth=args.gt,
        instances=args.instances,
        images=args.num_images,
        workers=args.workers,
    )
    path, report = write_run_report(args.run_dir, args.out, options)
    for stage, doubt in report.warnings:
        print(f'warning: {stage}: {doubt}')
    for part in report.missing:
        how = f' -> {part.command}' if part.command else ''
        word, stream = ('failed', sys.stderr) if part.failed else ('left out', sys.stdout)
        print(f'{word}: {part.part}: {part.reason}{how}', file=stream)
    if report.failed:
        print(f'{len(report.failed)} parts failed; the page has the others', file=sys.stderr)
    print(f'report: {path}')
    return 1 if report.failed else 0


if __name__ == '__main__':
    run_tool(main, parse_args())

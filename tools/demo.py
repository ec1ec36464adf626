"""Run the demo: image labels -> class maps -> pseudo masks -> segmenter -> scores, on generated images.

Runs the pipeline configs/pipelines/demo.py, some minutes on two CPU cores, and writes report.html with a
picture. Run again, it goes on where it was cut and does nothing where all is done.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mmwsss.pipeline import Pipeline, StageError, read_pipeline
from mmwsss.report import Figure, ReportOptions, write_run_report
from mmwsss.utils.cli import add_device_argument, add_verbose_argument, run_tool
from mmwsss_command import ToolParser

CONFIG = 'configs/pipelines/demo.py'
TRUE_MASKS = {
    'stages.true_masks': dict(run='train', config='segmenter', after='data'),
    'stages.true_masks_score': dict(run='test', config='segmenter', checkpoint='{true_masks}'),
}
CAPTION = (
    'The first validation images: image, CAM, IS-CAM (largest score of a class that the image label names), '
    'mask, true mask, segmenter. Maps and masks of these images are made for the picture only.'
)
SHOWN_IMAGES = 2  # best and worst ones of each stage in the report


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('--work-dir', default='work_dirs/demo', help='default: %(default)s')
    parser.add_argument(
        '--data-root', default='data/demo', help='where the images are made (default: %(default)s)'
    )
    parser.add_argument(
        '--true-masks',
        action='store_true',
        help='train the segmenter on the true masks as well, for comparison: a minute or two more',
    )
    add_device_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    options: dict[str, Any] = {'data_root': args.data_root}
    if args.true_masks:
        options.update(TRUE_MASKS)
    work_dir = Path(args.work_dir)
    try:
        Pipeline(read_pipeline(CONFIG, options), work_dir, device=args.device).run()
    except StageError as error:
        print(f'error: {error}', file=sys.stderr, flush=True)
        return error.code if error.code > 0 else 1
    extra = {'Picture': Figure(work_dir / 'picture' / 'panel.png', CAPTION)}
    path, report = write_run_report(
        work_dir, work_dir / 'report.html', ReportOptions(images=SHOWN_IMAGES, extra=extra)
    )
    print(f'Report: {path} (and summary.md beside it)')
    return 1 if report.failed else 0


if __name__ == '__main__':
    run_tool(main, parse_args())

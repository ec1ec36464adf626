"""The demo: image labels -> class maps -> pseudo masks -> segmenter -> scores, on generated images.

    python tools/demo.py --work-dir work_dirs/demo

Takes a few minutes on two CPU cores and writes report.html, report.json and panel.png. Run again, it goes
on where it was cut and does nothing where all is done.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'examples'))
from mmwsss.apis.demo import DemoPlan, run_demo
from mmwsss.utils.cli import add_verbose_argument, run_tool

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--work-dir', default='work_dirs/demo', help='default: %(default)s')
    parser.add_argument(
        '--data-root', default='data/demo', help='where the images are made (default: %(default)s)'
    )
    parser.add_argument(
        '--true-masks',
        action='store_true',
        help='train the segmenter on the true masks as well, for comparison: a minute or two more',
    )
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    plan = DemoPlan(
        work_dir=Path(args.work_dir),
        localizer=CONFIGS / 'sipe' / 'sipe_tiny_demo.py',
        segmenter=CONFIGS / 'deeplabv2' / 'deeplabv2_tiny_demo_pseudo.py',
        data_root=Path(args.data_root),
        true_masks=args.true_masks,
    )
    run_demo(plan)
    return 0


if __name__ == '__main__':
    run_tool(main, parse_args())

"""Make the demo dataset: generated images in VOC's layout, with part maps.

Example::

    mmwsss data demo --out data/demo --train 200 --val 50 --seed 0

Running it again with the same settings does nothing; other settings need ``--overwrite``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'examples'))
from demo_data import DemoSettings, make_demo_data
from mmwsss_command import ToolParser

_PROGRESS_STEP = 50


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    defaults = DemoSettings()
    parser = ToolParser(__doc__.splitlines()[0])
    parser.add_argument('--out', default='data/demo', help='folder of the dataset')
    parser.add_argument('--train', type=int, default=defaults.train, help='training images')
    parser.add_argument('--val', type=int, default=defaults.val, help='validation images')
    parser.add_argument('--seed', type=int, default=defaults.seed)
    parser.add_argument('--min-size', type=int, default=defaults.min_size, help='pixels')
    parser.add_argument('--max-size', type=int, default=defaults.max_size, help='pixels')
    parser.add_argument(
        '--border', type=int, default=defaults.border, help='rim of 255 in pixels, 0 for none'
    )
    parser.add_argument('--quality', type=int, default=defaults.quality, help='JPEG quality')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a demo dataset with other settings'
    )
    return parser.parse_args(argv)


def _report_progress() -> Callable[[int, int], None]:
    def on_image(done: int, total: int) -> None:
        if done % _PROGRESS_STEP == 0 or done == total:
            print(f'{done}/{total} images', flush=True)

    return on_image


def main(argv: Sequence[str] | None = None) -> int:
    args = vars(parse_args(argv))
    try:
        report = make_demo_data(**args, on_image=_report_progress())
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not report.written:
        print(f'{report.root}: complete, nothing to do')
    for split, counts in report.counts.items():
        classes = ', '.join(f'{name} {n}' for name, n in counts['images_with_class'].items())
        print(f'{split}: {counts["images"]} images, {counts["objects"]} objects ({classes})')
    return 0


if __name__ == '__main__':
    sys.exit(main())

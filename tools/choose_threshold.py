"""Choose the background threshold of class maps without masks.

Prints how well each threshold separates the colours of foreground and background (the share of the colour
variance between them, 100 for the best threshold of an image, mean over images), and names the best one, with
its standard deviation over other images of the kind (bootstrap).
`threshold='chosen'` of a BackgroundThreshold does the same while masks are made.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmwsss.evaluation.map_counts import DEFAULT_THRESHOLDS
from mmwsss.io import find_record, require_folder
from mmwsss.stages.image_list import Images
from mmwsss.stages.threshold import choose_threshold
from mmwsss.utils.cli import (
    add_config_arguments,
    add_workers_argument,
    finish_report,
    run_tool,
)
from mmwsss.utils.config import load_config
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add_config_arguments(parser)
    parser.add_argument('--maps', required=True, help='folder of class maps, from make_maps.py')
    parser.add_argument(
        '--list', type=Path, help='file of image ids, instead of the whole map_dataset'
    )
    parser.add_argument(
        '--thresholds', type=float, nargs='+', help='to try (default: 0.05, 0.10 .. 0.95)'
    )
    add_workers_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    if 'map_dataset' not in cfg:
        raise KeyError(f'{args.config} has no `map_dataset`; localizer configs have it')
    images = Images(cfg.map_dataset)
    ids = images.choose(args.list)
    maps = require_folder('--maps', args.maps)
    find_record(maps, kind='maps', classes=images.classes)
    thresholds = args.thresholds or DEFAULT_THRESHOLDS
    choice = choose_threshold(maps, images, ids, thresholds, args.workers)
    print(choice.table())
    print(f'threshold {choice.threshold:g} (± {choice.spread():.2g}): {choice.source}')
    return finish_report(choice.report)


if __name__ == '__main__':
    run_tool(main, parse_args())

"""Write class maps with a trained localizer.

The maps of the config's `map_dataset` go to OUT/<id>.npz, with a record that says how they were made. Run
again, it goes on where it stopped. Exit code 1: some images failed and are named; the others are done.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmwsss.stages.maps import make_maps
from mmwsss.utils.cli import (
    add_config_arguments,
    add_device_argument,
    add_launcher_arguments,
    add_precision_argument,
    add_trust_argument,
    finish_report,
    run_tool,
    setup_launcher,
)
from mmwsss.utils.config import load_config
from mmwsss.utils.precision import set_precision
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='weights of the localizer')
    parser.add_argument('--out', required=True, help='folder for the maps')
    parser.add_argument(
        '--list', type=Path, help='file of image ids, instead of the whole map_dataset'
    )
    add_device_argument(parser)
    add_precision_argument(parser)
    parser.add_argument(
        '--threads',
        type=int,
        default=2,
        help='threads that load images ahead, and that write (default: 2)',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace maps that were made in another way'
    )
    add_trust_argument(parser)
    add_launcher_arguments(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    set_precision(cfg, args.precision)
    setup_launcher(args.launcher)
    report = make_maps(
        cfg,
        args.checkpoint,
        args.out,
        ids=args.list,
        device=args.device,
        threads=args.threads,
        overwrite=args.overwrite,
        trust_checkpoint=args.trust_checkpoint,
    )
    return finish_report(report)


if __name__ == '__main__':
    run_tool(main, parse_args())

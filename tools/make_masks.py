"""Turn class maps into masks: tools/make_masks.py CONFIG --maps DIR --out DIR.

Runs the refiners of the config's `mask_cfg` over DIR/<id>.npz and writes palette PNGs, with a manifest that
says how they were made. Run again, it goes on where it stopped. Exit code 1: some images failed and are
named; the others are done.
"""

from __future__ import annotations

import argparse

from mmwsss.apis.masks import make_masks
from mmwsss.masks import read_id_list
from mmwsss.utils.cli import (
    add_config_arguments,
    add_launcher_arguments,
    add_workers_argument,
    finish_report,
    run_tool,
    setup_launcher,
)
from mmwsss.utils.config import load_config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('--maps', required=True, help='folder of class maps, from make_maps.py')
    parser.add_argument('--out', required=True, help='folder for the masks')
    parser.add_argument('--list', help='file of image ids, instead of the whole map_dataset')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace masks that are there already'
    )
    add_workers_argument(parser)
    add_launcher_arguments(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    setup_launcher(args.launcher)
    report = make_masks(
        cfg,
        args.maps,
        args.out,
        ids=read_id_list(args.list) if args.list else None,
        workers=args.workers,
        overwrite=args.overwrite,
    )
    return finish_report(report)


if __name__ == '__main__':
    run_tool(main, parse_args())

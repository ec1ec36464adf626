"""Turn class maps into masks by the refiners of a config.

Runs the refiners of the config's `mask_cfg` over MAPS/<id>.npz and writes palette PNGs, with a record that
says how they were made. With `--from` it takes the masks or maps of another program instead and checks
them. Run again, it goes on where it stopped. Exit code 1: some images failed and are named; the others are
done.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmwsss.stages.imported import KEY_MEANINGS
from mmwsss.stages.masks import import_masks, make_masks
from mmwsss.utils.cli import (
    add_config_arguments,
    add_device_argument,
    add_launcher_arguments,
    add_precision_argument,
    add_workers_argument,
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
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--maps', help='folder of class maps, from make_maps.py')
    source.add_argument(
        '--from',
        dest='imported',
        metavar='DIR',
        help='folder of masks or maps of another program: <id>.png, .npy or .npz',
    )
    parser.add_argument('--out', required=True, help='folder for the masks')
    parser.add_argument(
        '--list', type=Path, help='file of image ids, instead of the whole map_dataset'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace masks that are there already'
    )
    parser.add_argument(
        '--keys',
        choices=KEY_MEANINGS,
        default='foreground',
        help='of --from with dictionaries: what an entry k of `keys` means, class id k + 1 (as IRN '
        'counts) or class id k (default: %(default)s)',
    )
    parser.add_argument('--field', help='of --from: the array to take from files with several')
    add_device_argument(parser)
    add_precision_argument(parser)
    add_workers_argument(parser)
    add_launcher_arguments(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    set_precision(cfg, args.precision)
    setup_launcher(args.launcher)
    options = {
        'ids': args.list,
        'workers': args.workers,
        'overwrite': args.overwrite,
        'device': args.device,
    }
    if args.imported:
        options.update(keys=args.keys, field=args.field)
        return finish_report(import_masks(cfg, args.imported, args.out, **options))
    return finish_report(make_masks(cfg, args.maps, args.out, **options))


if __name__ == '__main__':
    run_tool(main, parse_args())

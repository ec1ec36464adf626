"""Segment images with a trained model: a segmenter, or a localizer with its masks.

An IMAGE is a file, a folder (with its sub-folders) or a pattern such as 'photos/*.jpg'. Each image becomes a
palette PNG of its size, OUT/<name>.png, by a segmenter, ours or mmsegmentation's, or by a localizer, whose
masks are those of the config's refiners. Nobody needs true masks. Run again, it goes on where it stopped, and
takes images that were added. Exit code 1: some images failed and are named; the others are done.
"""

from __future__ import annotations

import argparse

from mmengine.dist import get_rank

from mmwsss.evaluation.tables import share_table
from mmwsss.io import read_record
from mmwsss.stages.photos import find_images
from mmwsss.stages.predict import predict
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
    parser.add_argument('checkpoint', help='weights of the model')
    parser.add_argument('images', nargs='+', help='image files, folders or patterns')
    parser.add_argument('--out', required=True, help='folder for the masks')
    parser.add_argument('--overlay', action='store_true', help='write OUT/overlays/<name>.jpg, too')
    parser.add_argument(
        '--labels',
        help="of a localizer: classes in the images, e.g. 'dog,sofa' (default: those that it sees)",
    )
    parser.add_argument(
        '--mask-config',
        help='of a localizer: take the refiners (mask_cfg) from this config, e.g. '
        'configs/irn/irn_r50_voc.py',
    )
    add_device_argument(parser)
    add_precision_argument(parser)
    parser.add_argument(
        '--overwrite', action='store_true', help='replace masks that were made in another way'
    )
    add_trust_argument(parser)
    add_launcher_arguments(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    set_precision(cfg, args.precision)
    setup_launcher(args.launcher)
    mask_config = load_config(args.mask_config) if args.mask_config else None
    if mask_config is not None:
        set_precision(mask_config, args.precision)
    labels = None
    if args.labels is not None:
        labels = [name.strip() for name in args.labels.split(',') if name.strip()]
    report = predict(
        cfg,
        args.checkpoint,
        find_images(args.images),
        args.out,
        overlays=args.overlay,
        labels=labels,
        mask_config=mask_config,
        device=args.device,
        overwrite=args.overwrite,
        trust_checkpoint=args.trust_checkpoint,
    )
    if get_rank() == 0:
        print(share_table(read_record(args.out).result['classes']))
    return finish_report(report)


if __name__ == '__main__':
    run_tool(main, parse_args())

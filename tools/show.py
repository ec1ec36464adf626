"""Lay class maps and masks over images.

Each image becomes OUT/<name>.png: the image, of a localizer the map of each class, the mask. An IMAGE may
be a folder or a pattern. Without --labels the classes are those that the localizer sees. Needs no display.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmwsss.apis import find_images, load_model
from mmwsss.stages.show import show_images
from mmwsss.utils.cli import (
    add_config_arguments,
    add_device_argument,
    add_trust_argument,
    finish_report,
    run_tool,
)
from mmwsss.utils.config import load_config
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='weights of the localizer or segmenter')
    parser.add_argument('images', nargs='+', help='image files, folders or patterns')
    parser.add_argument('--out', required=True, help='folder for the pictures')
    parser.add_argument('--labels', help="classes in the images, e.g. 'dog,sofa'")
    add_device_argument(parser)
    add_trust_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    images = find_images(args.images)
    cfg = load_config(args.config, args.cfg_options)
    model = load_model(cfg, args.checkpoint, args.device, args.trust_checkpoint)
    labels = None
    if args.labels is not None:
        labels = [name.strip() for name in args.labels.split(',') if name.strip()]
    Path(args.out).mkdir(parents=True, exist_ok=True)
    return finish_report(show_images(model, images, args.out, labels))


if __name__ == '__main__':
    run_tool(main, parse_args())

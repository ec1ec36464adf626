"""Describe any folder of images as a dataset: lists, labels, classes, statistics.

Examples::

    mmwsss data generic photos --labels names.csv --out data/custom --val-fraction 0.1
    mmwsss data generic photos --masks masks --classes cat dog --out data/custom

Labels are a CSV with lines "id,class;class" or columns of 0 and 1, a JSON {id: [class, ...]}, COCO's or
Label Studio's JSON, CVAT's XML, or a folder of VOC's XML or YOLO's text files; the id is the path of the
image without suffix. Every image and mask is decoded; --gt and --masks may hold colours, which --label-map
names, or be COCO's JSON of outlines (needs pycocotools, the extra `coco`): class ids are written to
OUT/masks. Writes labels.csv, classes.txt, train.txt, val.txt and
statistics.json. Exit code 1: some images failed and are named; the files describe the others.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mmwsss.datasets.converters import convert_folder, doubtful_classes
from mmwsss.io import read_lines
from mmwsss.utils.cli import (
    add_verbose_argument,
    add_workers_argument,
    finish_report,
    run_tool,
)
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('images', help='folder of images')
    parser.add_argument('--out', required=True, help='folder for the files')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--labels', help='file or folder of class names, of the kinds above')
    source.add_argument(
        '--labels-by-folder', action='store_true', help='the folder of an image is its class'
    )
    source.add_argument(
        '--label-pattern',
        metavar='REGEX',
        help='the class is what a group finds in the name of an image, e.g. "(cat|dog|)_"',
    )
    source.add_argument('--masks', help='folder of masks <id>.png, or JSON')
    parser.add_argument(
        '--classes',
        nargs='+',
        help='foreground class names in the order of their ids, or one text file of them (default: as in '
        'classes.txt of --out if that has the same names, else sorted)',
    )
    parser.add_argument(
        '--no-background',
        action='store_true',
        help='every pixel has a class, and ids in masks begin with the first one, at 0',
    )
    parser.add_argument('--val-fraction', type=float, default=0.0, help='share of val.txt')
    parser.add_argument(
        '--gt',
        help='masks of some images, to score with: val.txt is drawn among these images',
    )
    parser.add_argument(
        '--label-map',
        help='of masks in colours: labelmap.txt as CVAT writes it, lines "name:r,g,b::"',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the draw for val.txt')
    parser.add_argument('--dry-run', action='store_true', help='check all and write nothing')
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def class_names(given: list[str] | None) -> list[str] | None:
    if given and len(given) == 1 and (Path(given[0]).is_file() or given[0].endswith('.txt')):
        return read_lines(given[0])
    return given


def main(args: argparse.Namespace) -> int:
    report, statistics = convert_folder(
        args.images,
        None if args.dry_run else args.out,
        labels=args.labels,
        masks=args.masks,
        classes=class_names(args.classes),
        earlier=Path(args.out, 'classes.txt'),
        val_fraction=args.val_fraction,
        true_masks=args.gt,
        seed=args.seed,
        workers=args.workers,
        label_map=args.label_map,
        labels_by_folder=args.labels_by_folder,
        label_pattern=args.label_pattern,
        background=not args.no_background,
    )
    if not args.dry_run:  # what a pipeline shows of one is short
        print(json.dumps(statistics, indent=2, ensure_ascii=False))
    names = {**({} if args.no_background else {'0': 'background'}), **statistics['classes']}
    print('class ids in masks:', ', '.join(f'{i} {name}' for i, name in names.items()))
    if args.gt and not Path(args.gt).exists():
        print(
            f'note: there is no folder {args.gt}: nothing can be scored, no val.txt',
            file=sys.stderr,
        )
    for text in doubtful_classes(statistics):
        print(f'warning: {text}', file=sys.stderr)
    return finish_report(report)


if __name__ == '__main__':
    run_tool(main, parse_args())

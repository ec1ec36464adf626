"""Score a folder of masks or of class maps against true masks.

--maps DIR instead of --masks gives a table over thresholds. --instances adds IA-mIoU, IA_S, IA_M and IA_L
over the instances that it names, --ia over the connected components of the true masks.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmwsss.datasets.splits import read_split
from mmwsss.evaluation.folder import (
    MeanIoUScore,
    PairScore,
    resolve_classes,
    score_maps,
    score_masks,
)
from mmwsss.evaluation.instance_score import InstanceScore, read_category_map
from mmwsss.evaluation.map_counts import DEFAULT_THRESHOLDS
from mmwsss.io import Recorder, require_folder
from mmwsss.utils.cli import (
    add_verbose_argument,
    add_workers_argument,
    finish_report,
    run_tool,
)
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    scored = parser.add_mutually_exclusive_group(required=True)
    scored.add_argument('--masks', help='folder of masks (.png, .npy)')
    scored.add_argument('--maps', help='folder of class maps: table over thresholds')
    parser.add_argument('--gt', required=True, help='folder of true masks (.png, .npy)')
    parser.add_argument('--list', help='text file of image ids (default: all of --gt)')
    parser.add_argument(
        '--classes',
        help='voc, coco14, or a text file of names (default: the record of --masks or --maps)',
    )
    parser.add_argument('--num-classes', type=int, help='number of classes with background')
    parser.add_argument(
        '--no-background', action='store_true', help='ids of masks begin with the first class, at 0'
    )
    parser.add_argument('--ignore-index', type=int, default=255, help='default: %(default)s')
    parser.add_argument(
        '--thresholds', type=float, nargs='+', help='of --maps (default: 0.05, 0.10 .. 0.95)'
    )
    parser.add_argument(
        '--instances',
        help='folder of instance maps (.png, .npy), or a COCO or LVIS JSON: adds IA-mIoU',
    )
    parser.add_argument(
        '--ia',
        action='store_true',
        help='IA-mIoU without instances: of connected components of --gt',
    )
    parser.add_argument(
        '--category-map',
        help='JSON {category: class} for a JSON of instances (default: equal names; for voc those of '
        'COCO and LVIS as well)',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.0,
        help="share of an instance's pixels that may contradict --gt (default: %(default)s)",
    )
    parser.add_argument(
        '--include-background',
        action='store_true',
        help='IA-mIoU averages over background too, scored per image, as published averages do',
    )
    parser.add_argument(
        '--out', help='write the record of the scores to this file (.json), or to this folder'
    )
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def mask_scores(args: argparse.Namespace, classes: Sequence[str]) -> list[PairScore]:
    """MIoU, and IA-mIoU where it is asked for."""
    scores: list[PairScore] = [MeanIoUScore(classes, args.ignore_index)]
    if args.instances or args.ia:
        names = read_category_map(args.category_map, classes)
        options = (args.ignore_index, args.tolerance, args.include_background)
        scores.append(InstanceScore(classes, args.instances, names, *options))
    return scores


def main(args: argparse.Namespace) -> int:
    if args.instances and args.ia:
        raise ValueError('give --instances, or --ia where there are none, but not both')
    if args.maps and (args.instances or args.ia):
        raise ValueError('--instances and --ia score masks, not class maps (--maps)')
    by_size = args.include_background or args.tolerance or args.category_map
    if by_size and not (args.instances or args.ia):
        raise ValueError(
            '--include-background, --tolerance and --category-map are of IA-mIoU: give --instances or --ia'
        )
    if args.thresholds and not args.maps:
        raise ValueError('--thresholds belong to --maps: masks have none')
    pred = args.maps or args.masks
    require_folder('--maps' if args.maps else '--masks', pred)
    require_folder('--gt', args.gt)
    if args.num_classes is not None and args.num_classes < 2:
        raise ValueError(
            f'--num-classes must be >= 2 (background and a class), but got {args.num_classes}'
        )
    classes = resolve_classes(args.classes, args.num_classes, pred, not args.no_background)
    ids = read_split(args.list, argument='--list') if args.list else None
    split = Path(args.list).stem if args.list else ''
    options = {'ignore_index': args.ignore_index, 'workers': args.workers, 'split': split}
    if args.maps:
        thresholds = args.thresholds or DEFAULT_THRESHOLDS
        score = score_maps(pred, args.gt, classes, ids, thresholds, **options)
    else:
        score = score_masks(pred, args.gt, classes, ids, mask_scores(args, classes), **options)
    print(score.text)
    if args.out:
        Recorder(args.out, score.record).finish(complete=score.record.complete)
    if any('not found' in error for error in score.report.failed.values()) and not args.list:
        print(
            f'if {pred} is meant to hold only some images of {args.gt}, name them with --list FILE'
        )
    return finish_report(score.report)


if __name__ == '__main__':
    run_tool(main, parse_args())

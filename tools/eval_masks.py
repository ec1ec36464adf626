"""Score a folder of masks or of class maps: tools/eval_masks.py PRED GT [--list FILE] [--maps]."""

from __future__ import annotations

import argparse

from mmwsss.evaluation.folder import resolve_classes, score_maps, score_masks
from mmwsss.evaluation.map_counts import DEFAULT_THRESHOLDS
from mmwsss.masks import read_id_list
from mmwsss.utils.cli import (
    add_verbose_argument,
    add_workers_argument,
    finish_report,
    run_tool,
    write_json,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pred', help='folder of predicted masks (.png, .npy); --maps: class maps')
    parser.add_argument('gt', help='folder of ground-truth masks (.png, .npy)')
    parser.add_argument('--list', help='text file of image ids (default: all of GT)')
    parser.add_argument(
        '--classes', help='voc, coco14, or a text file of names (default: the manifest of PRED)'
    )
    parser.add_argument('--num-classes', type=int, help='number of classes with background')
    parser.add_argument('--ignore-index', type=int, default=255, help='default: %(default)s')
    parser.add_argument(
        '--maps', action='store_true', help='PRED holds class maps: table over thresholds'
    )
    parser.add_argument(
        '--thresholds', type=float, nargs='+', help='of --maps (default: 0.05, 0.10 .. 0.95)'
    )
    parser.add_argument('--json', help='write the scores to this file')
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    if args.thresholds and not args.maps:
        raise ValueError('--thresholds belong to --maps: masks have none')
    classes = resolve_classes(args.classes, args.num_classes, args.pred)
    ids = read_id_list(args.list) if args.list else None
    options = {'ignore_index': args.ignore_index, 'workers': args.workers}
    if args.maps:
        thresholds = args.thresholds or DEFAULT_THRESHOLDS
        score = score_maps(args.pred, args.gt, classes, ids, thresholds, **options)
    else:
        score = score_masks(args.pred, args.gt, classes, ids, **options)
    print(score.text)
    if args.json:
        write_json(args.json, score.content)
    if any('not found' in error for error in score.report.failed.values()) and not args.list:
        print('if PRED is meant to hold only some images of GT, name them with --list FILE')
    return finish_report(score.report)


if __name__ == '__main__':
    run_tool(main, parse_args())

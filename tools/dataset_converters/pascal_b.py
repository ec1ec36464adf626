"""Build PASCAL-B, a size-balanced evaluation set, from LVIS and COCO annotations and images.

Examples::

    mmwsss data pascal-b --out data/pascal_b --lvis lvis_v1_val.json \\
        --coco instances_train2017.json instances_val2017.json --images train2017 val2017
    mmwsss data pascal-b --out data/pascal_b --lvis ... --coco ... --images ... \\
        --list pascal_b_ids.txt
    mmwsss data pascal-b --out data/voc_balanced.txt --voc data/VOC2012 --split val

Without --lvis, COCO gives all classes. The result is in VOC layout (JPEGImages, SegmentationClass,
SegmentationObject, ImageSets/Segmentation/val.txt) with statistics.json and sampling.json. With --list
nothing is sampled: the same list and files give the same bytes. With --voc an existing dataset with
instance maps is balanced by the same rule; only a list of ids is written. What counts as labelled is said
in mmwsss/datasets/pascal_b_builder.py, which category is which class in
mmwsss/datasets/tables/pascal_b_categories.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mmwsss.datasets.pascal_b_builder import (
    CATEGORY_TABLE,
    choose_images,
    count_all,
    count_objects,
    list_candidates,
    read_category_table,
    read_source,
    statistics,
    voc_candidates,
    write_set,
)
from mmwsss.io import atomic_path, hash_file, read_id_list, write_ids, write_json
from mmwsss.io.names import require_folder
from mmwsss.report.sizes import draw_size_bars
from mmwsss.utils.cli import add_verbose_argument, add_workers_argument, run_tool
from mmwsss.utils.names import name_some
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument(
        '--out', required=True, help='folder to write; with --voc the list file to write'
    )
    parser.add_argument('--lvis', nargs='+', default=[], help='LVIS v1 annotation files')
    parser.add_argument('--coco', nargs='+', default=[], help='COCO 2017 instances files')
    parser.add_argument('--images', nargs='+', default=[], help='folders with <id>.jpg')
    parser.add_argument('--voc', help='balance this dataset in VOC layout instead')
    parser.add_argument('--split', default='val', help='list of --voc (default: %(default)s)')
    parser.add_argument('--exclude', help='text file of image ids to leave out')
    parser.add_argument('--list', help='text file of the image ids to build, no sampling')
    parser.add_argument(
        '--target', type=float, default=60, help='objects per class and size (default: %(default)s)'
    )
    parser.add_argument(
        '--max-images', type=int, default=1137, help='as many as in the paper: %(default)s'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--table', default=str(CATEGORY_TABLE), help='category table (CSV)')
    parser.add_argument(
        '--figure', help='draw objects per class and size: a .png, .pdf or .svg file'
    )
    add_workers_argument(parser)
    add_verbose_argument(parser)
    args = parser.parse_args(argv)
    if bool(args.voc) == bool(args.coco):
        parser.error('give either --coco (with or without --lvis) or --voc')
    if args.coco and not args.images:
        parser.error('--coco needs --images')
    if args.voc and args.list:
        parser.error('--list does not go with --voc')
    return args


def main(args: argparse.Namespace) -> int:
    if args.voc:
        summary = balance_voc(args)
    else:
        summary = build(args)
    print(as_table(summary))
    if args.figure:
        draw(summary, args.figure)
    return 0


def build(args: argparse.Namespace) -> dict[str, Any]:
    """Sample or take the list, write the set, return its statistics."""
    for folder in args.images:
        require_folder('--images', folder)
    table = read_category_table(args.table)
    lvis = read_source(args.lvis, 'lvis', table) if args.lvis else None
    coco = read_source(args.coco, 'coco', table)
    excluded = read_id_list(args.exclude) if args.exclude else []
    if unknown := [name for name in excluded if name not in coco.images]:
        print(f'note: --exclude names {len(unknown)} images that no file has: {name_some(unknown)}')
    candidates = {c.name: c for c in list_candidates(coco, lvis, excluded)}
    counts = count_all(list(candidates.values()), args.workers)
    if args.list:
        names = sorted(read_id_list(args.list))
    else:
        names = choose_images(counts, args.target, args.max_images, args.seed)
    known = [name for name in names if name in counts]  # write_set names the others
    summary = statistics(counts, known)
    summary['inputs'] = {Path(f).name: hash_file(f) for f in [*args.lvis, *args.coco, args.table]}
    summary['excluded'] = sorted(excluded)
    write_set(args.out, candidates, names, args.images, summary)
    if args.list:
        Path(args.out, 'sampling.json').unlink(missing_ok=True)  # of an earlier run
    else:
        write_json(Path(args.out, 'sampling.json'), sampling(args))
    return summary


def balance_voc(args: argparse.Namespace) -> dict[str, Any]:
    """Write the list of a balanced subset of a dataset in VOC layout; return its statistics."""
    names = read_id_list(Path(args.voc, 'ImageSets', 'Segmentation', f'{args.split}.txt'))
    excluded = set(read_id_list(args.exclude)) if args.exclude else set()
    kept = [name for name in names if name not in excluded]
    counts = {name: count_objects(*maps) for name, *maps in voc_candidates(args.voc, kept)}
    chosen = choose_images(counts, args.target, args.max_images, args.seed)
    write_ids(args.out, chosen)
    return statistics(counts, chosen)


def sampling(args: argparse.Namespace) -> dict[str, Any]:
    return {'seed': args.seed, 'target': args.target, 'max_images': args.max_images}


def as_table(summary: Mapping[str, Any]) -> str:
    """Objects per class and size, before -> after."""
    before, after = summary['before'], summary['after']
    lines = [f'{"class":<14}' + ''.join(f'{size:>16}' for size in ('small', 'medium', 'large'))]
    for name in before['objects']:
        cells = [f'{before["objects"][name][s]} -> {after["objects"][name][s]}' for s in 'SML']
        lines.append(f'{name:<14}' + ''.join(f'{cell:>16}' for cell in cells))
    lines.append(f'{before["images"]} candidate images, {after["images"]} chosen')
    return '\n'.join(lines)


def draw(summary: Mapping[str, Any], path: str) -> None:
    """Bars of objects per class and size, before and after."""
    figure = Figure(figsize=(9, 6), layout='constrained')
    before, after = figure.subplots(2, 1, sharex=True)
    for axes, key in ((before, 'before'), (after, 'after')):
        draw_size_bars(axes, summary[key]['objects'])
        axes.set_title(f'{key}: {summary[key]["images"]} images', fontsize=11)
        if key == 'before':
            axes.legend(frameon=False, ncols=3)
            axes.tick_params(axis='x', labelbottom=False)
    after.set_ylim(before.get_ylim())
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=Path(path).suffix[1:].lower() or 'png')


if __name__ == '__main__':
    run_tool(main, parse_args())

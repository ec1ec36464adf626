"""Count the objects of a folder of masks by class and size: .dev/size_histogram.py MASKS.

Objects are the instances of --instances, or else the 8-connected components of each class, as of pseudo
masks. Pixels of value 255 do not count. Small is below 32 x 32 pixels, medium below 96 x 96.

Examples::

    python .dev/size_histogram.py data/VOCdevkit/VOC2012/SegmentationClass \\
        --classes voc --instances data/VOCdevkit/VOC2012/SegmentationObject --figure sizes.png
    python .dev/size_histogram.py work_dirs/sipe/masks --json sizes.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmwsss.evaluation.folder import resolve_classes
from mmwsss.evaluation.instance_score import InstanceScore, read_category_map
from mmwsss.functional.ia_miou import (
    LARGE_AREA,
    SMALL_AREA,
    InstanceRecords,
    ia_miou_from_records,
)
from mmwsss.io import (
    MASK_SUFFIXES,
    find_ids,
    find_mask,
    load_mask,
    process_items,
    read_id_list,
    write_json,
)
from mmwsss.report.sizes import LABELS, SIZE_COLOURS, draw_size_bars
from mmwsss.utils.cli import add_verbose_argument, add_workers_argument, finish_report, run_tool

SIZES = ('S', 'M', 'L')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('masks', help='folder of masks (.png, .npy)')
    parser.add_argument('--instances', help='folder of instance maps, or a COCO or LVIS JSON')
    parser.add_argument('--list', help='text file of image ids (default: all of MASKS)')
    parser.add_argument(
        '--classes', help='voc, coco14, or a text file of names (default: the manifest of MASKS)'
    )
    parser.add_argument('--num-classes', type=int, help='number of classes with background')
    parser.add_argument('--category-map', help='JSON {category: class} for a JSON of instances')
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.0,
        help="share of an instance's pixels that may contradict its mask (default: %(default)s)",
    )
    parser.add_argument('--ignore-index', type=int, default=255, help='default: %(default)s')
    parser.add_argument('--figure', help='write a figure to this PNG file')
    parser.add_argument('--title', default='', help='of the figure')
    parser.add_argument('--json', help='write counts and areas to this file')
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    classes = resolve_classes(args.classes, args.num_classes, args.masks)
    names = read_category_map(args.category_map, classes)
    score = InstanceScore(classes, args.instances, names, args.ignore_index, args.tolerance)
    ids = read_id_list(args.list) if args.list else find_ids(args.masks, MASK_SUFFIXES)

    def work(name: str) -> InstanceRecords:
        mask = load_mask(find_mask(args.masks, name), len(classes), args.ignore_index)
        return score.count(name, mask, mask)  # the records name class and area of each object

    report = process_items(
        ids, work, None, 'counting', args.workers, on_result=lambda _, found: score.add(found)
    )
    content = summary(score, classes)
    content.update(masks=args.masks, images=len(report.done), failed=report.failed)
    print(as_table(content))
    if args.json:
        write_json(args.json, content)
    if args.figure:
        draw(content, args.title).savefig(args.figure)
    return finish_report(report)


def summary(score: InstanceScore, classes: list[str]) -> dict[str, Any]:
    """Objects by class and size, and all areas in increasing order."""
    counts = ia_miou_from_records(score.records, len(classes))
    areas = np.concatenate([np.zeros(0, np.int64), *(found.areas for found in score.records)])
    return {
        'instance_source': score.source.replace('the ground truth', 'the masks'),
        'objects': {
            name: {size: int(counts[f'num_per_class_{size}'][c]) for size in SIZES}
            for c, name in enumerate(classes)
            if c > 0
        },
        'total': {size: counts['num_instances'][size] for size in SIZES},
        'areas': np.sort(areas).tolist(),
    }


def as_table(content: dict[str, Any]) -> str:
    """One line per class."""
    rows = {**content['objects'], 'all classes': content['total']}
    width = max(map(len, rows))
    lines = [
        f'{"class":<{width}}' + ''.join(f'{t:>8}' for t in ('small', 'medium', 'large', 'all'))
    ]
    for name, row in rows.items():
        cells = [*(row[size] for size in SIZES), sum(row.values())]
        lines.append(f'{name:<{width}}' + ''.join(f'{cell:>8}' for cell in cells))
    lines.append(f'{content["images"]} images; objects: {content["instance_source"]}')
    return '\n'.join(lines)


def draw_sides(axes: Axes, areas: Sequence[int]) -> None:
    """Draw a histogram of the objects' sides, the roots of ``areas`` >= 1, with the bounds of sizes."""
    sides = np.sqrt(np.asarray(areas, dtype=float))
    bins = np.geomspace(1, max(1024.0, sides.max(initial=1)), 41)
    axes.hist(sides, bins=bins, color='0.45')
    axes.set_xscale('log', base=2)
    axes.xaxis.set_major_formatter('{x:.0f}')
    axes.set_xlabel('side of the object in pixels (square root of its area)')
    axes.set_ylabel('objects')
    for bound in (SMALL_AREA, LARGE_AREA):
        axes.axvline(bound**0.5, zorder=0, color='black', linestyle='--', linewidth=1)
    top = 1.25 * axes.get_ylim()[1]
    axes.set_ylim(0, top)
    share = np.histogram(sides, [0, SMALL_AREA**0.5, LARGE_AREA**0.5, np.inf])[0]
    for x, ha, size, count in zip((30, 55, 102), ('right', 'center', 'left'), LABELS, share):
        text = f'{LABELS[size].split(",")[0]}: {count}'
        place = dict(ha=ha, va='top', color=SIZE_COLOURS[size], weight='bold')
        axes.text(x, 0.96 * top, text, **place)


def draw(content: dict[str, Any], title: str) -> Figure:
    """Bars per class and size above the histogram of sides."""
    figure = Figure(figsize=(9, 6), layout='constrained')
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 2))
    draw_size_bars(top, content['objects'])
    top.legend(frameon=False, ncols=3, loc='upper left', bbox_to_anchor=(0, 1.12))
    top.set_title(title or f'{content["images"]} images', loc='right', fontsize=11)
    draw_sides(bottom, content['areas'])
    return figure


if __name__ == '__main__':
    run_tool(main, parse_args())

"""Draw what IA-mIoU sees and mIoU does not: .dev/ia_miou_figures.py {corner-cases,removal}.

`corner-cases` (after figure 4 of Mun et al., WACV 2024): a large and a small object of one class. The
prediction of one grows while the other one is perfect; then the prediction of the large one spreads over
the background until it has swallowed the small one. `removal` (after figure 5): from a perfect prediction of
a dataset's ground truth whole objects are taken away, the smallest first, the largest first or at random.

Examples::

    python .dev/ia_miou_figures.py corner-cases --figure corner_cases.png
    python .dev/ia_miou_figures.py removal data/VOCdevkit/VOC2012/SegmentationClass \\
        --instances data/VOCdevkit/VOC2012/SegmentationObject --classes voc --figure removal.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mmwsss.evaluation.folder import (
    MeanIoUScore,
    resolve_classes,
)
from mmwsss.evaluation.instances import InstanceFolder
from mmwsss.functional.confusion import iou_from_areas, mean_iou
from mmwsss.functional.ia_miou import (
    InstanceRecords,
    ia_miou_from_records,
    instance_ious,
    instances_in_mask,
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
from mmwsss.utils.cli import add_verbose_argument, add_workers_argument, run_tool

ORDERS = {'smallest': 'smallest first', 'largest': 'largest first', 'random': 'at random'}
IGNORE = 255
COLOURS = {'mIoU': '0.45', 'IA-mIoU': '#d1495b'}
# The scene of the corner cases: (top, left, height, width) of the objects in 128 x 256 pixels.
SIZE, LARGE, SMALL = (128, 256), (14, 16, 100, 150), (52, 206, 24, 24)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest='kind', required=True)
    corner = kinds.add_parser('corner-cases', help='a large and a small object')
    corner.add_argument('--steps', type=int, default=24, help='default: %(default)s')
    removal = kinds.add_parser('removal', help='objects taken away from a perfect prediction')
    removal.add_argument('masks', help='folder of ground-truth masks (.png, .npy)')
    removal.add_argument('--instances', help='folder of instance maps (default: components)')
    removal.add_argument('--list', help='text file of image ids (default: all of MASKS)')
    removal.add_argument('--classes', help='voc, coco14, or a text file of names')
    removal.add_argument('--num-classes', type=int, help='number of classes with background')
    removal.add_argument('--steps', type=int, default=10, help='default: %(default)s')
    removal.add_argument('--seed', type=int, default=0, help='of the random order')
    removal.add_argument('--title', default='', help='of the figure')
    add_workers_argument(removal)
    for one in (corner, removal):
        one.add_argument('--figure', required=True, help='PNG file to write')
        one.add_argument('--json', help='write the curves to this file')
        add_verbose_argument(one)
    args = parser.parse_args(argv)
    if args.steps < 1:
        parser.error(f'--steps must be at least 1, but got {args.steps}')
    return args


def main(args: argparse.Namespace) -> int:
    if args.kind == 'corner-cases':
        curves = corner_cases(args.steps)
        figure = draw_corner_cases(curves)
    else:
        curves = removal(args)
        figure = draw_removal(curves, args.title)
    figure.savefig(args.figure, dpi=80)
    if args.json:
        write_json(args.json, curves)
    print(f'wrote {args.figure}')
    return 0


def box(place: Sequence[int], share: float = 1.0) -> np.ndarray:
    """Boolean map of the left part of a box, ``share`` of its width."""
    top, left, height, width = place
    found = np.zeros(SIZE, dtype=bool)
    found[top : top + height, left : left + round(share * width)] = True
    return found


def spread(share: float) -> np.ndarray:
    """The large box, spread to the right until, at 1, it reaches the right border."""
    top, left, height, width = LARGE
    return box((top, left, height, SIZE[1] - left), (width + share * (SIZE[1] - left - width))
               / (SIZE[1] - left))  # fmt: skip


def predictions(share: float) -> dict[str, np.ndarray]:
    """What is predicted in each case."""
    return {
        'share of the small object found': box(LARGE) | box(SMALL, share),
        'share of the large object found': box(LARGE, share) | box(SMALL),
        'spread of the large object': spread(share) | box(SMALL),
    }


def count(
    pred: np.ndarray, gt: np.ndarray, instances: np.ndarray | None, num_classes: int
) -> tuple[np.ndarray, InstanceRecords]:
    """Count an image for both scores: the areas (3, C) of the IoU, and the records of the objects."""
    areas, _ = MeanIoUScore([''] * num_classes).count('', pred, gt)
    return areas, instance_ious(pred, gt, instances, num_classes)


def both_scores(
    counts: Sequence[tuple[np.ndarray, InstanceRecords]], num_classes: int
) -> dict[str, float]:
    """MIoU and IA-mIoU of all images."""
    iou = iou_from_areas(*sum(areas for areas, _ in counts))
    records = [found for _, found in counts]
    return {
        'mIoU': float(mean_iou(iou)),
        'IA-mIoU': ia_miou_from_records(records, num_classes)['IA-mIoU'],
    }


def corner_cases(steps: int) -> dict[str, Any]:
    """Both scores of every case, from share 0 to 1."""
    gt = (box(LARGE) | box(SMALL)).astype(np.uint8)
    instances = (box(LARGE) + 2 * box(SMALL)).astype(np.uint8)
    shares = np.linspace(0, 1, steps + 1)
    curves: dict[str, Any] = {case: {'mIoU': [], 'IA-mIoU': []} for case in predictions(0)}
    for share in shares:
        for case, pred in predictions(share).items():
            counts = count(pred.astype(np.uint8), gt, instances, 2)
            for key, value in both_scores([counts], 2).items():
                curves[case][key].append(value)
    return {'share': shares.tolist(), 'cases': curves}


def draw_corner_cases(curves: Mapping[str, Any]) -> Figure:
    """A picture of each case at its middle, above its curves."""
    figure = Figure(figsize=(10.5, 5), layout='constrained')
    axes = figure.subplots(2, 3, height_ratios=(1, 2))
    for (above, below), (case, values) in zip(axes.T, curves['cases'].items()):
        picture = np.full((*SIZE, 3), 245, np.uint8)
        picture[predictions(0.5)[case]] = (214, 96, 77)
        above.imshow(picture)
        for place in (LARGE, SMALL):
            above.contour(box(place), levels=[0.5], colors='black', linewidths=1.2)
        above.set_axis_off()
        for key, colour in COLOURS.items():
            below.plot(curves['share'], 100 * np.array(values[key]), color=colour, label=key)
        below.set_xlabel(case)
        below.set_ylim(0, 104)
        below.grid(linewidth=0.4)
    axes[1, 0].set_ylabel('score (%)')
    axes[1, 0].legend(loc='lower right')
    axes[0, 0].set_title('black: true objects; red: prediction at 0.5', fontsize=10, loc='left')
    return figure


class Scenes:
    """Ground truth of a folder and its objects.

    Args:
        masks: Folder of masks.
        instances: Folder of instance maps. None: the objects are connected components.
        num_classes: Number of classes with background.
    """

    def __init__(self, masks: str, instances: str | None, num_classes: int) -> None:
        self.masks, self.num_classes = masks, num_classes
        self.source = InstanceFolder(instances) if instances else None

    def load(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return mask and instance map (H, W), where 0 is no object."""
        gt = load_mask(find_mask(self.masks, name), self.num_classes)
        found = instances_in_mask(gt) if self.source is None else self.source(name, gt.shape)
        return gt, np.where(
            (gt == IGNORE) | (found == IGNORE) & (self.source is not None), 0, found
        )

    def areas(self, name: str) -> np.ndarray:
        """Return the pixels of each object of an image, by its number in the map."""
        return np.bincount(self.load(name)[1].ravel())

    def count(
        self, name: str, removed_at: Mapping[tuple[str, int], float], shares: Sequence[float]
    ) -> list[tuple[np.ndarray, InstanceRecords]]:
        """Count an image once per share; an object is there while the share is at most its own."""
        gt, objects = self.load(name)
        until = np.full(int(objects.max()) + 1, -1.0)
        for i in range(1, len(until)):
            until[i] = removed_at.get((name, i), -1.0)
        given = None if self.source is None else self.source(name, gt.shape)
        return [
            count(np.where(until[objects] >= share, gt, 0), gt, given, self.num_classes)
            for share in shares
        ]


def removal(args: argparse.Namespace) -> dict[str, Any]:
    """Both scores after taking away more and more objects of a dataset, in each order."""
    classes = resolve_classes(args.classes, args.num_classes, args.masks)
    ids = read_id_list(args.list) if args.list else find_ids(args.masks, MASK_SUFFIXES)
    scenes = Scenes(args.masks, args.instances, len(classes))
    areas = run(ids, scenes.areas, args.workers)
    objects = [
        (int(of_image[i]), name, int(i))
        for name, of_image in areas.items()
        for i in np.flatnonzero(of_image)
        if i > 0
    ]
    if not objects:
        raise ValueError(f'{args.masks} holds no objects')
    shares = np.linspace(0, 1, args.steps + 1).tolist()
    curves = {}
    for order in ORDERS:
        removed_at = removal_times(objects, order, args.seed)
        counts = run(ids, lambda name, at=removed_at: scenes.count(name, at, shares), args.workers)
        steps = [both_scores(of_step, len(classes)) for of_step in zip(*counts.values())]
        curves[order] = {key: [step[key] for step in steps] for key in COLOURS}
    return {'share': shares, 'objects': len(objects), 'images': len(ids), 'orders': curves}


def run(ids: Sequence[str], work: Callable[[str], Any], workers: int) -> dict[str, Any]:
    """Results by image, in the order of the ids; any failed image is an error."""
    results: dict[str, Any] = {}
    report = process_items(ids, work, None, 'counting', workers, on_result=results.__setitem__)
    if report.failed:
        raise ValueError(f'images failed: {report.summary()}')
    return results


def removal_times(
    objects: Sequence[tuple[int, str, int]], order: str, seed: int
) -> dict[tuple[str, int], float]:
    """The share of removed objects up to which each object (area, image, number) is there."""
    ordered = sorted(objects, reverse=order == 'largest')
    if order == 'random':
        places = np.random.default_rng(seed).permutation(len(ordered))
        ordered = [ordered[i] for i in places]
    n = len(ordered)
    return {(name, i): k / n for k, (_, name, i) in enumerate(ordered)}


def draw_removal(curves: Mapping[str, Any], title: str) -> Figure:
    """One panel per order."""
    figure = Figure(figsize=(10.5, 3.6), layout='constrained')
    axes = figure.subplots(1, len(ORDERS), sharey=True)
    for axis, (order, name) in zip(axes, ORDERS.items()):
        for key, colour in COLOURS.items():
            values = 100 * np.array(curves['orders'][order][key])
            axis.plot(100 * np.array(curves['share']), values, color=colour, label=key, marker='.')
        axis.set_title(name, fontsize=11)
        axis.set_xlabel('objects removed (%)')
        axis.grid(linewidth=0.4)
    axes[0].set_ylabel('score (%)')
    axes[0].set_ylim(0, 104)
    axes[-1].legend()
    where = title or f'{curves["objects"]} objects in {curves["images"]} images'
    figure.suptitle(where, fontsize=11)
    return figure


if __name__ == '__main__':
    run_tool(main, parse_args())

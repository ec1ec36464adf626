"""Write masks as annotations: for CVAT, Label Studio, or whoever reads COCO, YOLO or VOC.

An object is an 8-connected component of a class. Background and 255 are in no annotation (VOC has 255, too).
Exit code 1: some masks failed and are named; the others are in the export.
"""

from __future__ import annotations

import argparse

from mmwsss.evaluation.folder import resolve_classes
from mmwsss.io import read_id_list, require_folder
from mmwsss.stages.annotations import FORMATS, Exported, ExportOptions, export_masks
from mmwsss.utils.cli import add_verbose_argument, add_workers_argument, finish_report, run_tool
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('masks', help='folder of masks (.png, .npy)')
    parser.add_argument('--format', required=True, choices=tuple(FORMATS))
    parser.add_argument('--out', required=True, help='folder for the export')
    parser.add_argument('--images', help='folder of the images: their file names and sizes')
    parser.add_argument('--list', help='text file of image ids (default: all masks)')
    parser.add_argument(
        '--classes', help='voc, coco14, or a text file of names (default: the record of the masks)'
    )
    parser.add_argument(
        '--polygons', action='store_true', help='outlines instead of run lengths (yolo-seg: always)'
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.0,
        help='how far outlines may leave out corners, in pixels (default: %(default)s, exact)',
    )
    parser.add_argument(
        '--min-area', type=int, default=1, help='smallest object, in pixels (default: %(default)s)'
    )
    parser.add_argument(
        '--url', default='', help="label-studio: before file names, e.g. '/data/local-files/?d='"
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier export')
    add_workers_argument(parser)
    add_verbose_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    masks = require_folder('masks', args.masks)
    classes = resolve_classes(args.classes, None, masks)
    found = export_masks(
        masks,
        args.out,
        args.format,
        classes,
        images=args.images,
        ids=read_id_list(args.list) if args.list else None,
        options=ExportOptions(args.polygons, args.tolerance, args.min_area, args.url),
        overwrite=args.overwrite,
        workers=args.workers,
    )
    print('\n'.join(describe(found, classes)))
    return finish_report(found.report)


def describe(found: Exported, classes: list[str]) -> list[str]:
    """What was written, and what was not."""
    counts = [f'{classes[i]} {n}' for i, n in sorted(found.objects.items())]
    lines = [f'{found.file}: {sum(found.objects.values())} objects ({", ".join(counts)})']
    if found.ignored:
        share = found.ignored / found.pixels
        lines.append(f'{found.ignored} pixels ({share:.1%}) are 255 (undecided): in no object')
    if found.small:
        lines.append(f'{found.small} objects below --min-area were left out')
    return lines


if __name__ == '__main__':
    run_tool(main, parse_args())

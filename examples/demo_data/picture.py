"""The demo's picture: image, CAM, IS-CAM, mask, true mask and segmenter of the first validation images.

Example::

    python examples/demo_data/picture.py CONFIG CHECKPOINT \\
        --data data/demo --predictions work_dirs/demo/segmenter_score/predictions --out panel.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmwsss.apis import class_maps, load_localizer, refine_maps
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import ClassMaps, load_mask, read_id_list, read_lines
from mmwsss.utils.config import load_config
from mmwsss.visualization import class_legend, heatmap, overlay, save_panel
from mmwsss_command import ToolParser

COLUMNS = ('image', 'CAM', 'IS-CAM (SIPE)', 'mask', 'true mask', 'segmenter')
CAM = {'model.head.test_map': 'cam', 'model.head.estimated_background': False}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__.splitlines()[0])
    parser.add_argument('config', help='config of a SIPE localizer')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--data', default='data/demo', help='the demo dataset')
    parser.add_argument('--predictions', required=True, help="folder of the segmenter's masks")
    parser.add_argument('--images', type=int, default=5, help='rows (default: %(default)s)')
    parser.add_argument('--out', required=True, help='file of the picture')
    return parser.parse_args(argv)


def strongest(maps: ClassMaps) -> np.ndarray:
    """Largest score of a foreground class in each pixel, (h, w)."""
    return maps.scores[maps.keys > 0].astype(np.float32).max(axis=0)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    data = Path(args.data)
    sipe = load_localizer(args.config, args.checkpoint)
    cam = load_localizer(load_config(args.config, CAM), args.checkpoint)
    classes, palette = sipe.dataset_meta['classes'], sipe.dataset_meta['palette']
    names = read_lines(data / 'classes.txt')
    rows = []
    for name in read_id_list(data / 'ImageSets' / 'Segmentation' / 'val.txt')[: args.images]:
        image = load_rgb(data / 'JPEGImages' / f'{name}.jpg', name)
        truth = load_mask(data / 'SegmentationClass' / f'{name}.png', len(classes))
        labels = [names[k - 1] for k in np.unique(truth) if 0 < k <= len(names)]
        maps = class_maps(sipe, image, labels)
        masks = (
            refine_maps(maps),
            truth,
            load_mask(Path(args.predictions) / f'{name}.png', len(classes)),
        )
        tiles = [
            image,
            *(heatmap(strongest(m), image) for m in (class_maps(cam, image, labels), maps)),
            *(overlay(image, mask, palette) for mask in masks),
        ]
        rows.append(list(zip(COLUMNS if not rows else [''] * len(COLUMNS), tiles)))
    legend = class_legend(classes, palette, range(1, len(classes)))
    save_panel(Path(args.out), rows, legend, tile_width=1.8)
    return 0


if __name__ == '__main__':
    raise SystemExit(main())

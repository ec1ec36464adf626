"""Make docs/images/photos.jpg: what the networks of a study make of real photos that may be passed on.

The photos are those of cats and people in the wheel of scikit-image, in the public domain or CC0; they have
no true masks::

    mmwsss pipeline configs/pipelines/sipe_irn_lite2_voc12part.py --work-dir work_dirs/sipe_irn
    python .dev/photo_picture.py work_dirs/sipe_irn
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image
from skimage import data
from skimage.color import gray2rgb

from generated_pages import ROOT
from mmwsss.apis import class_maps, load_localizer, load_model, refine_maps, segment_images
from mmwsss.io import Record, read_record
from mmwsss.visualization.panels import overlay, panel_image
from mmwsss.visualization.tiles import map_tiles

# Name, and classes given to the localizer. The segmenter is given none.
PHOTOS = {'chelsea': ['cat'], 'astronaut': ['person'], 'camera': ['person']}


def trained(stage: Path) -> tuple[Path, Path]:
    """Config and checkpoint of a training of the run."""
    record: Record = read_record(stage, kind='train')
    return stage / Path(record.config).name, stage / str(record.result['checkpoint'])


def photo(name: str) -> np.ndarray:
    """A photo of scikit-image as RGB (H, W, 3), its longest side at most 500 pixels as VOC's are."""
    pixels = getattr(data, name)()
    image = Image.fromarray(gray2rgb(pixels) if pixels.ndim == 2 else pixels)
    image.thumbnail((500, 500), Image.Resampling.LANCZOS)
    return np.asarray(image)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('run', type=Path, help='work directory of the pipeline')
    parser.add_argument('--out', type=Path, default=ROOT / 'docs/images/photos.jpg')
    args = parser.parse_args(argv)
    config, weights = trained(args.run / 'localizer')
    localizer = load_localizer(config, weights)
    segmenter = load_model(*trained(args.run / 'segmenter'))
    cam = Config.fromfile(config)
    cam.model.head.test_map = 'cam'
    general = load_localizer(cam, weights)
    palette, rows = localizer.dataset_meta['palette'], []
    walk = dict(zip(('config', 'checkpoint'), map(str, trained(args.run / 'irn'))))
    refiners = [dict(type='RandomWalk', **walk), dict(type='DenseCRF', from_labels=True)]
    for name, labels in PHOTOS.items():
        image = photo(name)
        maps = class_maps(localizer, image, labels)
        mask = refine_maps(maps, refiners, image)
        (seen,) = segment_images(segmenter, image)
        classes = localizer.dataset_meta['classes']
        rows.append(
            [
                ('photo', image),
                ('CAM', map_tiles(class_maps(general, image, labels), image, classes)[0][1]),
                ('IS-CAM', map_tiles(maps, image, classes)[0][1]),
                ('mask: IRNet, dense CRF', overlay(image, mask, palette)),
                ('segmenter, without label', overlay(image, seen.mask, palette)),
            ]
        )
        print(name, labels, [classes[i] for i in np.unique(seen.mask)])
    Image.fromarray(panel_image(rows, tile_width=2.0)).save(args.out, quality=88)


if __name__ == '__main__':
    main()

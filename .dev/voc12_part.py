"""Make `data/voc12_part`, on which the tables of README.md and docs/results.md were measured.

    mmwsss data voc12aug data/VOCdevkit/VOC2012 data/benchmark_RELEASE/dataset/cls
    python .dev/voc12_part.py data/VOCdevkit/VOC2012 data/voc12_part

The 2,899 training images of `voc12_part.txt` have their long side reduced to 400 pixels and are saved at JPEG
quality 75; the 1,449 images of val are as they were. How the images of the tables were reduced is not known,
so scores will differ a little.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from PIL import Image

from mmwsss.io import read_id_list, write_ids

TRAIN = Path(__file__).with_name('voc12_part.txt')
LISTS = Path('ImageSets', 'Segmentation')
IMAGE, MASK = 'JPEGImages/{}.jpg', 'SegmentationClassAug/{}.png'
LONG_SIDE, QUALITY = 400, 75


def reduced(image: Image.Image, how: Image.Resampling) -> Image.Image:
    """The image, or mask, with a long side of at most ``LONG_SIDE``."""
    ratio = LONG_SIDE / max(image.size)
    size = tuple(round(side * ratio) for side in image.size)
    return image.resize(size, how) if ratio < 1 else image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('voc', type=Path, help='VOC2012, with SegmentationClassAug')
    parser.add_argument('out', type=Path)
    args = parser.parse_args()
    train, val = read_id_list(TRAIN), read_id_list(args.voc / LISTS / 'val.txt')
    own = set(read_id_list(args.voc / LISTS / 'train.txt'))
    for file in (IMAGE, MASK):
        (args.out / file).parent.mkdir(parents=True, exist_ok=True)
        for name in val:
            shutil.copyfile(args.voc / file.format(name), args.out / file.format(name))
    for name in train:
        image, mask = IMAGE.format(name), MASK.format(name)
        with Image.open(args.voc / image) as original:
            reduced(original, Image.Resampling.BICUBIC).save(args.out / image, quality=QUALITY)
        with Image.open(args.voc / mask) as original:
            reduced(original, Image.Resampling.NEAREST).save(args.out / mask)
    write_ids(args.out / LISTS / 'train.txt', train)
    write_ids(args.out / LISTS / 'train_voc12.txt', [name for name in train if name in own])
    write_ids(args.out / LISTS / 'val.txt', val)
    print(f'{args.out}: {len(train)} images to train, {len(val)} of val')


if __name__ == '__main__':
    main()

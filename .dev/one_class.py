"""Make one-class data for `configs/pipelines/custom_tiny.py`: half of the photos show a cat.

200 are of the training part, 100, which have masks, of VOC's val in data/voc12_part. `results/one_class_*`:

    mmwsss pipeline configs/pipelines/custom_tiny.py --seed 0 --last masks_score --cfg-options \
        data_root=data/one_class localizer.train_dataloader.dataset.unlabeled=drop
"""

from __future__ import annotations

import csv
import random
import shutil

import numpy as np

from generated_pages import ROOT
from mmwsss.io import load_mask, read_id_list, save_mask

VOC, OUT = ROOT / 'data' / 'voc12_part', ROOT / 'data' / 'one_class'
CAT = 8


def truth(name: str) -> np.ndarray:
    """The true mask of an image, (H, W): 0, 1 cat, 255."""
    mask = load_mask(VOC / 'SegmentationClassAug' / f'{name}.png')
    return np.where(mask == 255, 255, mask == CAT).astype(np.uint8)


def pick(split: str, count: int, rng: random.Random) -> list[str]:
    """As many images of a split with as without a cat, by chance."""
    names = read_id_list(VOC / 'ImageSets' / 'Segmentation' / f'{split}.txt')
    rng.shuffle(names)
    groups: dict[bool, list[str]] = {True: [], False: []}
    for name in names:
        group = groups[bool((truth(name) == 1).any())]
        if len(group) < count:
            group.append(name)
    return groups[True] + groups[False]


def main() -> None:
    rng = random.Random(0)  # noqa: S311
    train, val = pick('train', 100, rng), pick('val', 50, rng)
    for folder in ('images', 'masks'):
        (OUT / folder).mkdir(parents=True)
    rows = [('id', 'class names')]
    for name in (*train, *val):
        shutil.copy(VOC / 'JPEGImages' / f'{name}.jpg', OUT / 'images')
        rows.append((name, 'cat' if (truth(name) == 1).any() else ''))
    for name in val:
        save_mask(OUT / 'masks' / f'{name}.png', truth(name))
    with open(OUT / 'names.csv', 'w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows(rows)
    print(f'wrote {len(rows) - 1} images to {OUT}')


if __name__ == '__main__':
    main()

"""A dataset of three images in VOC layout, for tests.

========  ==========  =========================  ==============
id        size (HxW)  classes in the mask         suffix of image
========  ==========  =========================  ==============
first     12 x 16     background, cat, 255       .jpg
second    10 x 8      background, cat, dog       .png
third     9 x 9       background                 .jpg
========  ==========  =========================  ==============
"""

from pathlib import Path

import numpy as np
from PIL import Image

from mmwsss.io.mask_io import save_mask

CLASSES = ('background', 'cat', 'dog')
IDS = ['first', 'second', 'third']
LABELS = {'first': [1], 'second': [1, 2], 'third': []}
SIZES = {'first': (12, 16), 'second': (10, 8), 'third': (9, 9)}
SUFFIXES = {'first': '.jpg', 'second': '.png', 'third': '.jpg'}


def tiny_mask(name: str) -> np.ndarray:
    mask = np.zeros(SIZES[name], np.uint8)
    for i, class_id in enumerate(LABELS[name]):
        mask[2 * i : 2 * i + 2, 1:4] = class_id
    if name == 'first':
        mask[-1] = 255
    return mask


def tiny_image(name: str) -> np.ndarray:
    """RGB uint8 (H, W, 3) with a different value at each place."""
    height, width = SIZES[name]
    rows, columns = np.mgrid[:height, :width]
    return np.stack([10 * rows + 20, 7 * columns + 30, 3 * (rows + columns)], axis=2).astype(
        np.uint8
    )


def xml_text(objects: list[tuple[str, int]]) -> str:
    items = ''.join(
        f'<object><name>{name}</name><difficult>{difficult}</difficult>'
        '<part><name>head</name></part></object>'
        for name, difficult in objects
    )
    return f'<annotation><filename>x.jpg</filename>{items}</annotation>'


def make_tiny(root: Path) -> Path:
    for folder in ('images', 'masks', 'xml', 'lists'):
        (root / folder).mkdir()
    for name in IDS:
        image = Image.fromarray(tiny_image(name))
        image.save(root / 'images' / f'{name}{SUFFIXES[name]}', quality=95)
        save_mask(root / 'masks' / f'{name}.png', tiny_mask(name))
        objects = [(CLASSES[i], 0) for i in LABELS[name]]
        (root / 'xml' / f'{name}.xml').write_text(xml_text(objects))
    rows = [f'{name},{";".join(CLASSES[i] for i in LABELS[name])}' for name in IDS]
    (root / 'labels.csv').write_text('id,class names\n' + '\n'.join(rows) + '\n')
    (root / 'classes.txt').write_text('cat\ndog\n')
    (root / 'lists' / 'train.txt').write_text('first\nsecond\n')
    (root / 'lists' / 'all.txt').write_text('\n'.join(IDS) + '\n')
    return root

"""The data of the tables, from a VOC of three images."""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image

import voc12_part
from mmwsss.io import load_mask, read_id_list, save_mask
from mmwsss.io.ids import write_ids


def test_training_images_are_reduced_and_val_is_not(tmp_path, monkeypatch):
    voc, out = tmp_path / 'voc', tmp_path / 'out'
    sizes = {'a': (500, 333), 'b': (300, 200), 'v': (500, 375)}
    (voc / 'JPEGImages').mkdir(parents=True)
    for name, (width, height) in sizes.items():
        Image.new('RGB', (width, height), 'red').save(voc / f'JPEGImages/{name}.jpg')
        mask = np.repeat([[0, 3, 255, 7, 0]], height, 0).repeat(width // 5, 1).astype(np.uint8)
        save_mask(voc / f'SegmentationClassAug/{name}.png', mask)
    lists = voc / 'ImageSets/Segmentation'
    write_ids(lists / 'train.txt', ['b', 'other'])
    write_ids(lists / 'val.txt', ['v'])
    write_ids(tmp_path / 'part.txt', ['a', 'b'])
    monkeypatch.setattr(voc12_part, 'TRAIN', tmp_path / 'part.txt')
    monkeypatch.setattr(sys, 'argv', ['voc12_part.py', str(voc), str(out)])
    voc12_part.main()
    expected = {'a': (400, 266), 'b': (300, 200), 'v': (500, 375)}
    for name, size in expected.items():
        with Image.open(out / f'JPEGImages/{name}.jpg') as image:
            assert image.size == size
        mask = load_mask(out / f'SegmentationClassAug/{name}.png', 21, image_size=size[::-1])
        assert set(np.unique(mask)) == {0, 3, 7, 255}
    both = ((out / 'JPEGImages/v.jpg').read_bytes(), (voc / 'JPEGImages/v.jpg').read_bytes())
    assert both[0] == both[1]
    found = {
        n: read_id_list(out / f'ImageSets/Segmentation/{n}.txt') for n in ('train', 'train_voc12')
    }
    assert found == {'train': ['a', 'b'], 'train_voc12': ['b']}

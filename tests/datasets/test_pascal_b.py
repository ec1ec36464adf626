from __future__ import annotations

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from mmwsss.datasets.pascal_b import PascalBDataset
from mmwsss.io import save_mask


@pytest.fixture
def root(tmp_path):
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (tmp_path / folder).mkdir(parents=True)
    for name in ('000000000001', '000000000002'):
        Image.new('RGB', (6, 5)).save(tmp_path / f'JPEGImages/{name}.jpg')
        mask = np.zeros((5, 6), dtype=np.uint8)
        mask[0] = 15
        save_mask(tmp_path / f'SegmentationClass/{name}.png', mask)
    (tmp_path / 'ImageSets/Segmentation/val.txt').write_text('000000000001\n000000000002\n')
    return tmp_path


def test_lists_the_set(root):
    dataset = DATASETS.build(
        dict(
            type='PascalBDataset',
            data_root=str(root),
            data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
            test_mode=True,
        )
    )
    assert isinstance(dataset, PascalBDataset)
    assert len(dataset) == 2
    info = dataset.get_data_info(1)
    assert info['img_id'] == '000000000002'
    assert info['seg_map_path'].endswith('SegmentationClass/000000000002.png')
    assert dataset.metainfo['classes'][15] == 'person'
    assert len(dataset.metainfo['classes']) == 21

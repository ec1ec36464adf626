import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset
from mmseg.registry import DATASETS
from PIL import Image

from mmwsss.datasets import PascalBDataset, VOC12WSSSDataset
from mmwsss.io import save_mask


def test_classes_and_palette_are_mmsegs():
    assert VOC12WSSSDataset.METAINFO['classes'] == PascalVOCDataset.METAINFO['classes']
    assert VOC12WSSSDataset.METAINFO['palette'] == PascalVOCDataset.METAINFO['palette']


@pytest.mark.parametrize(
    ('split', 'count'), [('train', 1464), ('train_aug', 10582), ('val', 1449), ('trainval', 2913)]
)
def test_expected_counts(split, count):
    assert VOC12WSSSDataset.EXPECTED_COUNTS[split] == count


@pytest.fixture
def pascal_b(tmp_path):
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (tmp_path / folder).mkdir(parents=True)
    for name in ('000000000001', '000000000002'):
        Image.new('RGB', (6, 5)).save(tmp_path / f'JPEGImages/{name}.jpg')
        mask = np.zeros((5, 6), dtype=np.uint8)
        mask[0] = 15
        save_mask(tmp_path / f'SegmentationClass/{name}.png', mask)
    (tmp_path / 'ImageSets/Segmentation/val.txt').write_text('000000000001\n000000000002\n')
    return tmp_path


def test_pascal_b_lists_the_set(pascal_b):
    dataset = DATASETS.build(
        dict(
            type='PascalBDataset',
            data_root=str(pascal_b),
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

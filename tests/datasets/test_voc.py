import pytest
from mmseg.datasets import PascalVOCDataset

from mmwsss.datasets import VOC12WSSSDataset


def test_classes_and_palette_are_mmsegs():
    assert VOC12WSSSDataset.METAINFO['classes'] == PascalVOCDataset.METAINFO['classes']
    assert VOC12WSSSDataset.METAINFO['palette'] == PascalVOCDataset.METAINFO['palette']


@pytest.mark.parametrize(
    ('split', 'count'), [('train', 1464), ('train_aug', 10582), ('val', 1449), ('trainval', 2913)]
)
def test_expected_counts(split, count):
    assert VOC12WSSSDataset.EXPECTED_COUNTS[split] == count

import numpy as np
import pytest
import torch
from mmseg.registry import TRANSFORMS

from mmwsss.datasets.transforms import PackWSSSInputs
from mmwsss.datasets.transforms.formatting import multi_hot


def results(**changes):
    base = {
        'img': np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3),
        'img_shape': (4, 6),
        'ori_shape': (4, 6),
        'img_id': 'a',
        'img_path': 'images/a.jpg',
        'img_label': [1, 3],
        'num_fg_classes': 4,
    }
    return {**base, **changes}


def test_pack_everything():
    seg = np.full((4, 6), 3, np.uint8)
    packed = PackWSSSInputs()(results(gt_seg_map=seg, seg_fields=['gt_seg_map']))
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, 4, 6)
    assert packed['inputs'].dtype == torch.uint8
    assert sample.gt_label.dtype == torch.float32
    assert sample.gt_label.tolist() == [1, 0, 1, 0]
    assert (sample.gt_sem_seg.data == 3).all()
    assert sample.gt_sem_seg.data.shape == (1, 4, 6)
    assert sample.metainfo['img_id'] == 'a'
    assert sample.metainfo['valid_box'] == (0, 0, 6, 4)
    assert 'gt_label' in sample
    assert 'gt_label' not in sample.metainfo


def test_label_is_a_data_field_that_moves_with_the_sample():
    sample = PackWSSSInputs()(results())['data_samples']
    assert sample.to(torch.float64).gt_label.dtype == torch.float64


def test_empty_label_is_all_zero_and_no_label_is_absent():
    assert PackWSSSInputs()(results(img_label=[]))['data_samples'].gt_label.tolist() == [0, 0, 0, 0]
    unknown = results()
    del unknown['img_label']
    assert 'gt_label' not in PackWSSSInputs()(unknown)['data_samples']


def test_box_of_the_crop_after_a_flip():
    steps = [
        {'type': 'PaddedRandomCrop', 'crop_size': (4, 9)},
        {'type': 'RandomFlip', 'prob': 1.0},
        {'type': 'PackWSSSInputs'},
    ]
    out = results(img=np.full((4, 6, 3), 255, np.uint8), seg_fields=[])
    for step in steps:
        out = TRANSFORMS.build(step)(out)
    x1, y1, x2, y2 = out['data_samples'].valid_box
    columns = (out['inputs'][0] == 255).all(dim=0).nonzero()[:, 0]
    assert (x1, x2) == (columns.min(), columns.max() + 1)
    assert (y1, y2) == (0, 4)


@pytest.mark.parametrize('label', [[0], [5], [1, 255]])
def test_ids_outside_of_the_classes(label):
    with pytest.raises(ValueError, match=r'class ids must lie in \[1, 4\]'):
        multi_hot(label, 4)


def test_multi_hot_bounds():
    assert multi_hot([1, 4], 4).tolist() == [1, 0, 0, 1]

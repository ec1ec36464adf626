import numpy as np
import pytest

from mmwsss.datasets.transforms import PaddedRandomCrop
from mmwsss.datasets.transforms.valid_box import get_valid_box


def results(height, width):
    """Each pixel holds its own number + 1, so that 0 is padding only."""
    number = np.arange(height * width).reshape(height, width) + 1
    image = np.stack([number % 256, number // 256, np.full_like(number, 200)], axis=2)
    return {
        'img': image.astype(np.uint8),
        'gt_seg_map': (number % 20).astype(np.uint8),
        'seg_fields': ['gt_seg_map'],
    }


@pytest.mark.parametrize('size', [(5, 7), (20, 30), (5, 30), (20, 7), (10, 12), (1, 1), (1, 40)])
def test_pixels_inside_the_box_are_the_images_and_the_rest_is_padding(size):
    for _ in range(20):
        source = results(*size)
        out = PaddedRandomCrop(crop_size=(10, 12))(results(*size))
        assert out['img'].shape == (10, 12, 3)
        assert out['gt_seg_map'].shape == out['img_shape'] == (10, 12)
        x1, y1, x2, y2 = get_valid_box(out)
        assert (y2 - y1, x2 - x1) == (min(10, size[0]), min(12, size[1]))
        inside = np.zeros((10, 12), bool)
        inside[y1:y2, x1:x2] = True
        assert (out['img'][~inside] == 0).all()
        assert (out['gt_seg_map'][~inside] == 255).all()
        # the first pixel's number says where in the image the window starts
        first = out['img'][y1, x1].astype(int)
        row, column = divmod(first[0] + 256 * first[1] - 1, size[1])
        window = np.s_[row : row + y2 - y1, column : column + x2 - x1]
        np.testing.assert_array_equal(out['img'][y1:y2, x1:x2], source['img'][window])
        np.testing.assert_array_equal(out['gt_seg_map'][y1:y2, x1:x2], source['gt_seg_map'][window])


def test_every_place_is_drawn():
    transform = PaddedRandomCrop(crop_size=4)
    starts = [get_valid_box(transform(results(2, 4)))[1] for _ in range(150)]
    assert set(starts) == {0, 1, 2}
    windows = [int(transform(results(6, 4))['img'][0, 0, 0]) for _ in range(150)]
    assert set(windows) == {1, 5, 9}


def test_image_of_the_crops_size_is_unchanged():
    out = PaddedRandomCrop(crop_size=(6, 8))(results(6, 8))
    np.testing.assert_array_equal(out['img'], results(6, 8)['img'])
    assert get_valid_box(out) == (0, 0, 8, 6)


def test_pad_values():
    out = PaddedRandomCrop(crop_size=5, pad_val=9, seg_pad_val=3)(results(1, 1))
    assert (out['img'] == 9).all(axis=2).sum() == 24
    assert (out['gt_seg_map'] == 3).sum() == 24


def test_twice_is_refused():
    transform = PaddedRandomCrop(crop_size=5)
    with pytest.raises(ValueError, match='use one padded crop'):
        transform(transform(results(6, 6)))


def test_mask_of_another_size_is_refused():
    wrong = results(6, 6)
    wrong['gt_seg_map'] = wrong['gt_seg_map'][:5]
    with pytest.raises(ValueError, match=r'gt_seg_map \(H, W\), but got \(6, 6, 3\), \(5, 6\)'):
        PaddedRandomCrop(crop_size=5)(wrong)


@pytest.mark.parametrize('crop_size', [0, (5, 0), (5,), (1, 2, 3), -4])
def test_bad_crop_size(crop_size):
    with pytest.raises(ValueError, match='crop_size must be'):
        PaddedRandomCrop(crop_size=crop_size)

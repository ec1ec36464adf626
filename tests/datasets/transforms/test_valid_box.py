"""Standard transforms after the padded crop keep the box on the image's pixels."""

import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from mmwsss.datasets.transforms import PackWSSSInputs, PaddedRandomCrop
from mmwsss.datasets.transforms.valid_box import get_valid_box, set_valid_box


def cropped(height=4, width=6):
    # 7 rows and columns of padding: an odd number, so no place is its own mirror image
    results = {'img': np.full((height, width, 3), 255, np.uint8), 'seg_fields': []}
    return PaddedRandomCrop(crop_size=(11, 13))(results)


def with_box(height, width, drawn, moved):
    results = {'img': np.zeros((height, width, 3), np.uint8)}
    set_valid_box(results, drawn)
    return {**results, 'gt_bboxes': np.array([moved], float)}


def box_of_white(image):
    rows, columns = np.nonzero(image[..., 0] == 255)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_flip_moves_the_box(direction):
    flip = TRANSFORMS.build({'type': 'RandomFlip', 'prob': 1.0, 'direction': direction})
    before = cropped()
    old = get_valid_box(before)
    after = flip(before)
    new = get_valid_box(after)
    assert new == box_of_white(after['img'])
    assert new != old
    assert get_valid_box(flip(after)) == old


def test_resize_scales_the_box():
    before = cropped()
    x1, y1, x2, y2 = get_valid_box(before)
    resize = TRANSFORMS.build({'type': 'Resize', 'scale': (26, 22), 'interpolation': 'nearest'})
    after = resize(before)
    assert get_valid_box(after) == (2 * x1, 2 * y1, 2 * x2, 2 * y2) == box_of_white(after['img'])


def test_partly_covered_pixels_do_not_belong_to_the_box():
    results = with_box(10, 10, (1, 2, 9, 10), (1.4, 2.0, 8.6, 9.99999))
    assert get_valid_box(results) == (2, 2, 8, 10)


def test_without_crop_all_of_the_image_is_valid():
    assert get_valid_box({'img': np.zeros((4, 6, 3))}) == (0, 0, 6, 4)


@pytest.mark.parametrize('box', [(0, 0, 7, 4), (-1, 0, 6, 4), (3, 0, 3, 4), (0, 0, 6, 5)])
def test_box_outside_of_the_image_is_an_error(box):
    results = with_box(4, 6, (0, 0, 6, 4), box)
    with pytest.raises(ValueError, match='valid_box must lie in the image of 4 x 6'):
        get_valid_box(results)


def test_the_box_on_the_edge_is_fine():
    results = with_box(4, 6, (0, 0, 6, 4), (0, 0, 6, 4))
    assert get_valid_box(results) == (0, 0, 6, 4)


@pytest.mark.parametrize(
    'step',
    [
        {'type': 'RandomRotFlip', 'rotate_prob': 0.0, 'flip_prob': 1.0},
        {'type': 'RandomRotate', 'prob': 1.0, 'degree': (90, 90)},
        {'type': 'RandomRotate', 'prob': 1.0, 'degree': (20, 20)},
        {'type': 'ResizeToMultiple', 'size_divisor': 100},
        {'type': 'RandomCrop', 'crop_size': (7, 9)},
    ],
)
def test_a_step_that_moves_the_image_and_not_the_box_is_refused(step):
    results = PaddedRandomCrop(crop_size=128)(
        {
            'img': np.full((40, 100, 3), 255, np.uint8),
            'seg_fields': [],
            'img_path': 'a',
            'ori_shape': (40, 100),
        }
    )
    moved = TRANSFORMS.build(step)(results)
    with pytest.raises(ValueError, match=r'valid_box must .*rotations\) belong before it'):
        PackWSSSInputs()(moved)


@pytest.mark.parametrize('size', [(31, 57), (128, 128), (131, 250), (400, 200)])
def test_a_resize_of_any_factor_is_not_taken_for_a_step_that_forgot_the_box(size):
    resize = TRANSFORMS.build({'type': 'Resize', 'scale': size})
    for seed in range(20):
        np.random.seed(seed)  # noqa: NPY002
        image = np.full((40 + seed, 100, 3), 255, np.uint8)
        results = PaddedRandomCrop(crop_size=128)({'img': image, 'seg_fields': []})
        get_valid_box(resize(results))

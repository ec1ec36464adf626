import numpy as np
import pytest

from mmwsss.datasets.transforms import RandomResizeLongSide


def results(height, width):
    seg = np.zeros((height, width), np.uint8)
    seg[:, : width // 2] = 7
    seg[0] = 255
    return {
        'img': np.full((height, width, 3), 9, np.uint8),
        'gt_seg_map': seg,
        'seg_fields': ['gt_seg_map'],
    }


@pytest.mark.parametrize(('height', 'width'), [(30, 40), (41, 17), (25, 25)])
def test_long_side_and_aspect(height, width):
    for _ in range(10):
        out = RandomResizeLongSide(20, 90)(results(height, width))
        new_height, new_width = out['img'].shape[:2]
        long, short = max(new_height, new_width), min(new_height, new_width)
        assert 20 <= long <= 90
        assert short == round(long * min(height, width) / max(height, width))
        assert (new_height > new_width) == (height > width)
        assert out['img_shape'] == out['gt_seg_map'].shape == (new_height, new_width)
        assert set(np.unique(out['gt_seg_map'])) <= {0, 7, 255}
        assert (out['img'] == 9).all()


def test_all_lengths_are_drawn_ends_included():
    np.random.seed(0)  # noqa: NPY002
    transform = RandomResizeLongSide(4, 6)
    lengths = [max(transform(results(10, 20))['img'].shape[:2]) for _ in range(200)]
    counts = np.bincount(lengths, minlength=7)[4:]
    assert counts.sum() == 200
    assert counts.min() > 40


def test_scale_factor_is_width_then_height():
    out = RandomResizeLongSide(80, 80)(results(30, 40))
    assert out['scale_factor'] == (2.0, 2.0)
    out = RandomResizeLongSide(50, 50)(results(33, 100))  # 16.5 rows are 16 or 17
    assert out['scale_factor'] == (0.5, out['img'].shape[0] / 33) != (0.5, 0.5)


@pytest.mark.parametrize(('height', 'width'), [(1, 100), (100, 1), (1, 1)])
def test_one_pixel_wide_images(height, width):
    out = RandomResizeLongSide(10, 10)(results(height, width))
    expected = {(1, 100): (1, 10), (100, 1): (10, 1), (1, 1): (10, 10)}
    assert out['img'].shape[:2] == expected[height, width]


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_ids_above_255_stay(backend):
    item = results(3, 4)
    item['gt_seg_map'] = np.arange(298, 310, dtype=np.uint16).reshape(3, 4)
    out = RandomResizeLongSide(8, 8, backend=backend)(item)['gt_seg_map']
    np.testing.assert_array_equal(out, np.arange(298, 310).reshape(3, 4).repeat(2, 0).repeat(2, 1))
    assert out.dtype == np.uint16


def test_same_numpy_seed_same_size(numpy_seed):
    sizes = []
    for _ in range(2):
        numpy_seed(3)
        sizes.append(RandomResizeLongSide(20, 900)(results(30, 40))['img'].shape)
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(('low', 'high'), [(0, 5), (6, 5), (-3, 5)])
def test_bad_range(low, high):
    with pytest.raises(ValueError, match=rf'min_size must lie in \[1, {high}\], but got {low}'):
        RandomResizeLongSide(low, high)


def test_defaults_are_the_recipe():
    assert repr(RandomResizeLongSide()) == 'RandomResizeLongSide(min_size=320, max_size=640)'

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.transforms import LoadImage, LoadMask
from mmwsss.io.mask_io import save_mask, voc_palette
from tests.datasets.tiny import tiny_image, tiny_mask


def image_results(tiny, name, suffix):
    return {'img_id': name, 'img_path': str(tiny / 'images' / f'{name}{suffix}')}


def test_image_is_bgr_and_contiguous(tiny):
    results = LoadImage()(image_results(tiny, 'second', '.png'))
    np.testing.assert_array_equal(results['img'], tiny_image('second')[..., ::-1])
    assert results['img'].flags.c_contiguous
    assert results['img_shape'] == results['ori_shape'] == (10, 8)


def test_grey_image_has_three_equal_channels(tmp_path):
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(tmp_path / 'a.png')
    image = LoadImage()({'img_path': str(tmp_path / 'a.png')})['img']
    assert image.shape == (2, 3, 3)
    assert (image == np.arange(6).reshape(2, 3, 1)).all()


def test_missing_image_is_named(tiny):
    with pytest.raises(FileNotFoundError, match=r"image 'nope' does not exist: .*nope\.jpg"):
        LoadImage()(image_results(tiny, 'nope', '.jpg'))


def test_truncated_image_is_named(tmp_path):
    path = tmp_path / 'cut.jpg'
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path, quality=95)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(OSError, match=r"image 'cut' cannot be read \(.*cut\.jpg\): .*truncated"):
        LoadImage()({'img_id': 'cut', 'img_path': str(path)})


def test_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / 'a.jpg').write_text('hello')
    with pytest.raises(OSError, match="image 'a' cannot be read"):
        LoadImage()({'img_id': 'a', 'img_path': str(tmp_path / 'a.jpg')})


def mask_results(tiny, name, **changes):
    results = {
        'img_id': name,
        'seg_map_path': str(tiny / 'masks' / f'{name}.png'),
        'num_fg_classes': 2,
        'seg_fields': [],
        'reduce_zero_label': False,
    }
    return {**results, **changes}


def test_mask_keeps_ids_and_ignore(tiny):
    results = LoadMask()(mask_results(tiny, 'first', ori_shape=(12, 16)))
    np.testing.assert_array_equal(results['gt_seg_map'], tiny_mask('first'))
    assert results['gt_seg_map'].dtype == np.uint8
    assert results['seg_fields'] == ['gt_seg_map']


def test_label_map_is_applied_at_once(tiny):
    label_map = {0: 0, 1: 2, 2: 1}  # a swap: one after the other would undo itself
    results = LoadMask()(mask_results(tiny, 'second', label_map=label_map))
    np.testing.assert_array_equal(results['gt_seg_map'], np.choose(tiny_mask('second'), [0, 2, 1]))


def test_label_map_gives_the_number_of_classes_in_the_file(tiny):
    results = mask_results(tiny, 'second', num_fg_classes=1, label_map={0: 0, 1: 255, 2: 1})
    got = LoadMask()(results)['gt_seg_map']
    np.testing.assert_array_equal(got, np.choose(tiny_mask('second'), [0, 255, 1]))


def test_label_map_of_many_classes(tmp_path):
    path = tmp_path / 'a.png'
    save_mask(path, np.array([[1, 255, 300, 301]]), voc_palette(302))
    results = {'seg_map_path': str(path), 'img_id': 'a', 'label_map': {i: i for i in range(302)}}
    results['label_map'].update({1: 301, 300: 255, 301: 2})
    labels = LoadMask()(results)['gt_seg_map']
    assert labels.tolist() == [[301, 255, 255, 2]]


def test_foreign_id_is_named(tiny):
    with pytest.raises(
        ValueError, match=r"mask of image 'second': .*second\.png .*outside the list: 2"
    ):
        LoadMask()(mask_results(tiny, 'second', num_fg_classes=1))


def test_other_size_than_the_image_is_named(tiny):
    with pytest.raises(
        ValueError, match=r"mask of image 'second': .* the mask is 10 x 8 .*, expected 10 x 9"
    ):
        LoadMask()(mask_results(tiny, 'second', ori_shape=(10, 9)))


def test_missing_and_colour_masks_are_named(tiny):
    with pytest.raises(FileNotFoundError, match="mask of image 'nope' not found"):
        LoadMask()(mask_results(tiny, 'nope'))
    Image.fromarray(tiny_image('first')).save(tiny / 'masks/first.png')
    with pytest.raises(ValueError, match=r"mask of image 'first': .*RGB"):
        LoadMask()(mask_results(tiny, 'first'))
    with pytest.raises(ValueError, match="image 'first' has no mask: set pseudo_mask_dir"):
        LoadMask()(dict(img_id='first'))


def test_npy_masks_are_read(tiny):
    np.save(tiny / 'masks/first.npy', tiny_mask('first'))
    path = str(tiny / 'masks/first.npy')
    results = LoadMask()(mask_results(tiny, 'first', seg_map_path=path))
    np.testing.assert_array_equal(results['gt_seg_map'], tiny_mask('first'))


def test_a_loaded_mask_does_not_share_memory_with_the_next(tiny):
    save_mask(tiny / 'masks/x.png', np.zeros((3, 3), np.uint8))
    load = LoadMask()
    load(mask_results(tiny, 'x'))['gt_seg_map'][:] = 7
    assert not load(mask_results(tiny, 'x'))['gt_seg_map'].any()

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmwsss.io import is_mask_file, load_mask, save_mask, voc_palette

LABELS = np.array([[0, 1, 2], [20, 255, 0]])


def test_round_trip_and_palette(tmp_path):
    save_mask(tmp_path / 's' / 'a.png', LABELS, [[0, 0, 0], [9, 8, 7]])
    found = load_mask(tmp_path / 's' / 'a.png', num_classes=21, image_size=(2, 3))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, LABELS)
    with Image.open(tmp_path / 's' / 'a.png') as image:
        assert image.mode == 'P'
        colours = np.asarray(image.convert('RGB'))
    assert colours[0, 1].tolist() == [9, 8, 7]
    assert colours[0, 2].tolist() == [0, 128, 0]  # filled up from VOC's palette
    assert colours[1, 1].tolist() == [224, 224, 192]
    assert is_mask_file(tmp_path / 's' / 'a.png')


def test_voc_palette_has_vocs_colours():
    palette = voc_palette(21)
    assert len(palette) == 21
    assert palette[:3] == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert palette[15] == [192, 128, 128]  # person
    assert palette[20] == [0, 64, 128]  # tv/monitor
    assert voc_palette(256)[255] == [224, 224, 192]
    assert voc_palette(0) == []
    assert voc_palette(257)[256] == [0, 0, 32]


@pytest.mark.parametrize('dtype', [np.uint8, np.int64])
def test_grey_png_and_npy(tmp_path, dtype):
    Image.fromarray(LABELS.astype(np.uint8)).save(tmp_path / 'grey.png')
    np.save(tmp_path / 'a.npy', LABELS.astype(dtype))
    np.testing.assert_array_equal(load_mask(tmp_path / 'grey.png', 21), LABELS)
    np.testing.assert_array_equal(load_mask(tmp_path / 'a.npy', 21), LABELS)
    (tmp_path / 'a.npy').rename(tmp_path / 'a.NPY')
    np.testing.assert_array_equal(load_mask(tmp_path / 'a.NPY', 21), LABELS)


def test_palette_png_with_fewer_than_eight_bit(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [3, 2]], np.uint8))
    image.putpalette([0, 0, 0, 9, 9, 9, 8, 8, 8, 7, 7, 7])
    image.save(tmp_path / 'a.png', bits=2)
    assert (tmp_path / 'a.png').read_bytes()[24] == 2
    assert load_mask(tmp_path / 'a.png').tolist() == [[0, 1], [3, 2]]


def test_class_id_outside_the_list(tmp_path):
    save_mask(tmp_path / 'a.png', LABELS)
    message = r'a\.png holds class ids outside the list: 20; expected 0 \.\. 19 and 255 \(ignore\)'
    with pytest.raises(ValueError, match=message):
        load_mask(tmp_path / 'a.png', num_classes=20)
    with pytest.raises(ValueError, match=r'outside the list: 255; expected 0 \.\. 20$'):
        load_mask(tmp_path / 'a.png', num_classes=21, ignore_index=None)


def test_size_mismatch(tmp_path):
    save_mask(tmp_path / 'a.png', LABELS)
    with pytest.raises(ValueError, match=r'a\.png: the mask is 2 x 3 .*, expected 3 x 2'):
        load_mask(tmp_path / 'a.png', image_size=(3, 2))


@pytest.mark.parametrize(
    ('array', 'message'),
    [
        (np.zeros((2, 3, 3), np.uint8), r'colour type 2 \(RGB\) with 8 bit'),
        (np.zeros((2, 3, 4), np.uint8), r'colour type 6 \(RGBA\)'),
        (np.zeros((2, 3), np.uint16), r'colour type 0 \(grey\) with 16 bit'),
        (np.zeros((2, 3), bool), r'colour type 0 \(grey\) with 1 bit'),
    ],
)
def test_png_that_is_no_mask(tmp_path, array, message):
    Image.fromarray(array).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match=rf'a\.png is a PNG of {message}'):
        load_mask(tmp_path / 'a.png')


def test_jpeg_under_a_png_name(tmp_path):
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / 'a.png', format='JPEG')
    with pytest.raises(ValueError, match=r'a\.png is not a whole PNG'):
        load_mask(tmp_path / 'a.png')
    assert not is_mask_file(tmp_path / 'a.png')


@pytest.mark.parametrize('keep', [0.0, 0.3, 0.6, 0.98])
def test_truncated_png(tmp_path, keep):
    path = tmp_path / 'a.png'
    save_mask(path, np.random.default_rng(0).integers(0, 21, (60, 70)))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    assert not is_mask_file(path)
    with pytest.raises(ValueError, match=r'a\.png is not a whole PNG'):
        load_mask(path)


@pytest.mark.parametrize(
    ('array', 'message'),
    [
        (np.zeros((2, 2)), 'labels must be integers'),
        (np.zeros((2, 2, 1), int), 'labels must be integers'),
        (np.zeros((0, 2), int), 'labels must be integers'),
        (np.zeros((2, 2), bool), 'labels must be integers'),
        (np.array([[256]]), r'in 0\.\.255, but got int64 \(1, 1\) in 256\.\.256'),
        (np.array([[-1, 3]]), r'in -1\.\.3'),
    ],
)
def test_labels_out_of_range(tmp_path, array, message):
    with pytest.raises(ValueError, match=message):
        save_mask(tmp_path / 'a.png', array)
    np.save(tmp_path / 'a.npy', array)
    with pytest.raises(ValueError, match=message) as error:
        load_mask(tmp_path / 'a.npy')
    assert 'a.npy' in str(error.value)


def test_pickled_and_truncated_npy(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([{'x': 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / 'b.npy', LABELS)
    content = (tmp_path / 'b.npy').read_bytes()
    (tmp_path / 'b.npy').write_bytes(content[:-8])
    for name in ('a.npy', 'b.npy'):
        with pytest.raises(ValueError, match=rf'{name} is not a readable \.npy'):
            load_mask(tmp_path / name)


@pytest.mark.parametrize(
    ('palette', 'message'),
    [
        ([[0, 0]], r'palette must be .* \(1,2\)'),
        ([[0, 0, 256]], r'palette must be \(n, 3\) in 0\.\.255'),
    ],
)
def test_bad_palette(tmp_path, palette, message):
    with pytest.raises(ValueError, match=message):
        save_mask(tmp_path / 'a.png', LABELS, palette)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='mask not found'):
        load_mask(tmp_path / 'a.png')


def test_ids_above_255_are_kept_in_16_bit(tmp_path):
    labels = np.array([[0, 1, 255], [256, 301, 2]])
    save_mask(tmp_path / 'a.png', labels, voc_palette(302))
    with Image.open(tmp_path / 'a.png') as image:
        assert image.mode.startswith('I')
    loaded = load_mask(tmp_path / 'a.png', num_classes=302)
    assert loaded.dtype == np.uint16
    np.testing.assert_array_equal(loaded, labels)
    with pytest.raises(ValueError, match='class ids outside the list: 301'):
        load_mask(tmp_path / 'a.png', num_classes=301)
    with pytest.raises(ValueError, match='with 16 bit'):
        load_mask(tmp_path / 'a.png', num_classes=255)


def test_few_ids_of_many_classes_are_kept_in_8_bit(tmp_path):
    save_mask(tmp_path / 'a.png', np.array([[255, 3]]), voc_palette(302))
    with Image.open(tmp_path / 'a.png') as image:
        assert image.convert('RGB').getpixel((0, 0)) == (224, 224, 192)
    loaded = load_mask(tmp_path / 'a.png', num_classes=302)
    assert loaded.dtype == np.uint16
    assert loaded.tolist() == [[255, 3]]

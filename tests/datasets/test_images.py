from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from mmwsss.datasets.images import ORIENTATION, image_size, upright_rgb
from mmwsss.datasets.transforms import LoadImage

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14


@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_is_applied(tmp_path, orientation):
    turns = {  # what a viewer does with the stored rows and columns
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: x[::-1].swapaxes(0, 1),
        7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
        8: lambda x: x[:, ::-1].swapaxes(0, 1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(tmp_path / 'a.png', exif=exif)
    expected = turns[orientation](PIXELS)
    loaded = LoadImage()({'img_path': str(tmp_path / 'a.png')})
    np.testing.assert_array_equal(loaded['img'][..., ::-1], expected)
    assert loaded['ori_shape'] == image_size(tmp_path / 'a.png') == expected.shape[:2]


def test_16_bit_grey_keeps_its_high_byte(tmp_path):
    grey = np.array([[0, 255, 256], [32768, 65280, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / 'a.png')
    image = LoadImage()({'img_path': str(tmp_path / 'a.png')})['img']
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(
        image, [[[v] * 3 for v in row] for row in [[0, 0, 1], [128, 255, 255]]]
    )


def test_transparent_pixels_show_a_mean_colour(tmp_path):
    image = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    assert upright_rgb(Image.fromarray(image)).tolist() == [[[10, 20, 30], [124, 117, 104]]]


WIDE = np.array([[0, 65535, 256, 512]], np.uint16)
BYTES = np.array([[0, 255, 1, 2]], np.uint8)
SHOWN = {  # kind of file -> how it is written, what shows in grey
    '8-bit grey': (lambda f: Image.fromarray(BYTES).save(f, 'PNG'), BYTES),
    'black and white': (lambda f: Image.fromarray(BYTES > 2).save(f, 'PNG'), [[0, 255, 0, 0]]),
    'palette': (lambda f: Image.fromarray(BYTES).convert('P').save(f, 'PNG'), BYTES),
    'grey and alpha': (
        lambda f: Image.fromarray(np.stack([BYTES, BYTES | 255], -1)).save(f, 'PNG'),
        BYTES,
    ),
    '16-bit grey': (lambda f: Image.fromarray(WIDE).save(f, 'PNG'), BYTES),
    '16-bit grey, big-endian': (
        lambda f: tifffile.imwrite(f, WIDE.astype('>u2'), byteorder='>'),
        BYTES,
    ),
    '16-bit colour': (
        lambda f: tifffile.imwrite(f, np.stack([WIDE] * 3, -1), photometric='rgb'),
        BYTES,
    ),
    '32-bit grey in 16 bits': (
        lambda f: Image.fromarray(WIDE.astype(np.int32)).save(f, 'TIFF'),
        BYTES,
    ),
    'CMYK': (
        lambda f: Image.fromarray(BYTES).convert('RGB').convert('CMYK').save(f, 'TIFF'),
        BYTES,
    ),
    'a fourth band': (
        lambda f: tifffile.imwrite(
            f, np.stack([BYTES] * 4, -1), photometric='rgb', extrasamples=['unspecified']
        ),
        BYTES,
    ),
}
REFUSED = {
    'floating point': (
        lambda f: tifffile.imwrite(f, WIDE.astype(np.float32)),
        'floating-point numbers',
    ),
    '32-bit grey': (
        lambda f: Image.fromarray(WIDE.astype(np.int32) * 9).save(f, 'TIFF'),
        r'\[0, 65535\]',
    ),
    'negative': (
        lambda f: Image.fromarray(-WIDE.astype(np.int32)).save(f, 'TIFF'),
        r'\[0, 65535\]',
    ),
    'two pages': (
        lambda f: Image.fromarray(BYTES).save(
            f, 'TIFF', save_all=True, append_images=[Image.fromarray(BYTES)]
        ),
        '2 pages or frames',
    ),
    'animation': (
        lambda f: Image.fromarray(BYTES).save(
            f, 'PNG', save_all=True, append_images=[Image.fromarray(BYTES[:, ::-1])]
        ),
        '2 pages or frames',
    ),
    'five bands': (
        lambda f: tifffile.imwrite(
            f, np.stack([BYTES] * 5, -1), photometric='rgb', planarconfig='contig'
        ),
        'it has 5 bands',
    ),
    'five bands of their own kind': (
        lambda f: tifffile.imwrite(f, np.stack([BYTES] * 5, -1), planarconfig='contig'),
        'no image of a known kind|5 bands',
    ),
    'no image': (lambda f: f.write_text('<html>'), 'it is no image of a known kind$'),
    'empty file': (lambda f: f.touch(), 'it is no image of a known kind$'),
}


@pytest.mark.parametrize('kind', SHOWN)
def test_kinds_of_files_that_are_shown(tmp_path, kind):
    write, expected = SHOWN[kind]
    write(tmp_path / 'a.png')  # the content counts, not the suffix
    image = LoadImage()({'img_path': str(tmp_path / 'a.png')})['img']
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.repeat(np.array(expected)[..., None], 3, axis=2))


@pytest.mark.parametrize('kind', REFUSED)
def test_kinds_of_files_that_are_refused_by_name(tmp_path, kind):
    write, message = REFUSED[kind]
    write(tmp_path / 'odd.png')
    with pytest.raises(OSError, match=rf'odd.*{message}'):
        LoadImage()({'img_path': str(tmp_path / 'odd.png')})


def test_the_first_picture_of_a_camera_file_counts(tmp_path):
    photo, other = (Image.new('RGB', (8, 8), colour) for colour in ('red', 'blue'))
    photo.save(tmp_path / 'a.jpg', 'MPO', save_all=True, append_images=[other])
    image = LoadImage()({'img_path': str(tmp_path / 'a.jpg')})['img']
    assert image[0, 0, 2] > 200 > 50 > image[0, 0, 0]


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'tif', 'webp'])
@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_size_is_that_of_the_upright_image_in_every_format(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f'a.{suffix}'
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(path, exif=exif)
    with Image.open(path) as image:
        assert image_size(path) == upright_rgb(image).shape[:2]

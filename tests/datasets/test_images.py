from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.images import image_size, upright_rgb
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


@pytest.mark.parametrize('mode', ['1', 'L', 'P', 'CMYK', 'YCbCr', 'LA', 'RGBA'])
def test_every_mode_becomes_rgb(mode):
    image = upright_rgb(Image.fromarray(PIXELS).convert(mode))
    assert (image.shape, image.dtype) == ((2, 3, 3), np.uint8)


def test_values_beyond_16_bit_are_refused():
    with pytest.raises(ValueError, match=r'must lie in \[0, 65535\], but got 70000'):
        upright_rgb(Image.fromarray(np.array([[0, 70000]], np.int32)))

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmwsss.functional import fuse_scales, mirror_sum, multi_scale_maps, scale_view


def red_and_green(views):
    """A network stand-in: rectified channels at half the resolution, summed over the mirror."""
    outputs = {'maps': F.avg_pool2d(views.clamp(min=0), 2, ceil_mode=True)}
    return mirror_sum(outputs)['maps'][0, :2]


def test_fusion_equals_the_loop_over_scales():
    image = torch.randn(3, 20, 31, generator=torch.Generator().manual_seed(0))
    scales = (1.0, 0.5, 1.5)
    total = torch.zeros(2, 20, 31)
    for scale in scales:
        size = (round(20 * scale), round(31 * scale))
        view = image[None]
        if scale != 1:
            view = F.interpolate(view, size=size, mode='bicubic', antialias=True)
        plain = F.avg_pool2d(view.clamp(min=0), 2, ceil_mode=True)[0, :2]
        mirrored = F.avg_pool2d(view.flip(-1).clamp(min=0), 2, ceil_mode=True)[0, :2].flip(-1)
        total += F.interpolate((plain + mirrored)[None], size=(20, 31), mode='bilinear')[0]
    expected = total / (total.amax(dim=(1, 2), keepdim=True) + 1e-5)
    got = multi_scale_maps(image, red_and_green, scales, flip=True)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize('size', [(20, 30), (21, 33), (1, 40), (40, 1), (1, 1)])
def test_mirror_in_mirror_out(size):
    image = torch.randn(3, *size, generator=torch.Generator().manual_seed(1))
    maps = multi_scale_maps(image, red_and_green, (1.0, 2.0), flip=True)
    mirrored = multi_scale_maps(image.flip(-1), red_and_green, (1.0, 2.0), flip=True)
    assert maps.shape == (2, *size)
    if size[1] % 2 == 0 or size[1] == 1:  # pooling of an odd width is not symmetric
        torch.testing.assert_close(mirrored.flip(-1), maps, atol=1e-5, rtol=1e-4)


def test_peaks_are_one_and_an_empty_map_stays_zero():
    maps = fuse_scales([torch.stack([torch.eye(4), torch.zeros(4, 4)])], size=(8, 8))
    assert maps[0].max() == pytest.approx(1, abs=1e-4)
    assert maps[1].abs().sum() == 0


def test_the_mirror_is_the_second_of_one_batch():
    image = torch.rand(3, 4, 6)
    views = scale_view(image, 1.0, flip=True)
    assert torch.equal(views[0], image)
    assert torch.equal(views[1], image.flip(-1))
    assert scale_view(image, 0.01, flip=False).shape == (1, 3, 1, 1)


@pytest.mark.parametrize('scale', [0.5, 1.5, 2.0])
def test_uint8_images_are_resized_as_pictures(scale):
    pixels = np.random.default_rng(0).integers(90, 170, (21, 30, 3), dtype=np.uint8)
    size = (round(30 * scale), round(21 * scale))
    expected = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    views = scale_view(torch.from_numpy(pixels).permute(2, 0, 1), scale, flip=True)
    assert views.dtype == torch.uint8
    assert torch.equal(views[0], torch.from_numpy(expected).permute(2, 0, 1))
    assert torch.equal(views[1], views[0].flip(-1))
    # The floating-point resize is the same up to the two roundings; here PIL clips nothing.
    plain = scale_view(torch.from_numpy(pixels).permute(2, 0, 1).float(), scale, flip=False)
    assert (plain[0] - views[0]).abs().max() <= 1.6


def test_output_size_may_be_coarser():
    maps = multi_scale_maps(torch.rand(3, 17, 23), red_and_green, size=(5, 6))
    assert maps.shape == (2, 5, 6)


def test_an_image_without_classes_has_no_maps():
    assert fuse_scales([torch.zeros(0, 4, 4)], (8, 6)).shape == (0, 8, 6)


def test_bad_scales_are_named():
    with pytest.raises(ValueError, match=r'scale must lie in \(0, inf\), but got 0'):
        scale_view(torch.rand(3, 4, 4), 0, flip=False)

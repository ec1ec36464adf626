"""Test-time views of an image and their fusion: scales and mirrors, outside of any network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mmwsss.functional.checks import check_range, check_shapes

__all__ = ['fuse_scales', 'mirror_sum', 'multi_scale_maps', 'resize_image', 'scale_view']

# Takes a batch of views (V, C, h', w') and returns maps (n, h, w) of that scale.
MapFunction = Callable[[Tensor], Tensor]


def scale_view(image: Tensor, scale: float, flip: bool) -> Tensor:
    """Resize an image and, if asked, add its mirror as a second batch entry.

    The resize is bicubic with antialiasing, whose kernel is the one of PIL's bicubic resize; a side
    never falls below one pixel.

    Args:
        image: Image (C, H, W): floating point, or uint8, which PIL resizes and rounds as the released
            WSSS code has it (on the CPU).
        scale: Factor on both sides, > 0.
        flip: Whether the horizontal mirror is added.

    Returns:
        Views (1, C, h, w), or (2, C, h, w) with the mirror second, of the image's dtype.
    """
    check_shapes(image=(image, 'C H W'))
    check_range('scale', scale, '(0, inf)')
    view = resize_image(image, [max(1, round(side * scale)) for side in image.shape[1:]])[None]
    return torch.cat([view, view.flip(-1)]) if flip else view


def resize_image(image: Tensor, size: Sequence[int]) -> Tensor:
    """Resize an image (C, H, W) to (h, w), bicubic with antialiasing; types as of :func:`scale_view`."""
    if list(image.shape[1:]) == list(size):
        return image
    if image.dtype == torch.uint8:
        return _pil_resize(image, size)
    return F.interpolate(
        image[None], size=list(size), mode='bicubic', align_corners=False, antialias=True
    )[0]


def _pil_resize(image: Tensor, size: Sequence[int]) -> Tensor:
    """PIL's bicubic resize of each channel of a uint8 image (C, H, W) to (h, w)."""
    channels = [Image.fromarray(channel) for channel in image.cpu().numpy()]
    resized = [channel.resize((size[1], size[0]), Image.Resampling.BICUBIC) for channel in channels]
    return torch.from_numpy(np.stack([np.asarray(channel) for channel in resized])).to(image.device)


def mirror_sum(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Sum each output of an image and the un-mirrored output of its mirror.

    Args:
        outputs: Spatial tensors (1, C, h, w), or (2, C, h, w) with the mirror second.

    Returns:
        The same keys with tensors (1, C, h, w).
    """
    return {
        name: value if len(value) == 1 else value[:1] + value[1:].flip(-1)
        for name, value in outputs.items()
    }


def fuse_scales(maps: Sequence[Tensor], size: tuple[int, int], eps: float = 1e-5) -> Tensor:
    """Upsample the maps of every scale, sum them and divide each class map by its peak.

    Args:
        maps: One non-negative tensor (n, h_s, w_s) per scale, at least one.
        size: Output size (H, W) in pixels.
        eps: Added to each peak.

    Returns:
        Float32 maps (n, H, W) in [0, 1); a class without any response stays zero.
    """
    total = maps[0].new_zeros((len(maps[0]), *size), dtype=torch.float32)
    for one in maps if len(total) else ():  # an image without any class has nothing to resize
        wide = one[None].float()
        total += F.interpolate(wide, size=size, mode='bilinear', align_corners=False)[0]
    return total / (total.amax(dim=(1, 2), keepdim=True) + eps)


def multi_scale_maps(
    image: Tensor,
    map_function: MapFunction,
    scales: Sequence[float] = (1.0,),
    flip: bool = True,
    size: tuple[int, int] | None = None,
) -> Tensor:
    """Class maps of one image from several scales, each with its mirror.

    Args:
        image: Image (C, H, W) as :func:`scale_view` takes it.
        map_function: Turns the views of one scale, (1 or 2, C, h', w'), into maps (n, h, w).
        scales: Factors on the image size, at least one.
        flip: Whether each scale is seen together with its mirror (one batch of two).
        size: Output size; the image's own by default.

    Returns:
        Float32 maps (n, H, W) in [0, 1).

    Raises:
        ValueError: ``scales`` holds a number that is not positive.
    """
    maps = [map_function(scale_view(image, scale, flip)) for scale in scales]
    return fuse_scales(maps, size or (image.shape[1], image.shape[2]))

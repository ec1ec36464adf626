"""Region prototypes across images as pure tensor functions (Liu et al., RPNet, 2021).

How they make up the method is said in :class:`~mmwsss.models.heads.RPNetHead`. Means, norms and divisions
run in at least float32; results have the input's dtype.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.functional.cam import keep_labelled, peak_normalize
from mmwsss.functional.checks import check_choice, check_range, check_shapes
from mmwsss.functional.sipe import at_least_float32, class_prototypes

__all__ = [
    'confidence_map',
    'foreground_probability',
    'gaussian_smooth',
    'normalized_consistency',
    'raw_consistency',
    'region_prototype',
]

PEAKS = ('channel', 'image')
PADDINGS = {'replicate': 'replicate', 'zeros': 'constant'}


def confidence_map(features: Tensor, peak: str = 'channel', eps: float = 1e-5) -> Tensor:
    """How close each pixel's strongest response is to the peak of that response.

    ``max_c relu(f_c) / (max_xy relu(f_c) + eps)``.

    Source: Liu et al., RPNet, 2021 (confidence map of a block).

    Args:
        features: Features (N, C, h, w) of one block, floating point.
        peak: ``'channel'``: each channel is divided by its own peak (paper). ``'image'``: by the largest
            value of the image.
        eps: Added to the peak; an image without a positive value has confidence 0.

    Returns:
        Confidence (N, 1, h, w) in [0, 1), dtype of ``features``.

    Raises:
        ValueError: ``features`` does not have four dimensions, or ``peak`` is unknown.
    """
    check_shapes(features=(features, 'N C h w'))
    check_choice('peak', peak, PEAKS)
    if peak == 'image':
        return peak_normalize(features.amax(dim=1, keepdim=True), eps)
    return peak_normalize(features, eps).amax(dim=1, keepdim=True)


def region_prototype(features: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    """Average the features over a region.

    Source: Liu et al., RPNet, 2021 (region prototype).

    Args:
        features: Features (N, C, h, w).
        mask: Non-negative weights (N, 1, h, w), usually ones and zeros.
        eps: Lower bound of the divisor; an empty region gives a zero prototype.

    Returns:
        Prototypes (N, C), dtype of ``features``. Differentiable in both arguments.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(mask=(mask, 'N 1 h w'))
    return class_prototypes(mask, features, eps)[:, 0]


def foreground_probability(features: Tensor, prototypes: Tensor, eps: float = 1e-5) -> Tensor:
    """Cosine of every pixel with the prototype that it is closest to.

    ``F(x, y) = max_p cos(f(x, y), prototype_p)``.

    Source: Liu et al., RPNet, 2021 (foreground probability).

    Among equals, the first wins and gets the gradient.

    Args:
        features: Features (N, C, h, w).
        prototypes: Prototypes (N, P, C), P >= 1. A zero prototype has cosine 0 with every pixel.
        eps: Lower bound of a norm.

    Returns:
        Cosines (N, 1, h, w) in [-1, 1], dtype of ``features``. Differentiable in both arguments.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(features=(features, 'N C h w'), prototypes=(prototypes, 'N P C'))
    with torch.autocast(device_type=features.device.type, enabled=False):
        pixels = at_least_float32(features.flatten(2))  # (N, C, hw)
        centres = F.normalize(prototypes.to(pixels.dtype), dim=2, eps=eps)
        # amax would share the gradient among equals.
        best = torch.bmm(centres, pixels).max(dim=1).values
        # Dividing the winners by the pixels' norms spares a normalised copy of the features.
        lengths = pixels.square().sum(dim=1).clamp(min=eps**2).sqrt()
        cosine = best / lengths
    return cosine.to(features.dtype).view(len(features), 1, *features.shape[2:])


def gaussian_smooth(
    maps: Tensor, sigma: float = 3.0, kernel_size: int = 5, padding: str = 'replicate'
) -> Tensor:
    """Convolve maps with a Gaussian of finite size, rows and columns in turn.

    The weights ``exp(-d^2 / (2 sigma^2))`` at distances d of -r..r pixels, r = (kernel_size - 1) / 2,
    are divided by their sum. Maps smaller than the kernel are allowed.

    Args:
        maps: Maps (N, C, h, w), floating point.
        sigma: Standard deviation in pixels.
        kernel_size: Odd number of weights in each direction.
        padding: Beyond the border: ``'replicate'``, the nearest pixel, so that a constant map stays as it
            is, or ``'zeros'``.

    Returns:
        Maps of the same shape and dtype. Differentiable.

    Raises:
        ValueError: ``maps`` does not have four dimensions, ``sigma`` is not positive,
            ``kernel_size`` is not odd, or ``padding`` is unknown.
    """
    check_shapes(maps=(maps, 'N C h w'))
    check_choice('padding', padding, tuple(PADDINGS))
    check_range('sigma', sigma, '(0, inf)')
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f'kernel_size must be an odd positive number, but got {kernel_size}')
    radius = kernel_size // 2
    with torch.autocast(device_type=maps.device.type, enabled=False):
        wide = at_least_float32(maps)
        distance = torch.arange(-radius, radius + 1, device=wide.device, dtype=wide.dtype)
        weights = torch.softmax(-(distance**2) / (2 * sigma**2), dim=0)
        planes = wide.flatten(0, 1)[:, None]  # (NC, 1, h, w)
        padded = F.pad(planes, (radius,) * 4, mode=PADDINGS[padding])
        rows = F.conv2d(padded, weights.view(1, 1, 1, -1))
        smooth = F.conv2d(rows, weights.view(1, 1, -1, 1))
    return smooth.view_as(maps).to(maps.dtype)


def normalized_consistency(
    logits: Tensor, enhanced: Tensor | Sequence[Tensor], labels: Tensor
) -> Tensor:
    """Mean squared difference of two peak-normalised class maps of the labelled classes.

    ``mean over images, classes and pixels of y_k (S_k - S'_k)^2`` with ``S_k = relu(A_k) / (max + eps)``.
    Classes that an image does not carry are zero. ``S'`` is the mean of the normalised maps where there are
    several.

    Source: Liu et al., RPNet, 2021, in the form of the authors' released code, which averages four
    scales; the paper's equation 13 is :func:`raw_consistency`.

    Args:
        logits: Class activation maps (N, K, h, w) of the plain branch.
        enhanced: Those of the enhanced branch, or one tensor for each of several scales.
        labels: Multi-hot labels (N, K).

    Returns:
        A scalar in [0, 1]. Differentiable in all maps.

    Raises:
        ValueError: Shapes do not fit.
    """
    others = [enhanced] if isinstance(enhanced, Tensor) else enhanced
    for other in others:
        check_shapes(logits=(logits, 'N K h w'), enhanced=(other, 'N K h w'))
    target = torch.stack([peak_normalize(other) for other in others]).mean(dim=0)
    return keep_labelled(peak_normalize(logits) - target, labels).square().mean()


def raw_consistency(features: Tensor, enhanced: Tensor) -> Tensor:
    """Squared difference of two features, summed over channels and pixels, mean over images.

    Source: Liu et al., RPNet, 2021, equation 13.

    Args:
        features: Features (N, C, h, w) of the plain branch.
        enhanced: Those of the enhanced branch.

    Returns:
        A non-negative scalar. Differentiable in both features.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(features=(features, 'N C h w'), enhanced=(enhanced, 'N C h w'))
    return (features - enhanced).square().sum(dim=(1, 2, 3)).mean()

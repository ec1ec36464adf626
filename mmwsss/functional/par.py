"""Pixel-adaptive refinement: scores spread to neighbours of like colour (Ru et al., AFA, CVPR 2022)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.functional.checks import check_range, check_shapes

__all__ = ['pixel_adaptive_refine']

NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
EPS = 1e-8  # of the released code


def pixel_adaptive_refine(
    images: Tensor,
    scores: Tensor,
    dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
    iterations: int = 10,
    colour_scale: float = 0.3,
    position_weight: float = 0.01,
) -> Tensor:
    """Replace each score, several times, by a mean over the pixel's neighbours, weighted by colour.

    The weights of neighbour ``j``, one of eight at each dilation, are ``softmax_j(-mean_c (|I_j - I| /
    (w s_c))^2) + v softmax_j(-(d_j / (w s_d))^2)`` with the distance ``d``; ``s`` are standard
    deviations over the neighbours. They add up to ``1 + v``, so all scores grow alike: only their
    relation means something. Outside of the image are copies of its border.

    Memory: about two maps (h, w) an image for each neighbour.

    Args:
        images: (N, C, H, W) of any scale, such as RGB in 0..255; resized (bilinear) to the scores' grid.
        scores: (N, K, h, w) on the same device.
        dilations: Distances of the neighbours in cells of that grid, each >= 1.
        iterations: Number of means, >= 0.
        colour_scale: The paper's ``w``.
        position_weight: The paper's ``v``.

    Returns:
        (N, K, h, w), of the scores' dtype, or float32 for integers; half precision is computed in float32.
        Differentiable in the scores.

    Raises:
        ValueError: Shapes do not fit or a number is out of range.
    """
    check_shapes(images=(images, 'N C H W'), scores=(scores, 'N K h w'))
    check_range('smallest of dilations', min(dilations, default=0), '[1, inf)')
    check_range('iterations', iterations, '[0, inf)')
    check_range('colour_scale', colour_scale, '(0, inf)')
    check_range('position_weight', position_weight, '[0, inf)')
    wide = torch.promote_types(scores.dtype, torch.float32)
    images, size = images.to(wide), tuple(scores.shape[2:])
    if tuple(images.shape[2:]) != size:
        images = F.interpolate(images, size=size, mode='bilinear', align_corners=False)
    steps = [(d * dy, d * dx) for d in dilations for dy, dx in NEIGHBOURS]
    weights = _colour_affinity(images, steps, colour_scale)
    position = position_weight * _position_affinity(steps, colour_scale)
    weights += position.to(weights)[:, None, None, None, None]
    refined = scores.to(wide)
    for _ in range(iterations):
        shifted = _shifter(refined, steps)
        refined = sum(
            (weights[i] * shifted(step) for i, step in enumerate(steps)),
            torch.zeros_like(refined),
        )
    return refined.to(scores.dtype) if scores.is_floating_point() else refined


def _shifter(maps: Tensor, steps: Sequence[tuple[int, int]]) -> Callable[[tuple[int, int]], Tensor]:
    """A function that moves maps (N, C, h, w) by a step: a view of one padded copy."""
    reach = max(max(abs(dy), abs(dx)) for dy, dx in steps)
    padded = F.pad(maps, (reach,) * 4, mode='replicate')
    height, width = maps.shape[2:]

    def shifted(step: tuple[int, int]) -> Tensor:
        top, left = reach + step[0], reach + step[1]
        return padded[:, :, top : top + height, left : left + width]

    return shifted


def _colour_affinity(images: Tensor, steps: Sequence[tuple[int, int]], scale: float) -> Tensor:
    """Softmax over the neighbours of the likeness in colour: (n, N, 1, h, w)."""
    shifted = _shifter(images, steps)
    mean = sum((shifted(s) for s in steps), torch.zeros_like(images)) / len(steps)
    squares = sum(((shifted(s) - mean) ** 2 for s in steps), torch.zeros_like(images))
    width = scale * ((squares / (len(steps) - 1)).sqrt() + EPS)
    return torch.stack(
        [-(((shifted(s) - images) / width) ** 2).mean(dim=1, keepdim=True) for s in steps]
    ).softmax(dim=0)


def _position_affinity(steps: Sequence[tuple[int, int]], scale: float) -> Tensor:
    """Softmax over the neighbours of their nearness: float64 (n,)."""
    distances = torch.tensor([math.hypot(*step) for step in steps], dtype=torch.float64)
    return (-((distances / (scale * (distances.std() + EPS))) ** 2)).softmax(dim=0)

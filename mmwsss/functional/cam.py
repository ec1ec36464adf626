"""Class activation maps as pure tensor functions (Zhou et al., CAM, CVPR 2016)."""

from __future__ import annotations

import torch
from torch import Tensor

from mmwsss.functional.checks import check_shapes

__all__ = ['keep_labelled', 'peak_normalize', 'with_background']


def peak_normalize(cam: Tensor, eps: float = 1e-5) -> Tensor:
    """Rectify class maps and bring the peak of each to (almost) one.

    ``S_k = relu(A_k) / (max_xy relu(A_k) + eps)``. A map without a positive value stays zero.

    Args:
        cam: Logit maps (N, K, h, w), floating point.
        eps: Added to the peak.

    Returns:
        Scores (N, K, h, w) in [0, 1), same dtype and device. Differentiable; the input is unchanged.

    Raises:
        ValueError: ``cam`` does not have four dimensions.
    """
    check_shapes(cam=(cam, 'N K h w'))
    positive = cam.clamp(min=0)
    # In half precision 1e-5 vanishes beside the peak, and the quotient is rounded twice.
    wide = positive.float() if cam.dtype in (torch.float16, torch.bfloat16) else positive
    return (wide / (wide.amax(dim=(2, 3), keepdim=True) + eps)).to(cam.dtype)


def with_background(scores: Tensor) -> Tensor:
    """Put a background channel ``S_0 = 1 - max_k S_k`` in front of foreground scores.

    Args:
        scores: Foreground scores (N, K, h, w) in [0, 1].

    Returns:
        Scores (N, K + 1, h, w), background first.

    Raises:
        ValueError: ``scores`` does not have four dimensions.
    """
    check_shapes(scores=(scores, 'N K h w'))
    background = 1 - scores.amax(dim=1, keepdim=True)
    return torch.cat([background, scores], dim=1)


def keep_labelled(maps: Tensor, labels: Tensor) -> Tensor:
    """Zero the maps of the classes that an image does not carry.

    Args:
        maps: Class maps (N, K, h, w), or (N, K + 1, h, w) with the background first (always kept).
        labels: Multi-hot image labels (N, K).

    Returns:
        Maps of the same shape; an absent class is exactly zero.

    Raises:
        ValueError: The class counts of ``maps`` and ``labels`` do not fit.
    """
    keep = labels.to(maps.dtype)
    if maps.shape[1] == labels.shape[1] + 1:
        keep = torch.cat([torch.ones_like(keep[:, :1]), keep], dim=1)
    check_shapes(labels=(keep, 'N K'), maps=(maps, 'N K h w'))
    return maps * keep[:, :, None, None]

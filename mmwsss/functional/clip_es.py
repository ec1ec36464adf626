"""CLIP-ES's maps as pure tensor functions (Lin et al., CLIP is Also an Efficient Segmenter, CVPR 2023)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import find_objects
from scipy.ndimage import label as label_regions
from torch import Tensor

from mmwsss.functional.checks import check_range, check_shapes, to_numpy

__all__ = ['affinity_refine', 'attention_affinity', 'gradient_maps', 'min_max', 'region_boxes']


def min_max(maps: Tensor, eps: float = 1e-7) -> Tensor:
    """Bring each map to 0..1: ``(M - min M) / (max M - min M + eps)``.

    Args:
        maps: (K, h, w), floating point.
        eps: Added to each range.

    Returns:
        (K, h, w); a constant map becomes zero.
    """
    check_shapes(maps=(maps, 'K h w'))
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)
    return maps / (maps.amax(dim=(1, 2), keepdim=True) + eps)


def gradient_maps(activations: Tensor, gradients: Tensor) -> Tensor:
    """GradCAM: ``minmax(relu(sum_c w_kc A_c))``, ``w_kc`` the spatial mean of ``ds_k / dA_c``.

    Args:
        activations: ``A`` (C, h, w).
        gradients: Of each class's score, (K, C, h, w).

    Returns:
        (K, h, w) in 0..1.
    """
    check_shapes(activations=(activations, 'C h w'), gradients=(gradients, 'K C h w'))
    weights = gradients.mean(dim=(2, 3))
    return min_max(torch.einsum('kc,chw->khw', weights, activations).clamp(min=0))


def attention_affinity(attention: Tensor, steps: int = 3) -> Tensor:
    """Affinity of patches: attention made doubly stochastic, symmetrised and squared.

    ``W = mean_l A_l``; then ``steps`` times columns and rows to sum one; ``(W + W') / 2``; ``W W``.

    Args:
        attention: Of some blocks, patch to patch (blocks, L, L), positive.
        steps: Normalisations of columns, then rows.

    Returns:
        (L, L).
    """
    check_shapes(attention=(attention, 'blocks L L'))
    affinity = attention.mean(dim=0)
    for _ in range(steps):
        affinity = affinity / affinity.sum(dim=0, keepdim=True)
        affinity = affinity / affinity.sum(dim=1, keepdim=True)
    affinity = (affinity + affinity.T) / 2
    return affinity @ affinity


def region_boxes(maps: Tensor, threshold: float) -> Tensor:
    """Pixels inside the bounding boxes of the connected regions above ``threshold`` times the peak.

    Args:
        maps: Non-negative (K, h, w).
        threshold: Share of each map's peak, in [0, 1); a region is connected over corners, too.

    Returns:
        Bool (K, h, w).
    """
    check_shapes(maps=(maps, 'K h w'))
    check_range('threshold', threshold, '[0, 1)')
    above = to_numpy(maps > threshold * maps.amax(dim=(1, 2), keepdim=True))
    inside = np.zeros_like(above)
    for mask, boxes in zip(above, inside):
        for box in find_objects(label_regions(mask, np.ones((3, 3)))[0]):
            boxes[box] = True
    return torch.from_numpy(inside).to(maps.device)


def affinity_refine(maps: Tensor, affinity: Tensor, threshold: float = 0.4) -> Tensor:
    """Class-aware attention affinity: ``M' = minmax(W M)``, columns of W inside M's boxes only.

    Args:
        maps: (K, h, w) in 0..1.
        affinity: ``W`` (h w, h w).
        threshold: Of :func:`region_boxes`; the paper's is 0.4 for VOC, 0.7 for COCO.

    Returns:
        (K, h, w) in 0..1.
    """
    kept = (maps * region_boxes(maps, threshold)).flatten(1)
    check_shapes(affinity=(affinity, 'L L'), maps=(kept, 'K L'))
    return min_max((kept @ affinity.T).reshape(maps.shape))

"""Weights that make small objects count, and the cross-entropy that uses them.

Source: Mun et al., Small Objects Matters in Weakly-supervised Semantic Segmentation, WACV 2024.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from skimage.measure import label as label_regions
from torch import Tensor

from mmwsss.functional.checks import check_ndim

__all__ = ['size_balanced_cross_entropy', 'size_weights']


def size_weights(
    labels: Tensor,
    tau: float,
    ignore_index: int = 255,
    *,
    background_index: int | None = 0,
    balance_background: bool = False,
) -> Tensor:
    """Weigh each pixel by how small its component is among those of its class in its image.

    For a component of ``S`` pixels, in an image in which its class has ``S_all`` pixels, the weight is
    ``min(tau, S_all / S)``: 1 for a lone component, more for small ones next to large ones. Components
    are 8-connected; all classes of all images are found in one pass on the CPU.

    Args:
        labels: Integer (N, H, W), class ids; 0 or more except for ``ignore_index``.
        tau: Largest weight, at least 1.
        ignore_index: Label of pixels with weight 0.
        background_index: Class whose pixels have weight 1. None: there is no background class.
        balance_background: Treat background like any other class.

    Returns:
        float32 (N, H, W) in {0} and [1, tau], on the device of ``labels``.

    Raises:
        TypeError: ``labels`` does not hold integers.
        ValueError: ``labels`` is not (N, H, W) or holds a negative class, or ``tau`` is below 1.

    Example:
        >>> import torch
        >>> size_weights(torch.tensor([[[1, 1, 1, 0, 1, 255]]]), tau=10.0)
        tensor([[[1.3333, 1.3333, 1.3333, 1.0000, 4.0000, 0.0000]]])
    """
    check_ndim('labels', labels, 3)
    if labels.is_floating_point() or labels.is_complex():
        raise TypeError(f'labels must hold integers, but holds {labels.dtype}')
    if not tau >= 1:
        raise ValueError(f'tau must be at least 1, but got {tau}')
    values = labels.detach().cpu().numpy()  # (N, H, W)
    if values.size == 0:
        return torch.ones(labels.shape, device=labels.device)
    is_negative = values < 0
    if is_negative.any() and (values[is_negative] != ignore_index).any():
        raise ValueError(
            f'labels must hold class ids >= 0 or {ignore_index} (ignore), '
            f'but the smallest is {values.min()}'
        )
    unweighted = None if balance_background else background_index
    weights = _component_weights(values, tau, ignore_index, unweighted)
    return torch.from_numpy(weights).to(labels.device)


def size_balanced_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    tau: float,
    *,
    weight: Tensor | None = None,
    class_weight: Tensor | None = None,
    ignore_index: int = 255,
    background_index: int | None = 0,
    balance_background: bool = False,
    avg_non_ignore: bool = False,
    reduction: str = 'mean',
    avg_factor: float | None = None,
) -> Tensor:
    """Size-weighted cross-entropy, the term ``L_sw`` of the paper.

    ``L_sw = -(1 / (N H W)) sum_nyx w_nyx log p_nyx(label)``: the mean runs over all pixels of the batch,
    ignored ones included, and the weights are not normalised, so weights twice as large double the loss.

    Args:
        logits: (N, C, H, W), scores before the softmax.
        labels: Integer (N, H, W), class ids or ``ignore_index``.
        tau: Largest weight, at least 1; 1 gives plain cross-entropy.
        weight: (N, H, W), further factors, e.g. from a pixel sampler.
        class_weight: (C,), a factor per class.
        ignore_index: Label of pixels that add nothing.
        background_index: See :func:`size_weights`.
        balance_background: See :func:`size_weights`.
        avg_non_ignore: Divide by the number of pixels that are not ignored instead of by all.
        reduction: ``'mean'``, ``'sum'`` or ``'none'``.
        avg_factor: Divide the sum by this number instead; only with ``'mean'``.

    Returns:
        A scalar, or (N, H, W) with ``'none'``. Zero, with a zero gradient, if all is ignored.

    Raises:
        ValueError: Shapes do not fit together, or ``reduction`` is unknown.
    """
    check_ndim('logits', logits, 4)
    check_ndim('labels', labels, 3)
    if logits.shape[0] != labels.shape[0] or logits.shape[2:] != labels.shape[1:]:
        raise ValueError(
            'logits (N, C, H, W) and labels (N, H, W) must fit together, '
            f'but got {tuple(logits.shape)} and {tuple(labels.shape)}'
        )
    if weight is not None and weight.shape != labels.shape:
        raise ValueError(
            f'weight must be {tuple(labels.shape)} like labels, but got {tuple(weight.shape)}'
        )
    if reduction not in ('mean', 'sum', 'none'):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', but got {reduction!r}")
    if avg_factor is not None and reduction != 'mean':
        raise ValueError(f"avg_factor needs reduction='mean', but got {reduction!r}")
    factors = size_weights(
        labels,
        tau,
        ignore_index,
        background_index=background_index,
        balance_background=balance_background,
    )
    if weight is not None:
        factors = factors * weight
    if class_weight is not None:
        class_weight = class_weight.to(logits)
    losses = F.cross_entropy(
        logits, labels.long(), weight=class_weight, ignore_index=ignore_index, reduction='none'
    )
    losses = losses * factors.to(losses.dtype)
    if reduction == 'none':
        return losses
    if reduction == 'sum':
        return losses.sum()
    if avg_factor is None:
        avg_factor = (
            (labels != ignore_index).sum().clamp(min=1) if avg_non_ignore else labels.numel()
        )
    return losses.sum() / avg_factor


def _component_weights(
    values: np.ndarray, tau: float, ignored: int, unweighted: int | None
) -> np.ndarray:
    """Weights of class ids (N, H, W): 0 for ``ignored``, 1 for ``unweighted``; float32 (N, H, W)."""
    n, height, width = values.shape
    low = int(values.min())
    codes = np.arange(1, int(values.max()) - low + 2)  # of the values low, low + 1, ...
    if unweighted not in (None, ignored) and 0 <= unweighted - low < len(codes):
        codes[unweighted - low] = 0
    # One tall image with an empty row after each image, so that no component spans two of them.
    tall = np.zeros((n, height + 1, width), dtype=np.int64)
    tall[:, :height] = codes[values.astype(np.int64) - low]
    components = label_regions(tall.reshape(-1, width), background=0, connectivity=2).ravel()
    sizes = np.bincount(components)
    a_pixel = np.zeros(len(sizes), dtype=np.int64)  # any one of each component
    a_pixel[components] = np.arange(len(components))
    code = tall.ravel()[a_pixel]
    image_and_code = a_pixel // ((height + 1) * width) * (len(codes) + 1) + code
    totals = np.bincount(image_and_code[1:], weights=sizes[1:])
    weights = np.ones(len(sizes), dtype=np.float32)
    weights[1:] = np.minimum(tau, totals[image_and_code[1:]] / sizes[1:])
    weights[1:][code[1:] == ignored - low + 1] = 0
    weights = weights[components].reshape(n, height + 1, width)
    return np.ascontiguousarray(weights[:, :height])

"""Weights that make small objects count, and the cross-entropy that uses them.

Source: Mun et al., Small Objects Matters in Weakly-supervised Semantic Segmentation, WACV 2024.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mmwsss.functional.checks import (
    check_choice,
    check_integers,
    check_range,
    check_shapes,
    to_labels,
)
from mmwsss.functional.components import class_components

__all__ = ['size_balanced_cross_entropy', 'size_weights']


def size_weights(
    labels: Any,
    tau: float,
    ignore_index: int = 255,
    total: str = 'class',
    *,
    background_index: int | None = 0,
    balance_background: bool = False,
) -> Tensor:
    """Weigh each pixel by how small its component is among those of its image (eq. 3).

    The weight of a component of ``S`` pixels is ``min(tau, S_all / S)``. Components are 8-connected and
    found on the CPU.

    Args:
        labels: Integer (N, H, W), class ids from 0 on, or ``ignore_index``; a tensor or an array.
        tau: Largest weight, at least 1.
        ignore_index: Label of pixels with weight 0.
        total: What ``S_all`` counts. ``'class'``, the paper's text: the pixels of the component's class
            in its image, so that a lone component weighs 1. ``'image'``, the authors' released code: the
            pixels of all weighed classes in its image.
        background_index: Class whose pixels have weight 1. None: there is no background class.
        balance_background: Treat background like any other class.

    Returns:
        float32 tensor (N, H, W) in {0} and [1, tau], on the device of ``labels``.

    Raises:
        TypeError: ``labels`` does not hold integers.
        ValueError: ``labels`` is not (N, H, W), ``tau`` is below 1, or ``total`` is unknown.

    Example:
        >>> import torch
        >>> labels = torch.tensor([[[1, 1, 1, 0, 1, 2, 255]]])
        >>> size_weights(labels, tau=4.5)
        tensor([[[1.3333, 1.3333, 1.3333, 1.0000, 4.0000, 1.0000, 0.0000]]])
        >>> size_weights(labels, tau=4.5, total='image')
        tensor([[[1.6667, 1.6667, 1.6667, 1.0000, 4.5000, 4.5000, 0.0000]]])
    """
    device = labels.device if isinstance(labels, Tensor) else None
    values = to_labels(labels)
    check_shapes(labels=(values, 'N H W'))
    check_integers('labels', values)
    check_range('tau', tau, '[1, inf]')
    check_choice('total', total, ('class', 'image'))
    if values.size == 0:
        return torch.ones(values.shape, device=device)
    values = values.astype(np.int64)  # (N, H, W)
    is_ignored = values == ignore_index
    codes = np.where(is_ignored, 0, values + 1)
    if background_index is not None and not balance_background:
        codes[values == background_index] = 0
    codes = codes.astype(np.min_scalar_type(codes.max()))  # most label maps fit into bytes
    weights = np.stack([_component_weights(image, tau, total) for image in codes])
    weights[is_ignored] = 0
    return torch.from_numpy(weights).to(device)


def size_balanced_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    tau: float,
    *,
    total: str = 'class',
    normalize: str = 'pixels',
    weight: Tensor | None = None,
    class_weight: Tensor | None = None,
    ignore_index: int = 255,
    background_index: int | None = 0,
    balance_background: bool = False,
    avg_non_ignore: bool = False,
    reduction: str = 'mean',
    avg_factor: float | None = None,
    mean_over_processes: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Size-weighted cross-entropy, the term ``L_sw`` of the paper (eq. 4).

    ``L_sw = -(1 / (N H W)) sum_nyx w_nyx log p_nyx(label)``, ignored pixels counting in N H W. The
    authors' released code divides by the sum of the weights instead (``normalize='weights'``).

    Args:
        logits: (N, C, H, W), scores before the softmax.
        labels: Integer (N, H, W), class ids or ``ignore_index``.
        tau: Largest weight, at least 1; 1 gives plain cross-entropy.
        total: See :func:`size_weights`.
        normalize: What the mean divides by: the number of ``'pixels'``, or the sum of all factors of the
            batch (``'weights'``: size weights times ``weight`` times ``class_weight``).
        weight: (N, H, W), further factors, e.g. from a pixel sampler.
        class_weight: (C,), a factor per class, 0 or more.
        ignore_index: Label of pixels that add nothing.
        background_index: See :func:`size_weights`, as for the next.
        balance_background: See there.
        avg_non_ignore: Count only the pixels that are not ignored; with ``'pixels'``.
        reduction: ``'mean'``, ``'sum'`` or ``'none'``.
        avg_factor: Divide the sum by this number instead; only with ``'mean'``.
        mean_over_processes: Averages a tensor over the processes of a distributed training, for the
            divisor of the whole batch. None: there is one process.

    Returns:
        A scalar, or (N, H, W) with ``'none'``. Zero, with a zero gradient, if all is ignored. Half precision
        is computed in float32.

    Raises:
        ValueError: Shapes do not fit together, or ``reduction`` or ``normalize`` is unknown.
    """
    check_shapes(
        logits=(logits, 'N C H W'),
        labels=(labels, 'N H W'),
        weight=(weight, 'N H W'),
        class_weight=(class_weight, 'C'),
    )
    check_choice('reduction', reduction, ('mean', 'sum', 'none'))
    check_choice('normalize', normalize, ('pixels', 'weights'))
    if avg_factor is not None and reduction != 'mean':
        raise ValueError(f"avg_factor needs reduction='mean', but got {reduction!r}")
    factors = size_weights(
        labels,
        tau,
        ignore_index,
        total,
        background_index=background_index,
        balance_background=balance_background,
    )
    is_valid = labels != ignore_index
    if weight is not None:
        factors = factors * weight
    if class_weight is not None:
        factors = factors * class_weight.to(factors)[labels.long() * is_valid]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    losses = F.cross_entropy(logits, labels.long(), ignore_index=ignore_index, reduction='none')
    losses = losses * factors.to(losses.dtype)
    if reduction == 'none':
        return losses
    if reduction == 'sum':
        return losses.sum()
    if avg_factor is not None:
        return losses.sum() / avg_factor
    if normalize == 'pixels' and not avg_non_ignore:
        return losses.sum() / labels.numel()
    divisor = (factors if normalize == 'weights' else is_valid).sum()
    if mean_over_processes is not None:
        divisor = mean_over_processes(divisor)
    return losses.sum() / divisor.where(divisor > 0, 1).to(losses)


def _component_weights(codes: NDArray[Any], tau: float, total: str) -> NDArray[np.float32]:
    """Weights (H, W) of the components of equal code (H, W) of an image; code 0 weighs 1."""
    weights = np.ones(codes.shape, dtype=np.float32)
    everything = np.count_nonzero(codes)
    for _, box, components, _ in class_components(codes):
        sizes = np.bincount(components.ravel())
        divided = everything if total == 'image' else sizes[1:].sum()
        factors = np.ones(len(sizes), dtype=np.float32)
        factors[1:] = np.minimum(tau, divided / sizes[1:])
        weights[box] *= factors[components]
    return weights

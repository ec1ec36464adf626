"""Elastic weight consolidation: keep what mattered for an earlier task.

Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017, eq. 3; used
for size-balanced training by Mun et al., WACV 2024.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

__all__ = ['check_fisher_fits', 'ewc_penalty', 'mean_fisher', 'sum_squared_gradients']

Tensors = Mapping[str, Tensor]


def sum_squared_gradients(
    gradients: Iterable[Mapping[str, Tensor | None]], parameters: Tensors
) -> tuple[dict[str, Tensor], int]:
    """Add up the squared gradients of single images, from which the diagonal Fisher follows.

    The square is of each image's own gradient: that of a batch mean would depend on the batch size.

    Args:
        gradients: For each image the gradient of its log-likelihood per parameter name. None: zero.
        parameters: The parameters by name; they give shapes and devices.

    Returns:
        The sums, float32, by parameter name, and the number of images.
    """
    sums = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in parameters.items()}
    count = 0
    for of_image in gradients:
        for name, gradient in of_image.items():
            if gradient is not None:
                sums[name] += gradient.detach().float().square()
        count += 1
    return sums, count


def mean_fisher(sums: Tensors, count: int) -> dict[str, Tensor]:
    """Divide summed squared gradients by the number of images: the diagonal Fisher information.

    Args:
        sums: Of :func:`sum_squared_gradients`, over all processes.
        count: Number of images.

    Raises:
        ValueError: There were no images, or a sum is not finite.
    """
    if count < 1:
        raise ValueError(f'the Fisher information needs at least one image, but got {count}')
    for name, total in sums.items():
        if not torch.isfinite(total).all():
            raise ValueError(f'the squared gradients of {name!r} must be finite, but are not')
    return {name: total / count for name, total in sums.items()}


def ewc_penalty(parameters: Tensors, anchors: Tensors, fisher: Tensors, strength: float) -> Tensor:
    """Penalise leaving the anchors: ``(lambda / 2) sum_i F_i (theta_i - theta*_i)^2``.

    Args:
        parameters: Current parameters ``theta`` by name. Those without anchor are free.
        anchors: ``theta*`` by name. Those without parameter add nothing.
        fisher: ``F``, names and shapes of ``anchors``.
        strength: ``lambda``, 0 or more.

    Returns:
        A float32 scalar, differentiable in ``parameters``; 0 if there is nothing to penalise.
    """
    terms = [
        (fisher[name].float() * (parameters[name].float() - anchor.float()).square()).sum()
        for name, anchor in anchors.items()
        if name in parameters
    ]
    return 0.5 * strength * torch.stack(terms).sum() if terms else torch.zeros(())


def check_fisher_fits(parameters: Tensors, anchors: Tensors, fisher: Tensors) -> list[str]:
    """Check that anchors and Fisher information belong to a model.

    Args:
        parameters: All parameters of the model by name, frozen ones included.
        anchors: Parameter values at the end of the earlier task.
        fisher: Fisher information.

    Returns:
        Names of the trainable parameters without anchor: new ones, which are free.

    Raises:
        ValueError: Names or shapes do not fit, with the names; or values are not finite or negative.
    """
    parts = {'model': parameters, 'anchors': anchors, 'fisher': fisher}
    for name in sorted(anchors.keys() | fisher.keys()):
        shapes = {of: tuple(part[name].shape) for of, part in parts.items() if name in part}
        if len(shapes) < len(parts) or len(set(shapes.values())) > 1:
            raise ValueError(f'{name!r} must have one shape in {[*parts]}, but has {shapes}')
        if not (anchors[name].isfinite() & fisher[name].isfinite() & (fisher[name] >= 0)).all():
            raise ValueError(
                f'anchor and Fisher information of {name!r} must be finite, the latter 0 or more'
            )
    return [name for name, p in parameters.items() if p.requires_grad and name not in anchors]

"""Elastic weight consolidation: keep what mattered for an earlier task.

Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017, eq. 3; used
for size-balanced training by Mun et al., WACV 2024.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

__all__ = ['check_fisher_fits', 'ewc_penalty', 'mean_fisher', 'sum_squared_gradients']


def sum_squared_gradients(
    gradients: Iterable[Mapping[str, Tensor | None]], parameters: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], int]:
    """Add up the squared gradients of single images, from which the diagonal Fisher follows.

    The square is taken of each image's own gradient; the square of a batch mean would depend on the
    batch size.

    Args:
        gradients: For each image the gradient of its log-likelihood per parameter name. None: zero.
        parameters: The parameters by name; they give shapes and devices.

    Returns:
        The sums, float32, by parameter name, and the number of images.

    Raises:
        ValueError: A gradient belongs to no parameter or is not finite.
    """
    sums = {
        name: torch.zeros_like(parameter, dtype=torch.float32, requires_grad=False)
        for name, parameter in parameters.items()
    }
    count = 0
    for of_image in gradients:
        for name, gradient in of_image.items():
            if name not in sums:
                raise ValueError(f'gradient of {name!r}, which is not among the parameters')
            if gradient is not None:
                sums[name] += gradient.detach().float().square()
        count += 1
    for name, total in sums.items():
        if not torch.isfinite(total).all():
            raise ValueError(f'the squared gradients of {name!r} are not finite')
    return sums, count


def mean_fisher(sums: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Divide summed squared gradients by the number of images: the diagonal Fisher information.

    Args:
        sums: Of :func:`sum_squared_gradients`, over all processes.
        count: Number of images.

    Raises:
        ValueError: There were no images.
    """
    if count < 1:
        raise ValueError(f'the Fisher information needs at least one image, but got {count}')
    return {name: total / count for name, total in sums.items()}


def ewc_penalty(
    parameters: Mapping[str, Tensor],
    anchors: Mapping[str, Tensor],
    fisher: Mapping[str, Tensor],
    strength: float,
) -> Tensor:
    """Penalise leaving the anchors: ``(lambda / 2) sum_i F_i (theta_i - theta*_i)^2``.

    Args:
        parameters: Current parameters ``theta`` by name. Those without anchor are free.
        anchors: ``theta*`` by name. Those without parameter add nothing.
        fisher: ``F``, names and shapes of ``anchors``.
        strength: ``lambda``, 0 or more.

    Returns:
        A float32 scalar, differentiable in ``parameters``; 0 if there is nothing to penalise.

    Raises:
        ValueError: ``strength`` is negative, or names or shapes of anchors and Fisher differ.

    Example:
        >>> import torch
        >>> theta, anchor = {'w': torch.tensor([1.0, 3.0])}, {'w': torch.tensor([0.0, 1.0])}
        >>> ewc_penalty(theta, anchor, {'w': torch.tensor([2.0, 0.5])}, strength=10.0)
        tensor(20.)
    """
    if not strength >= 0:
        raise ValueError(f'strength must be 0 or more, but got {strength}')
    if anchors.keys() != fisher.keys():
        differing = sorted(anchors.keys() ^ fisher.keys())
        raise ValueError(f'anchors and fisher must have the same names, but differ in {differing}')
    terms = []
    for name, anchor in anchors.items():
        if name in parameters:
            distance = parameters[name].float() - anchor.float()
            terms.append((fisher[name].float() * distance.square()).sum())
    if not terms:
        return torch.zeros(())
    return 0.5 * strength * torch.stack(terms).sum()


def check_fisher_fits(
    parameters: Mapping[str, Tensor], anchors: Mapping[str, Tensor], fisher: Mapping[str, Tensor]
) -> list[str]:
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
    if anchors.keys() != fisher.keys():
        differing = sorted(anchors.keys() ^ fisher.keys())
        raise ValueError(f'anchors and fisher differ in the parameters {_some(differing)}')
    if not anchors:
        raise ValueError('there are neither anchors nor Fisher information')
    unknown = sorted(anchors.keys() - parameters.keys())
    if unknown:
        raise ValueError(
            f'the Fisher information does not fit the model: {len(unknown)} of {len(anchors)} '
            f'parameters are not in the model: {_some(unknown)}'
        )
    shapes = [
        f'{name} {tuple(value.shape)} instead of {tuple(parameters[name].shape)}'
        for values in (anchors, fisher)
        for name, value in values.items()
        if value.shape != parameters[name].shape
    ]
    if shapes:
        raise ValueError(f'the Fisher information does not fit the model: shapes {_some(shapes)}')
    for name in anchors:
        if not (torch.isfinite(anchors[name]).all() and torch.isfinite(fisher[name]).all()):
            raise ValueError(f'anchor or Fisher information of {name!r} is not finite')
        if (fisher[name] < 0).any():
            raise ValueError(f'the Fisher information of {name!r} must be 0 or more')
    return [name for name, p in parameters.items() if p.requires_grad and name not in anchors]


def _some(names: list[str], limit: int = 8) -> str:
    more = f' and {len(names) - limit} more' if len(names) > limit else ''
    return ', '.join(names[:limit]) + more

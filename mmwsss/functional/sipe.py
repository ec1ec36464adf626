"""Image-specific prototype exploration as pure tensor functions (Chen et al., SIPE, CVPR 2022).

How they make up the method is said in :class:`~mmwsss.models.heads.SIPEHead`. Normalisations, sums over
pixels and divisions run in at least float32; only the product of features with features, which takes
nearly all the time, runs in the input's (or autocast's) dtype. Results have the input's dtype.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmwsss.functional.checks import check_range, check_shapes

__all__ = [
    'at_least_float32',
    'class_prototypes',
    'correlation_sums',
    'keep_surest',
    'locate_seeds',
    'normalize_pixels',
    'prototype_activation',
    'structure_similarity',
]


def structure_similarity(
    features: Tensor, scores: Tensor, chunk_size: int = 256, eps: float = 1e-5
) -> Tensor:
    """Compare what each pixel resembles with where each class is.

    Pixel i's structure map is ``c_ij = relu(cos(f_i, f_j))`` over the pixels j of its image; its
    similarity to class k is the soft IoU with that class's score map::

        inter_ik = sum_j c_ij S_kj
        union_ik = sum_j c_ij + sum_j S_kj - inter_ik
        sim_ik = inter_ik / union_ik

    Source: Chen et al., SIPE, CVPR 2022, section 3.2 (structure-aware seed locating). Departure: where
    the union is zero (a zero feature vector and an empty map) the similarity is 0 instead of 0 / 0.

    The symmetric matrix c is computed in strips of ``chunk_size`` rows from the diagonal to the right, each
    used twice, and again in the backward pass: half of the time of the full product, a normalised copy
    of ``features`` and N * chunk_size * hw numbers of memory. There are no second derivatives.

    Args:
        features: Features (N, C, h, w), floating point.
        scores: Class scores (N, K + 1, h, w) in [0, 1].
        chunk_size: Rows of a strip. Larger strips make fewer, larger products.
        eps: Added to feature norms and lower bound of the union.

    Returns:
        Similarities (N, K + 1, h, w) in [0, 1], dtype of ``scores``. Differentiable in both arguments.

    Raises:
        ValueError: Shapes do not fit, or ``chunk_size`` is not positive.

    Example:
        >>> import torch
        >>> features = torch.tensor([[[[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]]])  # two alike, one apart
        >>> scores = torch.tensor([[[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]]])
        >>> structure_similarity(features, scores)[0, :, 0]
        tensor([[0.0000, 0.0000, 1.0000],
                [0.5000, 0.5000, 0.0000]])
    """
    check_shapes(features=(features, 'N C h w'), scores=(scores, 'N K+1 h w'))
    inter, row_sum = correlation_sums(features, scores, chunk_size, eps)
    maps = scores.flatten(2).to(inter.dtype)
    union = row_sum + maps.sum(dim=2, keepdim=True) - inter
    similarity = inter / union.clamp(min=eps)
    return similarity.to(scores.dtype).view_as(scores)


def correlation_sums(
    features: Tensor, maps: Tensor, chunk_size: int = 256, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """Sums over all pixels j of an image, weighted by ``c_ij = relu(cos(f_i, f_j))``.

    How they are computed: :func:`structure_similarity`.

    Args:
        features: Features (N, C, h, w), floating point; a zero vector is like no pixel.
        maps: (N, M, h, w).
        chunk_size: Rows of a strip.
        eps: Added to feature norms.

    Returns:
        ``sum_j c_ij maps_j`` (N, M, hw) and ``sum_j c_ij`` (N, 1, hw), in at least float32.

    Raises:
        ValueError: Shapes do not fit, or ``chunk_size`` is not positive.
    """
    check_shapes(features=(features, 'N C h w'), maps=(maps, 'N M h w'))
    check_range('chunk_size', chunk_size, '[1, inf)')
    product_dtype = _product_dtype(features)
    with _no_autocast(features):
        unit = normalize_pixels(features.flatten(2), eps).to(product_dtype)  # (N, C, hw)
        wide = maps.flatten(2).to(_wide_dtype(unit))  # (N, M, hw)
        # The appended map of ones gives the row sums of the correlation in the same product.
        with_ones = torch.cat([wide, torch.ones_like(wide[:, :1])], dim=1)
        sums: Tensor = _CorrelationProduct.apply(unit, with_ones, chunk_size)  # type: ignore[no-untyped-call]
        return sums[:, :-1], sums[:, -1:]


def locate_seeds(similarity: Tensor, valid: Tensor, bg_attenuation: float = 0.5) -> Tensor:
    """Give each pixel to the class it is most similar to.

    The background's similarity is multiplied by ``bg_attenuation``, the best of the K + 1 classes
    wins (the lowest id on a tie) and seeds outside ``valid`` are dropped.

    Source: Chen et al., SIPE, CVPR 2022, section 3.2.

    Args:
        similarity: Similarities (N, K + 1, h, w), background first.
        valid: Allowed classes and pixels (N, K + 1, h, w), ones and zeros, as :func:`valid_mask` gives.
        bg_attenuation: The paper's alpha, in [0, 1].

    Returns:
        Seeds (N, K + 1, h, w), at most a single 1 per pixel, dtype of ``similarity``. The argmax has no
        gradient: the result is detached.

    Raises:
        ValueError: Shapes differ or ``bg_attenuation`` is outside [0, 1].
    """
    check_shapes(similarity=(similarity, 'N K+1 h w'), valid=(valid, 'N K+1 h w'))
    check_range('bg_attenuation', bg_attenuation, '[0, 1]')
    similarity = similarity.detach()
    attenuated = torch.cat([similarity[:, :1] * bg_attenuation, similarity[:, 1:]], dim=1)
    best = attenuated.argmax(dim=1, keepdim=True)  # (N, 1, h, w)
    one_hot = torch.zeros_like(similarity).scatter_(1, best, 1.0)
    return one_hot * valid.detach().to(similarity.dtype)


def keep_surest(
    seeds: Tensor, similarity: Tensor, fraction: float = 0.5, eps: float = 1e-5
) -> Tensor:
    """Keep the surest part of each class's seeds.

    A seed is the surer, the larger its class's share ``sim_ik / sum_l sim_il`` in the similarities of its
    pixel; ceil(``fraction`` x number of seeds) stay (on a tie the first in row order). Not part of SIPE,
    see ``docs/methods/sipe.md``.

    Args:
        seeds: One-hot seeds (N, K + 1, h, w) of :func:`locate_seeds`.
        similarity: The similarities (N, K + 1, h, w) that they come from, zero where not allowed.
        fraction: Part that stays, in [0, 1].
        eps: Lower bound of the sum.

    Returns:
        Seeds (N, K + 1, h, w), dtype of ``seeds``, detached.

    Raises:
        ValueError: ``fraction`` is outside [0, 1].
    """
    check_range('fraction', fraction, '[0, 1]')
    shape = seeds.shape
    seeds, similarity = seeds.detach().flatten(2), similarity.detach().flatten(2)
    share = similarity / similarity.sum(dim=1, keepdim=True).clamp(min=eps)
    order = share.masked_fill(seeds == 0, -1).argsort(dim=2, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(
        2, order, torch.arange(order.shape[2], device=order.device).expand_as(order)
    )
    stay = rank < ((seeds > 0).sum(dim=2, keepdim=True) * fraction).ceil()
    return (seeds * stay).view(shape)


def class_prototypes(seeds: Tensor, features: Tensor, eps: float = 1e-5) -> Tensor:
    """Average the features over each class's seeds.

    Source: Chen et al., SIPE, CVPR 2022, section 3.2. The released code divides by the number of all
    pixels instead; the cosine that follows makes the two equal.

    Args:
        seeds: Weights (N, K + 1, h, w), usually one-hot.
        features: Features (N, C, h, w) of the same size.
        eps: Lower bound of the divisor; a class without seeds gets a zero prototype.

    Returns:
        Prototypes (N, K + 1, C), dtype of ``features``. Differentiable in both arguments.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(features=(features, 'N C h w'), seeds=(seeds, 'N K+1 h w'))
    with _no_autocast(features):
        weights = seeds.flatten(2).to(_wide_dtype(features))  # (N, K + 1, hw)
        weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=eps)
        pixels = at_least_float32(features.flatten(2)).transpose(1, 2)  # (N, hw, C)
        means = torch.bmm(weights, pixels)
    return means.to(features.dtype)


def prototype_activation(prototypes: Tensor, features: Tensor, eps: float = 1e-5) -> Tensor:
    """Image-specific class maps: the rectified cosine of every pixel with every prototype.

    Source: Chen et al., SIPE, CVPR 2022, equation of the IS-CAM.

    Args:
        prototypes: Prototypes (N, K + 1, C); a zero prototype gives a zero map.
        features: Features (N, C, h, w).
        eps: Lower bound of a norm.

    Returns:
        Activations (N, K + 1, h, w) in [0, 1], dtype of ``features``. Differentiable in both arguments.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(features=(features, 'N C h w'), prototypes=(prototypes, 'N K+1 C'))
    with _no_autocast(features):
        pixels = at_least_float32(features.flatten(2))  # (N, C, hw)
        centres = prototypes.to(pixels.dtype)
        centres = centres / _norm(centres, dim=2).clamp(min=eps)
        # Dividing the few products by the pixels' norms spares a normalised copy of the features.
        activation = torch.bmm(centres, pixels) / _norm(pixels, dim=1).clamp(min=eps)
        activation = activation.relu()  # (N, K + 1, hw)
    shape = (*prototypes.shape[:2], *features.shape[2:])
    return activation.to(features.dtype).view(shape)


def normalize_pixels(features: Tensor, eps: float = 1e-5) -> Tensor:
    """Divide the feature vector of every pixel by its Euclidean length plus ``eps``.

    Args:
        features: Features (N, C, ...), floating point; the length is computed in at least float32.
        eps: Added to the length; a zero vector stays zero.

    Returns:
        Features of the same shape and dtype with lengths in [0, 1). Differentiable.
    """
    return (features / (_norm(features, dim=1) + eps)).to(features.dtype)


def at_least_float32(values: Tensor) -> Tensor:
    """Widen float16 and bfloat16 to float32; leave other dtypes as they are."""
    return values.to(_wide_dtype(values))


class _CorrelationProduct(torch.autograd.Function):
    """``relu(unit^T unit) maps^T`` as (N, M, hw), with the correlation in strips and recomputed.

    With ``R = relu(U^T U)`` (symmetric) and ``P = V R``: ``dV = G R``, and ``dR`` symmetrised is
    ``1[R > 0] * (G^T V + V^T G)``, whose product with U is ``dU``.
    """

    @staticmethod
    def forward(ctx: Any, unit: Tensor, maps: Tensor, chunk_size: int) -> Tensor:
        ctx.save_for_backward(unit, maps)
        ctx.chunk_size = chunk_size
        return _symmetric_product(unit, maps, chunk_size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        unit, maps = ctx.saved_tensors
        with _no_autocast(unit):
            if not ctx.needs_input_grad[0]:
                return None, _symmetric_product(unit, grad, ctx.chunk_size), None
            grad_unit = torch.zeros_like(unit, dtype=maps.dtype)
            grad_maps = torch.zeros_like(maps)
            for start, stop, strip in _strips(unit, ctx.chunk_size):
                _add_products(grad_maps, grad, start, stop, strip)
                _add_unit_gradient(grad_unit, unit, maps, grad, start, stop, strip > 0)
        return grad_unit.to(unit.dtype), grad_maps, None


def _symmetric_product(unit: Tensor, maps: Tensor, chunk_size: int) -> Tensor:
    """``maps relu(unit^T unit)``: (N, C, hw), (N, M, hw) -> (N, M, hw) in the dtype of maps."""
    out = torch.zeros_like(maps)
    for start, stop, strip in _strips(unit, chunk_size):
        _add_products(out, maps, start, stop, strip)
    return out


def _strips(unit: Tensor, chunk_size: int) -> Iterator[tuple[int, int, Tensor]]:
    """Yield (start, stop, ``R[start:stop, start:]``) of the correlation R, in at least float32."""
    pixels = unit.shape[2]
    for start in range(0, pixels, chunk_size):
        stop = min(start + chunk_size, pixels)
        strip = torch.bmm(unit[:, :, start:stop].transpose(1, 2), unit[:, :, start:])
        yield start, stop, strip.relu_().to(_wide_dtype(strip))


def _add_products(out: Tensor, maps: Tensor, start: int, stop: int, strip: Tensor) -> None:
    """Add one strip's share of ``maps R``: its rows, and by symmetry its columns beyond them."""
    out[:, :, start:stop] += torch.bmm(maps[:, :, start:], strip.transpose(1, 2))
    out[:, :, stop:] += torch.bmm(maps[:, :, start:stop], strip[:, :, stop - start :])


def _add_unit_gradient(
    out: Tensor, unit: Tensor, maps: Tensor, grad: Tensor, start: int, stop: int, active: Tensor
) -> None:
    """Add one strip's share of ``unit 1[R > 0] (G^T V + V^T G)``, likewise used on both sides."""
    outer = torch.bmm(grad[:, :, start:stop].transpose(1, 2), maps[:, :, start:])
    outer += torch.bmm(maps[:, :, start:stop].transpose(1, 2), grad[:, :, start:])
    outer = (outer * active).to(unit.dtype)
    out[:, :, start:stop] += torch.bmm(unit[:, :, start:], outer.transpose(1, 2))
    out[:, :, stop:] += torch.bmm(unit[:, :, start:stop], outer[:, :, stop - start :])


def _norm(values: Tensor, dim: int) -> Tensor:
    """Length along ``dim``, which is kept, in at least float32; its gradient at zero is zero."""
    # Twice as fast on a CPU as torch.linalg.vector_norm over a dimension that is not the last.
    squares = at_least_float32(values).square().sum(dim=dim, keepdim=True)
    positive = squares > 0
    return torch.where(positive, squares, torch.ones_like(squares)).sqrt() * positive


def _wide_dtype(values: Tensor) -> torch.dtype:
    return torch.float32 if values.dtype in (torch.float16, torch.bfloat16) else values.dtype


def _product_dtype(values: Tensor) -> torch.dtype:
    """Dtype in which a product of ``values`` runs here: autocast decides, if it is on."""
    probe = values.new_zeros(1, 1)
    return (probe @ probe).dtype


def _no_autocast(values: Tensor) -> torch.autocast:
    """Context in which every operation keeps the dtype it is given."""
    return torch.autocast(device_type=values.device.type, enabled=False)

"""Self-supervised equivariant attention as pure tensor functions (Wang et al., SEAM, CVPR 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from mmwsss.functional.cam import with_background
from mmwsss.functional.checks import check_range, check_shapes
from mmwsss.functional.sipe import correlation_sums

__all__ = ['hardest_mean', 'pixel_correlation', 'winning_scores']


def winning_scores(scores: Tensor) -> Tensor:
    """Keep the best foreground score of each pixel, and put the background ``1 - max_k S_k`` in front.

    Args:
        scores: Foreground scores (N, K, h, w) in [0, 1].

    Returns:
        (N, K + 1, h, w); of equal best scores all stay.

    Raises:
        ValueError: ``scores`` does not have four dimensions.
    """
    check_shapes(scores=(scores, 'N K h w'))
    best = scores.amax(dim=1, keepdim=True)
    kept = torch.where(scores == best, scores, torch.zeros_like(scores))
    return torch.cat([with_background(scores)[:, :1], kept], dim=1)


def pixel_correlation(
    features: Tensor, scores: Tensor, inside: Tensor | None = None, chunk_size: int = 256
) -> Tensor:
    """Pixel correlation module: mean of the scores of all pixels, weighted by likeness.

    ``S'_i = sum_j c_ij S_j / (sum_j c_ij + eps)`` with ``c_ij = relu(cos(f_i, f_j))``.

    Computed in strips, see :func:`~mmwsss.functional.structure_similarity`.

    Args:
        features: (N, C, h, w).
        scores: (N, M, h, w).
        inside: Ones at pixels ``j`` that count and zeros at padding (N, 1, h, w). None: all count.
        chunk_size: Rows of the correlation matrix held at once.

    Returns:
        (N, M, h, w), dtype of ``scores``. Differentiable in both.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(features=(features, 'N C h w'), scores=(scores, 'N M h w'))
    if inside is not None:
        check_shapes(inside=(inside, 'N 1 h w'), features=(features, 'N C h w'))
        features = features * inside.to(features)
    sums, total = correlation_sums(features, scores, chunk_size)
    return (sums / (total + 1e-5)).to(scores.dtype).view_as(scores)


def hardest_mean(errors: Tensor, inside: Tensor, fraction: float = 0.2) -> Tensor:
    """Mean over images of the mean of the largest errors of each.

    Args:
        errors: (N, M, h, w), not negative.
        inside: Ones at pixels that count and zeros at padding (N, 1, h, w).
        fraction: How many: this share of M times the number of pixels inside, at least one.

    Returns:
        Scalar.

    Raises:
        ValueError: Shapes do not fit or ``fraction`` is out of range.
    """
    check_shapes(errors=(errors, 'N M h w'), inside=(inside, 'N 1 h w'))
    check_range('fraction', fraction, '(0, 1]')
    errors = (errors * inside).flatten(1)
    channels = errors.shape[1] // inside[0].numel()
    means = []
    for error, pixels in zip(errors, inside.flatten(1).sum(dim=1).tolist()):
        count = max(int(fraction * channels * pixels), 1)
        means.append(error.topk(count).values.mean())
    return torch.stack(means).mean()

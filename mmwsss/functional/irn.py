"""Inter-pixel relations: confident labels, pixel pairs and the losses that train IRNet.

Source: Ahn, Cho and Kwak, "Weakly supervised learning of instance segmentation with inter-pixel
relations", CVPR 2019. Pairs are stored as in :func:`mmwsss.functional.path_affinity`: entry
``[d, y, x]`` is the pair of (y, x) and (y, x) + offset d of :func:`half_plane_offsets`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Callable, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmwsss.functional.checks import check_integers, check_range, check_shapes, to_numpy
from mmwsss.functional.crf import SEED_KERNELS, CRFLattice
from mmwsss.functional.random_walk import half_plane_offsets, path_affinity

__all__ = [
    'PairLabels',
    'confident_labels',
    'confident_labels_threshold_free',
    'grid_stride',
    'irn_losses',
    'pair_displacement',
    'pair_labels',
    'resize_labels',
]


class PairLabels(NamedTuple):
    """What is known about every pixel pair, three disjoint bool tensors (..., D, h, w).

    Attributes:
        background: both pixels are background.
        foreground: both pixels are of the same foreground class.
        negative: the pixels are of different classes.
    """

    background: Tensor
    foreground: Tensor
    negative: Tensor


def confident_labels(
    image: np.ndarray,
    scores: np.ndarray,
    class_ids: Sequence[int],
    *,
    fg_threshold: float = 0.30,
    bg_threshold: float = 0.05,
    ignore_index: int = 255,
    **kernels: float,
) -> np.ndarray:
    """Labels that class maps without a background channel are sure about.

    Foreground where the CRF of (maps against ``fg_threshold``) says so; background where this and
    the CRF of (maps against ``bg_threshold``) say background; the rest is ignored.

    Args:
        image: (H, W, 3) uint8.
        scores: (K, H, W) maps of the classes of the image, in [0, 1], finite.
        class_ids: the K ids of the maps, > 0.
        fg_threshold: score of the background in the first CRF.
        bg_threshold: score of the background in the second, at most ``fg_threshold``.
        ignore_index: value of the pixels that are neither.
        **kernels: of :class:`CRFLattice`; defaults as in :func:`dense_crf_labels`.

    Returns:
        (H, W) labels, uint8 or with ids above 255 uint16: 0, class ids and ``ignore_index``.

    Raises:
        ImportError: ``pydensecrf`` is missing.
        ValueError: shapes do not fit, or a number is out of range.
    """
    check_thresholds(fg_threshold, bg_threshold)
    image, scores = to_numpy(image), to_numpy(scores)
    check_shapes(image=(image, 'H W 3'), scores=(scores, f'{len(class_ids)} H W'))
    strict, loose = (
        np.pad(scores, ((1, 0), (0, 0), (0, 0)), constant_values=value).argmax(0)
        for value in (fg_threshold, bg_threshold)
    )
    return _combine(image, strict, loose, class_ids, ignore_index, kernels)


def confident_labels_threshold_free(
    image: np.ndarray,
    scores: np.ndarray,
    class_ids: Sequence[int],
    *,
    bg_attenuation: float = 0.5,
    ignore_index: int = 255,
    **kernels: float,
) -> np.ndarray:
    """Labels that class maps with a background channel are sure about (SIPE's variant).

    Foreground where the CRF of the maps' argmax says so; background where this and the CRF of the
    argmax with the background channel times ``bg_attenuation`` say background; else ignored.

    Args:
        image: (H, W, 3) uint8.
        scores: (K + 1, H, W) maps >= 0, finite, background first.
        class_ids: the K ids of the foreground maps, > 0.
        bg_attenuation: factor of the background channel in the second CRF, in [0, 1].
        ignore_index: value of the pixels that are neither.
        **kernels: as for :func:`confident_labels`, whose result and errors these are.
    """
    check_range('bg_attenuation', bg_attenuation, '[0, 1]')
    image, scores = to_numpy(image), to_numpy(scores)
    check_shapes(image=(image, 'H W 3'), scores=(scores, f'{len(class_ids) + 1} H W'))
    loose = np.concatenate([bg_attenuation * scores[:1], scores[1:]]).argmax(0)
    return _combine(image, scores.argmax(0), loose, class_ids, ignore_index, kernels)


def check_thresholds(fg_threshold: float | None, bg_threshold: float | None) -> tuple[float, float]:
    """Return the thresholds of :func:`confident_labels` if both are there and in order.

    Raises:
        ValueError: They are not.
    """
    if fg_threshold is None or bg_threshold is None or not 0 <= bg_threshold <= fg_threshold <= 1:
        raise ValueError(
            'thresholds must fulfil 0 <= bg_threshold <= fg_threshold <= 1, '
            f'but got {bg_threshold} and {fg_threshold}'
        )
    return fg_threshold, bg_threshold


def grid_stride(side: int, cells: int) -> int:
    """The stride by which a side of pixels became cells: of those that fit, a power of two if one does."""
    least = -(-side // cells)
    power = 1 << (least - 1).bit_length()
    return power if -(-side // power) == cells else least


def resize_labels(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Nearest-neighbour resizing of (..., H, W) integer labels to ``size`` (h, w)."""
    flat = labels.reshape(-1, 1, *labels.shape[-2:]).float()  # class ids are exact in float32
    resized = F.interpolate(flat, size=tuple(size), mode='nearest-exact')
    return resized.to(labels.dtype).view(*labels.shape[:-2], *size)


def pair_labels(labels: Tensor, radius: float, ignore_index: int = 255) -> PairLabels:
    """Compare the labels of all pixel pairs within ``radius``.

    Args:
        labels: (..., h, w) integers; 0 = background.
        radius: see :func:`half_plane_offsets`.
        ignore_index: pairs with such a pixel belong to none of the three sets.

    Returns:
        The three sets; pairs that leave the image are in none.
    """
    check_integers('labels', labels)
    second = _shifted(labels, radius, fill=ignore_index)  # (..., D, h, w)
    first = labels.unsqueeze(-3)
    known = (first != ignore_index) & (second != ignore_index)
    same = first == second
    return PairLabels(known & same & (first == 0), known & same & (first != 0), known & ~same)


def pair_displacement(displacement: Tensor, radius: float) -> Tensor:
    """Difference of the displacements of all pixel pairs, first minus second.

    If both pixels point at the same centre it equals the offset of the pair.

    Args:
        displacement: (..., 2, h, w): vertical, horizontal, in pixels of the grid.
        radius: see :func:`half_plane_offsets`.

    Returns:
        (..., 2, D, h, w); the displacement itself where the second pixel is outside.
    """
    return displacement.unsqueeze(-3) - _shifted(displacement, radius, fill=0)


def irn_losses(
    edge: Tensor,
    displacement: Tensor,
    labels: Tensor,
    *,
    radius: float = 10,
    ignore_index: int = 255,
    eps: float = 1e-5,
    mean_over_processes: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """The four losses of IRNet, weighted so that their sum is the total.

    With a the affinity of a pair: the means of ``-log(a + eps)`` over background pairs and over
    foreground pairs, averaged; the mean of ``-log(1 + eps - a)`` over negative pairs; the L1
    distance of the pair displacement to the pair's offset over foreground pairs and to 0 over
    background pairs (mean over both coordinates). Total: ``(pos + neg) / 2 + (fg + bg) / 2``.
    An empty set of pairs adds 0.

    Departure: all pairs inside the image count; the authors' code leaves those out whose pixels are
    closer than ``radius`` to its border.

    Args:
        edge: (N, h, w) edge map in [0, 1].
        displacement: (N, 2, h, w): vertical, horizontal, in pixels of the grid.
        labels: (N, h, w) integers at the same size, see :func:`resize_labels`.
        radius: largest distance of a pair.
        ignore_index: label of unknown pixels.
        eps: keeps the logarithms finite.
        mean_over_processes: averages a tensor over the processes of a distributed training, for means
            over the global batch where gradients are averaged.

    Returns:
        ``loss_affinity_pos``, ``loss_affinity_neg``, ``loss_displacement_fg`` and
        ``loss_displacement_bg``, scalars. Half precision is computed in float32.

    Raises:
        ValueError: shapes do not fit.
    """
    check_shapes(
        edge=(edge, 'N h w'), displacement=(displacement, 'N 2 h w'), labels=(labels, 'N h w')
    )
    pairs = pair_labels(labels, radius, ignore_index)
    dtype = torch.promote_types(edge.dtype, torch.float32)
    edge, displacement = edge.to(dtype), displacement.to(dtype)
    counts = torch.stack([part.sum() for part in pairs]).to(dtype)
    if mean_over_processes is not None:
        counts = mean_over_processes(counts).to(counts)
    bg, fg, neg = counts.where(counts > 0, torch.ones_like(counts))

    affinity = path_affinity(edge, radius)
    surprise = -torch.log(torch.where(pairs.negative, 1 - affinity, affinity) + eps)
    offsets = torch.tensor(half_plane_offsets(radius), dtype=edge.dtype, device=edge.device)
    wanted = pairs.foreground.unsqueeze(1) * offsets.T.reshape(2, -1, 1, 1)  # (N, 2, D, h, w)
    error = (pair_displacement(displacement, radius) - wanted).abs().sum(1)  # (N, D, h, w)
    positive = pairs.background / bg + pairs.foreground / fg
    return {
        'loss_affinity_pos': (surprise * positive).sum() / 4,
        'loss_affinity_neg': _sum(surprise, pairs.negative) / neg / 2,
        'loss_displacement_fg': _sum(error, pairs.foreground) / fg / 4,
        'loss_displacement_bg': _sum(error, pairs.background) / bg / 4,
    }


def _sum(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask, 0).sum()


def _shifted(maps: Tensor, radius: float, fill: float) -> Tensor:
    """Value at the second pixel of every pair: (..., h, w) -> (..., D, h, w), ``fill`` outside."""
    height, width = maps.shape[-2:]
    reach = math.ceil(radius)
    padded = F.pad(maps, (reach, reach, 0, reach), value=fill)
    shifted = [
        padded[..., dy : dy + height, reach + dx : reach + dx + width]
        for dy, dx in half_plane_offsets(radius)
    ]
    return torch.stack(shifted, dim=-3) if shifted else maps.unsqueeze(-3)[..., :0, :, :]


def _combine(
    image: np.ndarray,
    strict: np.ndarray,
    loose: np.ndarray,
    class_ids: Sequence[int],
    ignore_index: int,
    kernels: dict[str, float],
) -> np.ndarray:
    """Clean both label maps (0 = background, i = i-th class) and keep what is sure."""
    num_labels = len(class_ids) + 1
    lattice = CRFLattice(image, 2 * num_labels, **{**SEED_KERNELS, **kernels})
    strict, loose = lattice.labels_together([strict, loose], num_labels)
    ids = np.array([0, *class_ids])
    out: np.ndarray = ids[strict]
    out[(strict == 0) & (loose != 0)] = ignore_index
    return out.astype(np.uint8 if ids.max() <= 255 else np.uint16)

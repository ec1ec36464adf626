"""Random walk on an edge map: class maps spread inside regions and stop at boundaries.

Source: Ahn, Cho and Kwak, "Weakly supervised learning of instance segmentation with inter-pixel
relations" (IRNet), CVPR 2019. Notation: ``e`` edge map, ``a`` affinity, ``T`` transition matrix.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from mmwsss.functional.checks import check_range

__all__ = ['half_plane_offsets', 'line_pixels', 'path_affinity', 'propagate']

Offsets = tuple[tuple[int, int], ...]
Move = tuple[Tensor, Tensor, Tensor]
PATH_PART = 6  # pixels of all paths that are compared at a time, on CUDA


@functools.cache
def half_plane_offsets(radius: float) -> Offsets:
    """Offsets (dy, dx) of half of the neighbours of a pixel; the negated ones are the other half.

    Args:
        radius: neighbours fulfil ``dx^2 + dy^2 < radius^2``.

    Returns:
        Pairs (dy, dx) in pixels with dy > 0, or dy = 0 and dx > 0, in reading order.

    Raises:
        ValueError: ``radius`` is not positive.
    """
    check_range('radius', radius, '(0, inf)')
    reach = math.ceil(radius)
    return tuple(
        (dy, dx)
        for dy in range(reach)
        for dx in range(-reach + 1, reach)
        if dy * dy + dx * dx < radius * radius and (dy > 0 or dx > 0)
    )


@functools.cache
def line_pixels(dy: int, dx: int) -> Offsets:
    """Pixels of the straight path from (0, 0) to (dy, dx), both ends included.

    They are the pixels of the ends' bounding box that are less than one pixel from their line.

    Args:
        dy: vertical offset, pixels.
        dx: horizontal offset, pixels.

    Returns:
        Pairs (y, x) in reading order.
    """
    if dy == 0 and dx == 0:
        return ((0, 0),)
    return tuple(
        (y, x)
        for y in range(min(0, dy), max(0, dy) + 1)
        for x in range(min(0, dx), max(0, dx) + 1)
        if (dy * x - dx * y) ** 2 < dy * dy + dx * dx
    )


def path_affinity(edge: Tensor, radius: float) -> Tensor:
    """Affinity of all pixel pairs within ``radius``: one minus the largest edge between them.

    ``a_ij = 1 - max_{p in path(i, j)} e_p`` with the path of
    :func:`line_pixels`. Every pair is stored once, at its first pixel in reading order.

    Args:
        edge: (..., h, w) edge map, floating point, 0 = no edge, 1 = edge.
        radius: see :func:`half_plane_offsets`; 10 for training, 5 for inference in the paper.

    Returns:
        (..., D, h, w): entry ``[d, y, x]`` belongs to the pixels (y, x) and (y, x) + offset d. It
        is 0 where the second pixel is outside the image. Differentiable; the gradient goes to the
        path's (first) largest edge. Costs ``8 D h w`` bytes of index memory.

    Raises:
        ValueError: ``radius`` is not positive.
    """
    flat = edge.reshape(-1, *edge.shape[-2:])
    find = _strongest_in_windows if _launches_cost(edge) else _strongest_path_pixel
    index = find(flat.detach(), radius)  # (N, D, h, w)
    inside = index >= 0
    strongest = flat.flatten(1).gather(1, index.clamp(min=0).flatten(1)).view(index.shape)
    affinity = torch.where(inside, 1 - strongest, 0.0)
    return affinity.view(*edge.shape[:-2], *affinity.shape[1:])


def propagate(
    scores: Tensor, edge: Tensor, radius: float = 5, beta: float = 10, exp_times: int = 8
) -> Tensor:
    """Spread class maps by a random walk that does not cross edges.

    ``maps' = (maps * (1 - e)) T^(2^exp_times)``; T is ``a^beta`` of all pixel pairs within
    ``radius`` with 1 on the diagonal, its columns normalised to sum 1. The walk is exact. As the
    neighbours of all pixels lie at the same offsets, each of its steps is a sum of shifted, weighted
    maps: memory is ``D h w`` numbers (D = 34 for radius 5) and no matrix is ever built. On CUDA, where
    the launches of so many small sums would take most of the time, a step is one product and one sum
    over the windows around all pixels: ``K (2 ceil(radius) - 1)^2 h w`` numbers, in float64.

    Args:
        scores: (..., K, h, w) class maps, finite; any number K of channels, also a background's.
        edge: (..., h, w) edge map in [0, 1], with the leading dimensions of ``scores``.
        radius: neighbours fulfil ``dx^2 + dy^2 < radius^2``.
        beta: power of the affinities, larger = slower walk.
        exp_times: log2 of the number of steps, an integer.

    Returns:
        (..., K, h, w), device and dtype of ``scores``. Half precision is computed in float32.

    Raises:
        ValueError: shapes or types do not fit, an edge is outside [0, 1], or a parameter is out of
            range.

    Example:
        >>> scores = torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
        >>> propagate(scores, torch.tensor([[0.0, 0.0, 1.0, 0.0]]), radius=2)
        tensor([[[0.5000, 0.5000, 0.0000, 0.0000]]])
    """
    batch_and_size = (*scores.shape[:-3], *scores.shape[-2:])
    is_walk = scores.is_floating_point() and scores.ndim >= 3 and edge.numel()
    if not is_walk or batch_and_size != edge.shape:
        raise ValueError(
            'scores must be floating point (..., K, h, w) for an edge map (..., h, w) that is not empty, '
            f'but got {scores.dtype} {tuple(scores.shape)} and {tuple(edge.shape)}'
        )
    check_range('smallest edge', edge.min().item(), '[0, 1]')
    check_range('largest edge', edge.max().item(), '[0, 1]')
    check_range('beta', beta, '[0, inf)')
    check_range('exp_times', exp_times, '[0, inf)')
    dtype = torch.promote_types(torch.promote_types(scores.dtype, edge.dtype), torch.float32)
    edge = edge.to(dtype)
    weights = path_affinity(edge, radius) ** beta
    maps = scores.to(dtype) * (1 - edge).unsqueeze(-3)
    walk = _walk_in_windows if _launches_cost(edge) else _walk
    return walk(maps, weights, radius, 2**exp_times).to(scores.dtype)


def _launches_cost(tensor: Tensor) -> bool:
    """Whether launching small operations takes longer than their work."""
    return tensor.is_cuda


def _strongest_path_pixel(edge: Tensor, radius: float) -> Tensor:
    """Flat index of the largest edge of each pair's path: (N, h, w) -> (N, D, h, w), -1 outside."""
    offsets = half_plane_offsets(radius)
    number, height, width = edge.shape
    pixel = torch.arange(height * width, device=edge.device).view(1, height, width)
    index = torch.full((number, len(offsets), height, width), -1, device=edge.device)
    for d, dy, dx, rows, cols in _pairs_inside(offsets, height, width):
        path = [(..., _move(rows, y), _move(cols, x)) for y, x in line_pixels(dy, dx)]
        largest, strongest = edge[path[0]], pixel[path[0]].expand(number, -1, -1)
        for here in path[1:]:
            strongest = torch.where(edge[here] > largest, pixel[here], strongest)
            largest = torch.maximum(edge[here], largest)
        index[:, d, rows, cols] = strongest
    return index


def _strongest_in_windows(edge: Tensor, radius: float) -> Tensor:
    """:func:`_strongest_path_pixel` in few launches, for all offsets at once."""
    height, width = edge.shape[1:]
    reach = math.ceil(radius)
    paths = _paths(radius).to(edge.device)  # (2, D, L)
    rows, cols = paths[0], paths[1] + reach - 1
    padded = F.pad(edge, (reach - 1, reach - 1, 0, reach - 1))
    windows = padded.unfold(1, reach, 1).unfold(
        2, 2 * reach - 1, 1
    )  # (N, h, w, reach, 2 reach - 1)
    largest, place = windows[..., rows[:, 0], cols[:, 0]], rows.new_zeros(1)
    for start in range(0, rows.shape[1], PATH_PART):
        part = slice(start, start + PATH_PART)
        found, where = windows[..., rows[:, part], cols[:, part]].max(dim=-1)
        place = torch.where(found > largest, where + start, place)
        largest = torch.maximum(found, largest)
    shift = (paths[0] * width + paths[1]).T  # (L, D), from the first pixel of a pair
    shift = shift.gather(0, place.expand_as(largest).flatten(0, 2)).view(largest.shape)
    pixel = torch.arange(height * width, device=edge.device).view(height, width)
    index = (pixel[..., None] + shift).movedim(-1, 1)
    dy, dx = _offset_tensors(radius, edge.device)
    col = pixel % width + dx
    inside = (pixel // width + dy < height) & (col >= 0) & (col < width)  # (D, h, w)
    return torch.where(inside, index, -1)


@functools.cache
def _paths(radius: float) -> Tensor:
    """Rows and columns (2, D, L) of the paths of all offsets; short ones end in their first pixel, (0, 0)."""
    paths = [line_pixels(dy, dx) for dy, dx in half_plane_offsets(radius)]
    length = max(map(len, paths), default=1)
    table = [[*path, *[(0, 0)] * (length - len(path))] for path in paths]
    return torch.tensor(table, dtype=torch.int64).view(-1, length, 2).permute(2, 0, 1)


def _offset_tensors(radius: float, device: torch.device) -> Tensor:
    """Offsets dy and dx, (2, D, 1, 1)."""
    offsets = torch.tensor(half_plane_offsets(radius), dtype=torch.int64).view(-1, 2, 1, 1)
    return offsets.transpose(0, 1).to(device)


def _walk_in_windows(maps: Tensor, weights: Tensor, radius: float, steps: int) -> Tensor:
    """:func:`_walk` in two launches a step; float64, as a pixel's own 1 is summed with tiny weights."""
    reach = math.ceil(radius) - 1
    windows = _window_weights(weights.double(), radius).unsqueeze(-5)
    here, there = (_with_windows(maps.double(), reach) for _ in range(2))
    ones = _with_windows(torch.ones_like(maps[..., :1, :, :], dtype=torch.float64), reach)
    windows /= (ones[1] * windows).sum(dim=(-2, -1), keepdim=True)
    products = torch.empty_like(here[1], memory_format=torch.contiguous_format)
    for _ in range(steps):
        torch.mul(here[1], windows, out=products)
        torch.sum(products, dim=(-2, -1), out=there[0])
        here, there = there, here
    return here[0]


def _with_windows(maps: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """A copy of maps (..., h, w), and the view of it, zero outside, (..., h, w, side, side)."""
    side = 2 * reach + 1
    padded = F.pad(maps, (reach,) * 4)
    inner = padded[..., reach : padded.shape[-2] - reach, reach : padded.shape[-1] - reach]
    return inner, padded.unfold(-2, side, 1).unfold(-2, side, 1)


def _window_weights(weights: Tensor, radius: float) -> Tensor:
    """Weights of the pairs (..., D, h, w) around every pixel: (..., h, w, side, side), its own is 1."""
    *batch, number, height, width = weights.shape
    reach = math.ceil(radius) - 1
    side = 2 * reach + 1
    middle = reach * side + reach
    windows = weights.new_zeros((*batch, height, width, side * side))
    windows[..., middle] = 1
    dy, dx = _offset_tensors(radius, weights.device)
    place = (dy * side + dx).view(number)
    windows[..., middle + place] = weights.movedim(-3, -1)
    # The pair that ends at a pixel is stored at its first one; one outside meets a zero of the map.
    pixel = torch.arange(height * width, device=weights.device).view(height, width)
    first = (pixel // width - dy).clamp(min=0) * width + (pixel % width - dx).clamp(0, width - 1)
    ending = weights.flatten(-2).gather(-1, first.flatten(1).expand(*batch, -1, -1))
    windows[..., middle - place] = ending.view_as(weights).movedim(-3, -1)
    return windows.view(*batch, height, width, side, side)


def _walk(maps: Tensor, weights: Tensor, radius: float, steps: int) -> Tensor:
    """``maps T^steps`` for (..., K, h, w) maps and the pairs' (..., D, h, w) weights."""
    offsets = half_plane_offsets(radius)
    ones = torch.ones_like(maps[..., :1, :, :])
    total = torch.zeros_like(ones)
    _add_neighbours(_moves(ones, total, weights, offsets))
    total += 1
    here, there = maps, torch.empty_like(maps)
    # Two buffers in turn: all views are made once, which halves the time of small images.
    forth = _moves(here, there, weights, offsets)
    back = _moves(there, here, weights, offsets)
    for _ in range(steps):
        # Neighbours first, the pixel itself last: where edges isolate a pixel the weights are
        # tiny next to its own 1, and adding them one by one to it would lose them.
        there.zero_()
        _add_neighbours(forth)
        there.add_(here).div_(total)
        here, there, forth, back = there, here, back, forth
    return here


def _moves(source: Tensor, target: Tensor, weights: Tensor, offsets: Offsets) -> list[Move]:
    """Views (where to add, weights, what to add) of both directions of every offset."""
    moves = []
    for d, dy, dx, rows, cols in _pairs_inside(offsets, *weights.shape[-2:]):
        first, second = (..., rows, cols), (..., _move(rows, dy), _move(cols, dx))
        pairs = weights[..., d : d + 1, rows, cols]  # (..., 1, h - dy, w - |dx|)
        moves.append((target[first], pairs, source[second]))
        moves.append((target[second], pairs, source[first]))
    return moves


def _add_neighbours(moves: list[Move]) -> None:
    for target, pairs, source in moves:
        target.addcmul_(pairs, source)


def _pairs_inside(
    offsets: Offsets, height: int, width: int
) -> Iterator[tuple[int, int, int, slice, slice]]:
    """Number, dy >= 0 and dx of every offset, rows and columns of its first pixels."""
    for d, (dy, dx) in enumerate(offsets):
        if dy < height and abs(dx) < width:
            yield d, dy, dx, slice(0, height - dy), slice(max(0, -dx), width - max(0, dx))


def _move(span: slice, by: int) -> slice:
    return slice(span.start + by, span.stop + by)

"""Time and memory of the random walk against squaring the dense transition matrix.

    python benchmarks/random_walk.py --out work_dirs/benchmarks/random_walk.json

Every form starts from the same edge map and class maps:

- ``stencil``: ``mmwsss.functional.propagate``, 2^8 sums of shifted, weighted maps;
- ``dense``: the (hw, hw) matrix, squared 8 times (only up to ``--dense-pixels``; it takes a minute);
- ``torch_csr``, ``scipy_csr`` (CPU only): 2^8 products of a sparse matrix in compressed rows.

Memory is what torch allocates; SciPy's is not seen. ``error`` is the largest difference to the walk in
float64.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial

import scipy.sparse
import torch
from common import peak_memory, ratio_of, time_together, write_json
from torch import Tensor

from mmwsss.functional.random_walk import half_plane_offsets, path_affinity, propagate

RADIUS, BETA, EXP_TIMES = 5, 10, 8
GRIDS = ((70, 94), (94, 125))
GOALS = {'dense_over_stencil': 100, 'dense_memory_over_stencil': 10, 'seconds_94x125': 1.0}


def scene(height: int, width: int, classes: int, device: str) -> tuple[Tensor, Tensor]:
    """Random maps and an edge map with closed boundaries around smooth regions."""
    torch.manual_seed(0)
    coarse = torch.rand(1, 1, height // 8 + 2, width // 8 + 2)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode='bicubic')[0, 0]
    edge = (1 - 12 * (smooth - 0.5).abs()).clamp(0, 1) + 0.02 * torch.rand(height, width)
    scores = torch.rand(classes, height, width)
    return scores.to(device), edge.clamp(0, 1).to(device)


def pair_entries(edge: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """First pixel, second pixel and weight of every pair, both ways, and of the diagonal."""
    height, width = edge.shape
    weights = path_affinity(edge, RADIUS) ** BETA
    pixel = torch.arange(height * width, device=edge.device).view(height, width)
    first, second, values = [pixel.flatten()], [pixel.flatten()], [torch.ones_like(edge).flatten()]
    for d, (dy, dx) in enumerate(half_plane_offsets(RADIUS)):
        rows, cols = slice(0, height - dy), slice(max(0, -dx), width - max(0, dx))
        here = pixel[rows, cols].flatten()
        there, weight = here + dy * width + dx, weights[d, rows, cols].flatten()
        first += [here, there]
        second += [there, here]
        values += [weight, weight]
    return torch.cat(first), torch.cat(second), torch.cat(values)


def dense(scores: Tensor, edge: Tensor, exp_times: int = EXP_TIMES) -> Tensor:
    """Square the dense matrix."""
    first, second, values = pair_entries(edge)
    matrix = torch.zeros(edge.numel(), edge.numel(), device=edge.device)
    matrix[first, second] = values
    matrix /= matrix.sum(0)
    for _ in range(exp_times):
        matrix = matrix @ matrix
    return ((scores * (1 - edge)).flatten(1) @ matrix).view_as(scores)


def torch_csr(scores: Tensor, edge: Tensor) -> Tensor:
    """Multiply with the sparse matrix of torch."""
    first, second, values = pair_entries(edge)
    size = (edge.numel(), edge.numel())
    total = torch.zeros(size[0], device=edge.device).index_add_(0, second, values)
    coo = torch.sparse_coo_tensor(torch.stack([second, first]), values / total[second], size)
    matrix = coo.coalesce().to_sparse_csr()
    maps = (scores * (1 - edge)).flatten(1).T.contiguous()
    for _ in range(2**EXP_TIMES):
        maps = matrix @ maps
    return maps.T.view_as(scores)


def scipy_csr(scores: Tensor, edge: Tensor) -> Tensor:
    """Multiply with the sparse matrix of SciPy."""
    first, second, values = (part.numpy() for part in pair_entries(edge))
    matrix = scipy.sparse.csr_matrix((values, (second, first)), (edge.numel(), edge.numel()))
    matrix = scipy.sparse.diags(1 / matrix.sum(axis=1).A1).astype('float32') @ matrix
    maps = (scores * (1 - edge)).flatten(1).T.contiguous().numpy()
    for _ in range(2**EXP_TIMES):
        maps = matrix @ maps
    return torch.from_numpy(maps.T.copy()).view_as(scores)


def measure(height: int, width: int, args: argparse.Namespace) -> dict:
    """All forms on one grid."""
    scores, edge = scene(height, width, args.classes, args.device)
    exact = propagate(scores.double(), edge.double())
    forms = {'stencil': propagate, 'torch_csr': torch_csr}
    if args.device == 'cpu':
        forms['scipy_csr'] = scipy_csr
    outputs = {}

    def keep(name: str) -> None:
        outputs[name] = forms[name](scores, edge)

    seconds = time_together({name: partial(keep, name) for name in forms}, args.repeats)
    baseline = dict.fromkeys(seconds, seconds['stencil'])
    memory = {
        n: peak_memory(partial(f, scores, edge)) for n, f in forms.items() if n != 'scipy_csr'
    }
    if height * width <= args.dense_pixels:
        forms['dense'] = dense
        pair = {name: partial(keep, name) for name in ('stencil', 'dense')}
        rounds = time_together(pair, args.dense_repeats, warmup=0)
        seconds['dense'], baseline['dense'] = rounds['dense'], rounds['stencil']
        # The second squaring holds as much as any later one.
        memory['dense'] = peak_memory(partial(dense, scores, edge, exp_times=2))
    result = {}
    for name in forms:
        error = (outputs[name].double() - exact).abs().max().item()
        result[name] = {
            'error': float(f'{error:.1e}'),
            'peak_bytes': memory.get(name),
            **ratio_of(seconds[name], baseline[name]),
        }
    if 'dense' in result:
        result['dense_over_stencil'] = result['dense']['ratio']
        result['dense_memory_over_stencil'] = round(memory['dense'] / memory['stencil'], 1)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/random_walk.json')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--classes', type=int, default=3)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--dense-repeats', type=int, default=1)
    parser.add_argument('--dense-pixels', type=int, default=70 * 94, help='largest dense grid')
    parser.add_argument('--grids', nargs='+', default=[f'{h}x{w}' for h, w in GRIDS])
    args = parser.parse_args()
    warnings.filterwarnings('ignore', message='Sparse')
    results = {'goals': GOALS}
    for grid in args.grids:
        height, width = (int(side) for side in grid.split('x'))
        results[grid] = measure(height, width, args)
    write_json(args.out, results)


if __name__ == '__main__':
    main()

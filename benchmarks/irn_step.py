"""Time and memory of a training step of IRNet, against the formulas as they stand.

    python benchmarks/irn_step.py --out work_dirs/benchmarks/irn_step.json

The networks are the same, random weights on random crops, forward and backward. ``plain`` lists the pixels of
every path, takes their edges by one index and the largest of each, and evaluates each logarithm and distance
for all pairs; like the authors' code it leaves out pairs that start closer than the radius to the left, right
or lower border, a quarter of them. ``losses``: the same without the network.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable

import torch
from common import peak_memory, ratio_of, time_together, write_json
from mmseg.registry import MODELS
from torch import Tensor

from mmwsss.functional import half_plane_offsets, irn_losses, line_pixels, resize_labels
from mmwsss.utils.config import load_config

CONFIG = 'configs/irn/irn_r50_voc.py'
Losses = Callable[..., dict[str, Tensor]]


class PlainLosses:
    """The four losses without the shortcuts, for one size of grid."""

    def __init__(self, height: int, width: int, radius: int) -> None:
        pixels = torch.arange(height * width).view(height, width)
        self.first = pixels[: height - radius, radius : width - radius].flatten()
        paths = defaultdict(list)
        for offset in half_plane_offsets(radius):
            steps = torch.tensor([y * width + x for y, x in line_pixels(*offset)])
            paths[len(steps)].append((offset, steps[:, None] + self.first))
        groups = [pair for length in sorted(paths) for pair in paths[length]]
        self.offsets = torch.tensor([offset for offset, _ in groups]).T.float()  # (2, D)
        self.second = torch.stack([self.first + dy * width + dx for (dy, dx), _ in groups])
        self.paths = [torch.stack([p for _, p in paths[length]]) for length in sorted(paths)]

    def __call__(
        self, edge: Tensor, displacement: Tensor, labels: Tensor, **unused: object
    ) -> dict[str, Tensor]:
        """Losses by name, as those of :func:`mmwsss.functional.irn_losses`."""
        flat = edge.flatten(1)
        affinity = 1 - torch.cat([flat[:, path].amax(2) for path in self.paths], 1)  # (N, D, P)
        one, two = labels.flatten(1)[:, None, self.first], labels.flatten(1)[:, self.second]
        known = (one != 255) & (two != 255)
        same = (one == two) & known
        bg, fg, other = (same & (one == 0), same & (one > 0), known & (one != two))
        positive = -torch.log(affinity + 1e-5)
        negative = -torch.log(1 + 1e-5 - affinity)
        moves = displacement.flatten(2)
        moves = moves[:, :, None, self.first] - moves[:, :, self.second]  # (N, 2, D, P)
        to_offset = (moves - self.offsets[None, :, :, None]).abs()

        def mean(values: Tensor, mask: Tensor) -> Tensor:
            return (values * mask).sum() / mask.sum().clamp(min=1)

        return {
            'loss_affinity_pos': (mean(positive, bg) + mean(positive, fg)) / 4,
            'loss_affinity_neg': mean(negative, other) / 2,
            'loss_displacement_fg': mean(to_offset.sum(1), fg) / 4,
            'loss_displacement_bg': mean(moves.abs().sum(1), bg) / 4,
        }


def make_labels(batch: int, size: int) -> Tensor:
    """Confident labels (N, H, W): a disc of a class, an undecided ring, background."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing='ij')
    labels = []
    for index in range(batch):
        centre = size * (0.4 + 0.2 * index / batch)
        distance = ((y - centre) ** 2 + (x - centre) ** 2).float().sqrt() / size
        label = torch.zeros(size, size, dtype=torch.long)
        label[distance < 0.28] = 255
        label[distance < 0.25] = index % 20 + 1
        labels.append(label)
    return torch.stack(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/irn_step.json')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cfg = load_config(CONFIG)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model).train().to(memory_format=torch.channels_last)
    images = torch.randn(args.batch, 3, args.size, args.size)
    images = images.to(memory_format=torch.channels_last)
    grid = (args.size // 4, args.size // 4)
    labels = resize_labels(make_labels(args.batch, args.size), grid)
    plain = PlainLosses(*grid, model.radius)

    def step(losses: Losses) -> dict[str, float]:
        model.zero_grad(set_to_none=True)
        edge, displacement = model.tensors(images)
        found = losses(edge.squeeze(1).sigmoid(), displacement, labels, radius=model.radius)
        sum(found.values()).backward()
        return {name: round(value.item(), 6) for name, value in found.items()}

    with torch.no_grad():
        edge, displacement = model.tensors(images)
    edge = edge.squeeze(1).sigmoid().requires_grad_()
    displacement.requires_grad_()

    def losses_alone(losses: Losses) -> None:
        sum(losses(edge, displacement, labels, radius=model.radius).values()).backward()

    works = {
        'ours': lambda: step(irn_losses),
        'plain': lambda: step(plain),
        'our losses': lambda: losses_alone(irn_losses),
        'plain losses': lambda: losses_alone(plain),
    }
    seconds = time_together(works, args.repeats)
    memory = {name: peak_memory(work) for name, work in works.items()}
    write_json(
        args.out,
        {
            'batch': args.batch,
            'losses': {'ours': step(irn_losses), 'plain': step(plain)},
            'step': ratio_of(seconds['plain'], seconds['ours']),
            'losses_alone': ratio_of(seconds['plain losses'], seconds['our losses']),
            'memory': round(memory['plain'] / memory['ours'], 3),
            'peak_MiB': {name: round(value / 2**20, 1) for name, value in memory.items()},
        },
    )


if __name__ == '__main__':
    main()

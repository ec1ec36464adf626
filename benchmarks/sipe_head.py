"""Time and memory of SIPE's head against the plain formulation and the correlation it cannot avoid.

    python benchmarks/sipe_head.py --out work_dirs/benchmarks/sipe_head.json

Parts measured, each on given features:

- ``similarity``: ``structure_similarity`` with gradients for both arguments;
- ``head``: general CAM, seeds, prototypes, IS-CAM and consistency loss from CAM logits, semantic and
  hierarchical features, forward and backward as in training (seeds need no gradient);
- ``module``: ``SIPEHead.loss`` as a whole, side convolutions included (training shape only).

Baselines in the same run: ``correlation``, the single product ``F^T F`` of all pixels with all pixels
(forward alone, and with its backward pass); ``plain``, the formulas written with broadcasting, as
(N, K + 1, hw, hw) and (N, K + 1, C, hw) tensors, its seeds without gradient as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from common import peak_memory, ratio_of, time_together, write_json
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.functional.cam import peak_normalize, with_background
from mmwsss.functional.sipe import (
    class_prototypes,
    locate_seeds,
    prototype_activation,
    structure_similarity,
)
from mmwsss.models.heads.sipe_head import SIPEHead

CASES = {
    'N16_K20_32x32_C2048': dict(batch=16, classes=20, size=32, channels=2048),
    'N1_K80_64x64_C2048': dict(batch=1, classes=80, size=64, channels=2048),
}
SMALL = {'N2_K3_8x8_C64': dict(batch=2, classes=3, size=8, channels=64)}
HIERARCHICAL = 768
GOAL_TIME, GOAL_MEMORY = 1.25, 0.4


class Scene:
    """Random inputs of one case."""

    def __init__(
        self, batch: int, classes: int, size: int, channels: int, device: str, dtype: torch.dtype
    ) -> None:
        torch.manual_seed(0)

        def leaf(c: int) -> Tensor:
            values = torch.randn(batch, c, size, size).relu().to(device, dtype)
            return values.requires_grad_()

        self.semantic, self.hierarchical, self.logits = (
            leaf(channels),
            leaf(HIERARCHICAL),
            leaf(classes),
        )
        labels = (torch.rand(batch, classes) < 2 / classes).to(device, torch.float32)
        labels[:, 0] = 1
        self.labels = labels
        present = torch.cat([torch.ones_like(labels[:, :1]), labels], 1)[:, :, None, None]
        self.valid = present.expand(-1, -1, size, size).contiguous()
        with torch.no_grad():
            self.scores = self.general_cam()
        self.scores.requires_grad_()

    def general_cam(self) -> Tensor:
        """Class scores with background (N, K + 1, h, w), as the head makes them."""
        return with_background(peak_normalize(self.logits.float())) * self.valid

    def backward(self, value: Tensor, gradient: Tensor | None = None) -> None:
        """Run the backward pass from ``value`` with fresh gradients at the leaves."""
        for leaf in (self.semantic, self.hierarchical, self.logits, self.scores):
            leaf.grad = None
        value.backward(gradient)


def correlation(scene: Scene) -> Tensor:
    flat = scene.semantic.flatten(2)
    return torch.bmm(flat.transpose(1, 2), flat)


def plain_similarity(features: Tensor, scores: Tensor) -> Tensor:
    unit = F.normalize(features.flatten(2), dim=1)
    structure = torch.bmm(unit.transpose(1, 2), unit).relu()[:, None]  # (N, 1, hw, hw)
    maps = scores.flatten(2)[:, :, None]  # (N, K + 1, 1, hw)
    inter = (structure * maps).sum(-1)
    union = structure.sum(-1) + maps.sum(-1) - inter
    return (inter / union.clamp(min=1e-5)).view_as(scores)


def plain_activation(seeds: Tensor, features: Tensor) -> Tensor:
    pixels = features.flatten(2)[:, None]  # (N, 1, C, hw)
    weights = seeds.flatten(2)[:, :, None]  # (N, K + 1, 1, hw)
    prototypes = (weights * pixels).mean(-1, keepdim=True)  # (N, K + 1, C, 1)
    return torch.cosine_similarity(pixels, prototypes, dim=2).relu().view_as(seeds)


def consistency(
    scene: Scene,
    similarity: Callable[[Tensor, Tensor], Tensor],
    activate: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    scores = scene.general_cam()
    with torch.no_grad():
        seeds = locate_seeds(similarity(scene.semantic, scores), scene.valid)
    return (scores - peak_normalize(activate(seeds, scene.hierarchical.float()))).abs().mean()


def our_activation(seeds: Tensor, features: Tensor) -> Tensor:
    return prototype_activation(class_prototypes(seeds, features), features)


def works_of(scene: Scene) -> dict[str, Callable[[], object]]:
    """Everything that is timed, by name."""

    def no_grad(function: Callable[..., Tensor], *args: object) -> Callable[[], object]:
        def work() -> None:
            with torch.no_grad():
                function(*args)

        return work

    def both(function: Callable[..., Tensor], *args: object) -> Callable[[], object]:
        return lambda: scene.backward(function(*args).float().sum())

    pair = (scene.semantic, scene.scores)
    pixels = scene.semantic[0, 0].numel()
    # A written-out gradient: that of sum() is one number with strides 0, which no product likes.
    gradient = torch.rand(len(scene.labels), pixels, pixels).to(scene.semantic)
    return {
        'correlation forward': no_grad(correlation, scene),
        'correlation forward+backward': lambda: scene.backward(correlation(scene), gradient),
        'similarity forward': no_grad(structure_similarity, *pair),
        'similarity forward+backward': both(structure_similarity, *pair),
        'plain similarity forward+backward': both(plain_similarity, *pair),
        'head forward+backward': both(consistency, scene, structure_similarity, our_activation),
        'plain head forward+backward': both(consistency, scene, plain_similarity, plain_activation),
    }


def measure_case(scene: Scene, repeats: int) -> dict:
    """Ratios of times and of peak memory for one case."""
    works = works_of(scene)
    seconds = time_together(works, repeats)
    memory = {name: peak_memory(work) for name, work in works.items()}
    pairs = [
        ('similarity forward', 'correlation forward'),
        ('similarity forward+backward', 'correlation forward+backward'),
        ('similarity forward+backward', 'plain similarity forward+backward'),
        ('head forward+backward', 'correlation forward'),
        ('head forward+backward', 'correlation forward+backward'),
        ('head forward+backward', 'plain head forward+backward'),
    ]
    times = {f'{a} / {b}': ratio_of(seconds[a], seconds[b]) for a, b in pairs}
    memories = {
        f'{part} / plain {part}': round(memory[part] / memory[f'plain {part}'], 4)
        for part in ('similarity forward+backward', 'head forward+backward')
    }
    return {
        'time': times,
        'memory': memories,
        'peak_MiB': {name: round(value / 2**20, 1) for name, value in memory.items()},
        'goals': {
            'head <= 1.25 x correlation, forward+backward': times[
                'head forward+backward / correlation forward+backward'
            ]['ratio']
            <= GOAL_TIME,
            'head <= 0.4 x plain peak memory': max(memories.values()) <= GOAL_MEMORY,
        },
    }


def measure_module(scene: Scene, repeats: int) -> dict:
    """The whole head of a ResNet-50: what it adds to its own convolutions."""
    size = scene.semantic.shape[2]
    device, dtype = scene.semantic.device, scene.semantic.dtype
    head = SIPEHead(num_classes=scene.labels.shape[1]).to(device, dtype)
    feats = [
        torch.randn(len(scene.labels), c, s, s, device=device, dtype=dtype).relu()
        for c, s in ((256, 4 * size), (512, 2 * size), (1024, size), (2048, size))
    ]
    feats[-1].requires_grad_()
    samples = []
    for label in scene.labels:
        sample = SegDataSample(metainfo=dict(valid_box=(0, 0, 16 * size, 16 * size)))
        sample.set_data(dict(gt_label=label))
        samples.append(sample)

    def whole() -> None:
        head.zero_grad(set_to_none=True)
        sum(head.loss(feats, samples, (16 * size, 16 * size)).values()).backward()

    def convolutions() -> None:
        head.zero_grad(set_to_none=True)
        outputs = [conv(f.detach()) for conv, f in zip(head.side_convs, feats)]
        total = sum(o.float().sum() for o in outputs)
        (total + head.classifier(feats[-1]).float().sum()).backward()

    seconds = time_together({'module': whole, 'convolutions': convolutions}, repeats)
    return {
        'loss and backward / its convolutions alone': ratio_of(
            seconds['module'], seconds['convolutions']
        ),
        'peak_MiB': round(peak_memory(whole) / 2**20, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/sipe_head.json')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1, help='threads of a CPU run')
    parser.add_argument('--dtype', default='float32', choices=['float32', 'bfloat16', 'float16'])
    parser.add_argument('--small', action='store_true', help='a tiny case, to try the script')
    parser.add_argument('--module', action='store_true', help='measure the whole module as well')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    results: dict = {'dtype': args.dtype}
    for name, case in (SMALL if args.small else CASES).items():
        scene = Scene(**case, device=device, dtype=getattr(torch, args.dtype))
        results[name] = measure_case(scene, args.repeats)
        if args.module and case['batch'] > 1:
            results[name]['module'] = measure_module(scene, args.repeats)
        del scene
    write_json(args.out, results)


if __name__ == '__main__':
    main()

"""Time and memory that RPNet's head adds to a training step, against a plain formulation.

    python benchmarks/rpnet_head.py --out work_dirs/benchmarks/rpnet_head.json

Each case is the model of a config on random images in groups of g, forward and backward pass:

- ``classifier``: the same backbone with a CAM head, the classifier alone;
- ``head``: ``RPNetHead`` with the config's settings, at one scale;
- ``plain``: the formulas as they stand: each block projected at every pixel, the cosine with all
  prototypes as one (N, P, C, hw) tensor, the weighted feature classified again.

All three run in turns in one process; the goal is that the head adds at most 15 % to the classifier.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from common import peak_memory, ratio_of, time_together, write_json
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional import gaussian_smooth
from mmwsss.models.heads.rpnet_head import RPNetHead
from mmwsss.utils.config import load_config

CASES = {
    'mobilenetv2_N16_288': dict(
        config='configs/rpnet/ablations/rpnet_mobilenetv2_vocmini_paper.py', batch=16, size=288
    ),
    'r50_N4_512': dict(config='configs/rpnet/ablations/rpnet_r50_voc_paper.py', batch=4, size=512),
}
SMALL = {'tiny_N4_64': dict(config='configs/rpnet/rpnet_tiny_demo.py', batch=4, size=64)}
GOAL_TIME = 1.15


@MODELS.register_module()
class PlainRPNetHead(RPNetHead):
    """The same losses without the shortcuts."""

    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Losses of both branches; the names are those of the parent."""
        labels = torch.stack([sample.gt_label for sample in data_samples])
        masks = self._training_masks(feats, data_samples, image_size)
        foreground = self._foreground_weight(feats, masks, data_samples[0].group_size)
        last = feats[self.in_index]
        logits, enhanced = self.classifier(last), self.classifier(foreground.to(last) * last)
        plain_map, other_map = (
            (a.float().relu() / (a.float().relu().amax((2, 3), keepdim=True) + 1e-5))
            * labels[:, :, None, None]
            for a in (logits, enhanced)
        )
        return {
            'loss_cls': self.classification_loss({'cam_logits': logits}, labels),
            'loss_cls_enhanced': self.classification_loss({'cam_logits': enhanced}, labels),
            'loss_consistency': 10 * F.mse_loss(plain_map, other_map),
        }

    def _foreground_weight(
        self, feats: Sequence[Tensor], masks: Sequence[Tensor], group_size: int
    ) -> Tensor:
        dense, own = {}, []
        for index, mask in zip(self.block_indices, masks):
            dims = (2, 3) if self.projection_peak == 'channel' else (1, 2, 3)
            peaks = feats[index].amax(dim=dims, keepdim=True).clamp(min=1e-5)
            scaled = (feats[index] / peaks).relu()
            dense[index] = self.projections[str(index)](scaled).float()
            area = mask.sum(dim=(2, 3)).clamp(min=1e-5)
            own.append((dense[index] * mask).sum(dim=(2, 3)) / area)
        groups = torch.stack(own, 1).view(len(masks[0]) // group_size, -1, own[0].shape[1])
        prototypes = groups.repeat_interleave(group_size, dim=0)[..., None, None]
        cosine = F.cosine_similarity(dense[self.in_index][:, None], prototypes, dim=2)
        return gaussian_smooth(cosine.amax(dim=1, keepdim=True), self.sigma, self.kernel_size)


def make_batch(batch: int, size: int, classes: int, group: int) -> tuple[Tensor, list]:
    """Random images with random labels, whole groups, no padding."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, size, size, generator=generator)
    samples = []
    for number in range(batch):
        label = (torch.rand(classes, generator=generator) < 2 / classes).float()
        label[0] = 1
        meta = dict(
            valid_box=(0, 0, size, size),
            group_size=group,
            group_index=number // group,
            noise_seed=number,
        )
        sample = SegDataSample(metainfo=meta)
        sample.gt_label = label
        samples.append(sample)
    return images, samples


def make_model(config: str, head: str) -> nn.Module:
    """The config's model with that head and random weights."""
    cfg = load_config(config)
    cfg.model.backbone.init_cfg = None
    if head == 'CAMHead':
        kept = ('num_classes', 'in_channels')
        cfg.model.head = {'type': head, **{key: cfg.model.head[key] for key in kept}}
    else:
        cfg.model.head.update(type=head, consistency_scales=(1.0,))
    torch.manual_seed(0)
    return MODELS.build(cfg.model).train()


@torch.no_grad()
def calibrate(model: nn.Module, images: Tensor) -> None:
    """Give frozen batch-norm layers the statistics of the images; else random weights let them fade."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    model.extract_feat(images)
    model.train()


def step_of(
    head: str, case: dict, group: int, device: str, dtype: torch.dtype
) -> Callable[[], dict[str, float]]:
    """A forward and backward pass that returns its losses."""
    model = make_model(case['config'], head).to(device, memory_format=torch.channels_last)
    images, samples = make_batch(case['batch'], case['size'], model.head.num_classes, group)
    images = images.to(device, memory_format=torch.channels_last)
    samples = [sample.to(device) for sample in samples]
    calibrate(model, images)

    def step() -> dict[str, float]:
        model.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            losses = model(images, samples, mode='loss')
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        return {name: round(value.item(), 6) for name, value in losses.items()}

    return step


def measure_case(case: dict, args: argparse.Namespace, device: str) -> dict:
    """Ratios of times and of peak memory for one case."""
    dtype = getattr(torch, args.dtype)
    heads = {'classifier': 'CAMHead', 'head': 'RPNetHead', 'plain': 'PlainRPNetHead'}
    steps = {name: step_of(head, case, args.group, device, dtype) for name, head in heads.items()}
    losses = {name: step() for name, step in steps.items()}
    seconds = time_together(steps, args.repeats)
    memory = {name: peak_memory(step) for name, step in steps.items()}
    pairs = [('head', 'classifier'), ('plain', 'classifier'), ('head', 'plain')]
    times = {f'{a} / {b}': ratio_of(seconds[a], seconds[b]) for a, b in pairs}
    return {
        'group_size': args.group,
        'losses': losses,
        'time': times,
        'memory': {f'{a} / {b}': round(memory[a] / memory[b], 4) for a, b in pairs},
        'peak_MiB': {name: round(value / 2**20, 1) for name, value in memory.items()},
        'goals': {
            'head <= 1.15 x classifier': times['head / classifier']['ratio'] <= GOAL_TIME,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/rpnet_head.json')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1, help='threads of a CPU run')
    parser.add_argument('--dtype', default='float32', choices=['float32', 'bfloat16'])
    parser.add_argument('--group', type=int, default=2, help='images in a group')
    parser.add_argument('--small', action='store_true', help='a tiny case, to try the script')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    results: dict = {'dtype': args.dtype}
    for name, case in (SMALL if args.small else CASES).items():
        results[name] = measure_case(case, args, device)
    write_json(args.out, results)


if __name__ == '__main__':
    main()

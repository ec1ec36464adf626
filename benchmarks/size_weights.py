"""Time of the size weights against a plain loop and against a DeepLabV2 training step.

    python benchmarks/size_weights.py --out work_dirs/benchmarks/size_weights.json

Masks are 321 x 321 with the scenes of ``ia_miou.py``, ten to a batch as DeepLabV2 trains. ``plain`` labels
the components of each class by SciPy and writes each weight through a boolean mask. ``--step`` also times a
training step (forward, backward) of a DeepLabV2-style ResNet-101 on ``--step-batch`` such crops and states
the share that the weights add. Goals: at most 3 ms per mask, at most 3 % of the step.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from common import peak_memory, time_ratio, write_json
from ia_miou import scene
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from scipy import ndimage

from mmwsss.functional.size_weights import size_weights

CROP = (321, 321)
TAU = 10.0


def plain_size_weights(labels: np.ndarray, tau: float) -> np.ndarray:
    """The formula with one boolean mask per component."""
    weights = np.ones(labels.shape, dtype=np.float32)
    for image, out in zip(labels, weights):
        for c in np.unique(image):
            if c in (0, 255):
                out[image == c] = 0 if c == 255 else 1
                continue
            blobs, count = ndimage.label(image == c, structure=np.ones((3, 3)))
            for j in range(1, count + 1):
                out[blobs == j] = min(tau, (image == c).sum() / (blobs == j).sum())
    return weights


def training_step(batch: int):
    """Forward and backward of a ResNet-101 at output stride 8 with DeepLabV2's four branches."""
    register_all_modules()
    backbone = MODELS.build(
        dict(
            type='ResNetV1c',
            depth=101,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
            norm_cfg=dict(type='BN', requires_grad=True),
            norm_eval=True,
        )
    )
    head = torch.nn.ModuleList(
        torch.nn.Conv2d(2048, 21, 3, padding=rate, dilation=rate) for rate in (6, 12, 18, 24)
    )
    images = torch.randn(batch, 3, *CROP)
    labels = torch.zeros(batch, *CROP, dtype=torch.long)

    def step() -> None:
        features = backbone(images)[-1]
        logits = sum(branch(features) for branch in head)
        logits = torch.nn.functional.interpolate(logits, CROP, mode='bilinear')
        torch.nn.functional.cross_entropy(logits, labels).backward()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/size_weights.json')
    parser.add_argument('--batch', type=int, default=10)
    parser.add_argument('--repeats', type=int, default=10)
    parser.add_argument('--step', action='store_true', help='time a training step as well')
    parser.add_argument('--step-batch', type=int, default=1)
    args = parser.parse_args()
    labels = torch.from_numpy(np.stack([scene(n, CROP)[1] for n in range(args.batch)])).long()
    if not np.allclose(size_weights(labels, TAU), plain_size_weights(labels.numpy(), TAU)):
        raise RuntimeError('size_weights and the plain loop differ')
    against = time_ratio(
        lambda: plain_size_weights(labels.numpy(), TAU),
        lambda: size_weights(labels, TAU),
        repeats=args.repeats,
    )
    results = {
        'plain_over_ours': against,
        'milliseconds_per_mask': {
            'median': round(1e3 * against['baseline_seconds'] / args.batch, 3),
            'goal': '<= 3',
        },
        'torch_peak_bytes_per_mask': peak_memory(lambda: size_weights(labels, TAU)) // args.batch,
    }
    if args.step:
        few = labels[: args.step_batch]
        share = time_ratio(lambda: size_weights(few, TAU), training_step(args.step_batch), 3)
        results['share_of_training_step'] = {**share, 'batch': args.step_batch, 'goal': '<= 0.03'}
    write_json(args.out, results)


if __name__ == '__main__':
    main()

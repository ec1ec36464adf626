"""Inference of the released networks on weights under their released names, step by step in float64.

Convolutions, norms and pooling are PyTorch's functions; everything after them is a plain loop.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tests.oracles import sipe

__all__ = ['cam_maps', 'irnet_outputs', 'sipe_maps', 'stages']

State = dict[str, Tensor]
STRIDES = (1, 2, 2, 1)


def stages(state: State, images: Tensor) -> list[Tensor]:
    """Outputs of the pooled stem and of the four layers of ``resnet50``, output stride 16."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f'resnet50.{name}.weight'].double()
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            state[f'resnet50.{name}.{entry}'].double().view(-1, 1, 1)
            for entry in ('running_mean', 'running_var', 'weight', 'bias')
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    x = norm(conv(images, 'conv1', 2), 'bn1').relu()
    outputs = [F.max_pool2d(x, 3, stride=2, padding=1)]
    for layer, stride in enumerate(STRIDES, start=1):
        x = outputs[-1]
        block = 0
        while f'resnet50.layer{layer}.{block}.conv1.weight' in state:
            at = f'layer{layer}.{block}'
            first = stride if block == 0 else 1
            y = norm(conv(x, f'{at}.conv1'), f'{at}.bn1').relu()
            y = norm(conv(y, f'{at}.conv2', first), f'{at}.bn2').relu()
            y = norm(conv(y, f'{at}.conv3'), f'{at}.bn3')
            if block == 0:
                x = norm(conv(x, f'{at}.downsample.0', first), f'{at}.downsample.1')
            x = (x + y).relu()
            block += 1
        outputs.append(x)
    return outputs


def views(picture: np.ndarray, scales: tuple[float, ...], mean: float, std: float) -> list[Tensor]:
    """Per scale the image, resized by PIL as uint8 and then normalised, and its mirror."""
    pairs = []
    for scale in scales:
        resized = picture
        if scale != 1:
            size = [int(np.round(side * scale)) for side in picture.shape[:2]]
            image = Image.fromarray(picture).resize(size[::-1], Image.Resampling.BICUBIC)
            resized = np.asarray(image)
        normal = (resized.astype(np.float64) - mean) / std
        image = torch.from_numpy(normal).permute(2, 0, 1)
        pairs.append(torch.stack([image, image.flip(-1)]))
    return pairs


def sipe_maps(
    state: State, picture: np.ndarray, label: list[int], scales: tuple[float, ...], norm: tuple
) -> np.ndarray:
    """IS-CAMs (K + 1, H, W) of all classes: absent ones compete for seeds and then have none."""
    total = 0.0
    for pair in views(picture, scales, *norm):
        feats = stages(state, pair)[1:]
        cam = F.conv2d(feats[3], state['classifier.weight'].double())
        sides = []
        for i, feat in enumerate(feats, start=1):
            side = F.conv2d(feat, state[f'side{i}.weight'].double())
            side = side / (side.norm(dim=1, keepdim=True) + 1e-5)
            size = feats[2].shape[2:]
            sides.append(F.interpolate(side, size=size, mode='bilinear', align_corners=False))
        both = torch.cat(sides, dim=1)
        hierarchical = (both[0] + both[1].flip(-1)).numpy()
        scores = sipe.peak_normalize((cam[0] + cam[1].flip(-1)).numpy())
        scores = np.concatenate([1 - scores.max(axis=0, keepdims=True), scores])
        scores = sipe.resize(scores, hierarchical.shape[1:], align_corners=True)
        valid = np.zeros(scores.shape)
        for k in range(len(scores)):
            valid[k] = 1 if k == 0 or label[k - 1] else 0
        similarity = sipe.structure_similarity(hierarchical, scores)
        seeds = sipe.locate_seeds(similarity, valid, 0.5)
        activation = sipe.prototype_activation(sipe.prototypes(seeds, hierarchical), hierarchical)
        total = total + sipe.resize(activation, picture.shape[:2], align_corners=False)
    return np.stack([one / (one.max() + 1e-5) for one in total])


def cam_maps(
    state: State, picture: np.ndarray, label: list[int], scales: tuple[float, ...], norm: tuple
) -> np.ndarray:
    """CAMs (K, H, W), zero for absent classes; each view is rectified before the two are summed."""
    total = 0.0
    for pair in views(picture, scales, *norm):
        cam = F.conv2d(stages(state, pair)[4], state['classifier.weight'].double()).numpy()
        rectified = np.maximum(cam[0], 0) + np.maximum(cam[1], 0)[:, :, ::-1]
        total = total + sipe.resize(rectified, picture.shape[:2], align_corners=False)
    return np.stack([m / (m.max() + 1e-5) if here else 0 * m for m, here in zip(total, label)])


def irnet_outputs(state: State, image: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Edge logits (1, 1, h, w) and displacement (1, 2, h, w) of a normalised image (1, 3, H, W).

    Every unit is a 1x1 convolution and a GroupNorm, then the upsampling, then the ReLU; what the
    upsampling makes too large is cut off.
    """

    def unit(x: Tensor, name: str, factor: int = 1, like: Tensor | None = None) -> Tensor:
        x = F.conv2d(x, state[f'{name}.0.weight'].double())
        n, c, h, w = x.shape
        grouped = x.view(n, groups, -1)
        deviation = grouped.var(dim=2, unbiased=False, keepdim=True) + 1e-5
        x = ((grouped - grouped.mean(dim=2, keepdim=True)) / deviation.sqrt()).view(n, c, h, w)
        weight, bias = (state[f'{name}.1.{kind}'].double() for kind in ('weight', 'bias'))
        x = x * weight.view(-1, 1, 1) + bias.view(-1, 1, 1)
        if factor > 1:
            x = F.interpolate(x, scale_factor=factor, mode='bilinear', align_corners=False)
        return x.relu() if like is None else x.relu()[..., : like.shape[2], : like.shape[3]]

    x1, x2, x3, x4, x5 = stages(state, image)
    edges = [unit(x1, 'fc_edge1'), unit(x2, 'fc_edge2')]
    for i, (x, factor) in enumerate(((x3, 2), (x4, 4), (x5, 4)), start=3):
        edges.append(unit(x, f'fc_edge{i}', factor, like=edges[1]))
    edge = F.conv2d(
        torch.cat(edges, dim=1), state['fc_edge6.weight'].double(), state['fc_edge6.bias'].double()
    )
    dp1, dp2, dp3 = unit(x1, 'fc_dp1'), unit(x2, 'fc_dp2'), unit(x3, 'fc_dp3')
    dp4, dp5 = unit(x4, 'fc_dp4', 2, like=dp3), unit(x5, 'fc_dp5', 2, like=dp3)
    deep = unit(torch.cat([dp3, dp4, dp5], dim=1), 'fc_dp6', 2, like=dp2)
    joined = unit(torch.cat([dp1, dp2, deep], dim=1), 'fc_dp7')
    field = F.conv2d(joined, state['fc_dp7.3.weight'].double())
    return edge, field - state['mean_shift.running_mean'].double().view(1, 2, 1, 1)

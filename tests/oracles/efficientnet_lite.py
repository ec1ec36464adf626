"""EfficientNet-Lite as a list of its blocks: shapes, padding and a plain forward pass from the weights."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Blocks and output channels of each stage, as published for each variant.
BLOCKS = {
    0: (1, 2, 2, 3, 3, 4, 1),
    1: (1, 3, 3, 4, 4, 5, 1),
    2: (1, 3, 3, 4, 4, 5, 1),
    3: (1, 3, 3, 5, 5, 6, 1),
    4: (1, 4, 4, 6, 6, 8, 1),
}
CHANNELS = {
    0: (16, 24, 40, 80, 112, 192, 320),
    1: (16, 24, 40, 80, 112, 192, 320),
    2: (16, 24, 48, 88, 120, 208, 352),
    3: (24, 32, 48, 96, 136, 232, 384),
    4: (24, 32, 56, 112, 160, 272, 448),
}
KERNELS = (3, 3, 5, 3, 5, 5, 3)
STRIDES = (1, 2, 2, 2, 1, 2, 1)


def layer_shapes(variant: int) -> dict[str, tuple[int, ...]]:
    """Every convolution's (out, in, k, k) and every norm's (channels,), by timm's names."""
    shapes: dict[str, tuple[int, ...]] = {'conv_stem': (32, 3, 3, 3), 'bn1': (32,)}
    inside = 32
    for stage in range(7):
        kernel = KERNELS[stage]
        for block in range(BLOCKS[variant][stage]):
            name, outside = f'blocks.{stage}.{block}', CHANNELS[variant][stage]
            if stage == 0:
                shapes[f'{name}.conv_dw'] = (inside, 1, kernel, kernel)
                shapes[f'{name}.bn1'] = (inside,)
                shapes[f'{name}.conv_pw'] = (outside, inside, 1, 1)
                shapes[f'{name}.bn2'] = (outside,)
            else:
                middle = 6 * inside
                shapes[f'{name}.conv_pw'] = (middle, inside, 1, 1)
                shapes[f'{name}.bn1'] = (middle,)
                shapes[f'{name}.conv_dw'] = (middle, 1, kernel, kernel)
                shapes[f'{name}.bn2'] = (middle,)
                shapes[f'{name}.conv_pwl'] = (outside, middle, 1, 1)
                shapes[f'{name}.bn3'] = (outside,)
            inside = outside
    return shapes


def same_conv(x: Tensor, weight: Tensor, stride: int, dilation: int, groups: int) -> Tensor:
    """A convolution under TensorFlow's SAME: ceil(side / stride) outputs, the odd zero at the end."""
    reach = dilation * (weight.shape[2] - 1) + 1
    before, after = [], []
    for side in x.shape[2:]:
        zeros = max(0, (math.ceil(side / stride) - 1) * stride + reach - side)
        before.append(zeros // 2)
        after.append(zeros - zeros // 2)
    padded = x.new_zeros(
        *x.shape[:2], x.shape[2] + before[0] + after[0], x.shape[3] + before[1] + after[1]
    )
    padded[:, :, before[0] : before[0] + x.shape[2], before[1] : before[1] + x.shape[3]] = x
    return F.conv2d(padded, weight, None, stride, 0, dilation, groups)


def norm(x: Tensor, state: dict[str, Tensor], layer: str) -> Tensor:
    """A batch norm's stored statistics, eps 1e-3."""
    mean, variance = state[f'{layer}.running_mean'], state[f'{layer}.running_var']
    scale, shift = state[f'{layer}.weight'], state[f'{layer}.bias']
    columns = (slice(None), None, None)
    return (x - mean[columns]) / torch.sqrt(variance + 1e-3)[columns] * scale[columns] + shift[
        columns
    ]


def forward(
    state: dict[str, Tensor],
    images: Tensor,
    variant: int,
    output_stride: int = 32,
    dilated: bool = True,
) -> list[Tensor]:
    """Outputs of the seven stages in evaluation mode, from weights with timm's names.

    Beyond ``output_stride`` a stage keeps its input's size. What comes after the first filter that
    would have skipped pixels then steps over as many (``dilated``).
    """
    x = norm(same_conv(images, state['conv_stem.weight'], 2, 1, 1), state, 'bn1').clamp(0, 6)
    outputs, total, dilation = [], 2, 1
    for stage in range(7):
        for block in range(BLOCKS[variant][stage]):
            name, start, groups = f'blocks.{stage}.{block}', x, x.shape[1]
            stride = STRIDES[stage] if block == 0 else 1
            skipped = stride if total * stride > output_stride else 1
            stride = 1 if skipped > 1 else stride
            total *= stride
            if stage == 0:
                x = same_conv(x, state[f'{name}.conv_dw.weight'], stride, dilation, groups)
                x = norm(x, state, f'{name}.bn1').clamp(0, 6)
                x = norm(F.conv2d(x, state[f'{name}.conv_pw.weight']), state, f'{name}.bn2')
            else:
                x = F.conv2d(x, state[f'{name}.conv_pw.weight'])
                x = norm(x, state, f'{name}.bn1').clamp(0, 6)
                x = same_conv(x, state[f'{name}.conv_dw.weight'], stride, dilation, 6 * groups)
                x = norm(x, state, f'{name}.bn2').clamp(0, 6)
                x = norm(F.conv2d(x, state[f'{name}.conv_pwl.weight']), state, f'{name}.bn3')
            if dilated:
                dilation *= skipped
            if block > 0:
                x = x + start
        outputs.append(x)
    return outputs


def logits(state: dict[str, Tensor], last: Tensor) -> Tensor:
    """ImageNet's 1000 logits from the output of the last stage."""
    x = norm(F.conv2d(last, state['conv_head.weight']), state, 'bn2').clamp(0, 6)
    return F.linear(x.mean(dim=(2, 3)), state['classifier.weight'], state['classifier.bias'])

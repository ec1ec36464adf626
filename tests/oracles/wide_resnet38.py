"""WideResNet-38 from the table of its blocks: layer names and shapes, parameter count, plain forward."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Block: inner width, output width, downsamples (3x3 blocks). Widths of the published net.
PLAIN = {
    'b2': (128, 128, True),
    'b2_1': (128, 128, False),
    'b2_2': (128, 128, False),
    'b3': (256, 256, True),
    'b3_1': (256, 256, False),
    'b3_2': (256, 256, False),
    'b4': (512, 512, True),
    'b4_1': (512, 512, False),
    'b4_2': (512, 512, False),
    'b4_3': (512, 512, False),
    'b4_4': (512, 512, False),
    'b4_5': (512, 512, False),
    'b5': (512, 1024, None),
    'b5_1': (512, 1024, False),
    'b5_2': (512, 1024, False),
}
BOTTLENECKS = {'b6': (512, 1024, 2048), 'b7': (1024, 2048, 4096)}
LAST_OF_STAGE = ('b2_2', 'b3_2', 'b4_5', 'b5_2', 'b6', 'b7')


def layer_shapes() -> dict[str, tuple[int, ...]]:
    """Every convolution's (out, in, k, k) and every norm's (channels,), by the public names."""
    shapes: dict[str, tuple[int, ...]] = {'conv1a': (64, 3, 3, 3)}
    inside = 64
    for name, (middle, outside, _) in PLAIN.items():
        shapes[f'{name}.bn_branch2a'] = (inside,)
        shapes[f'{name}.conv_branch2a'] = (middle, inside, 3, 3)
        shapes[f'{name}.bn_branch2b1'] = (middle,)
        shapes[f'{name}.conv_branch2b1'] = (outside, middle, 3, 3)
        if '_' not in name:
            shapes[f'{name}.conv_branch1'] = (outside, inside, 1, 1)
        inside = outside
    for name, (first, second, outside) in BOTTLENECKS.items():
        shapes[f'{name}.bn_branch2a'] = (inside,)
        shapes[f'{name}.conv_branch2a'] = (first, inside, 1, 1)
        shapes[f'{name}.bn_branch2b1'] = (first,)
        shapes[f'{name}.conv_branch2b1'] = (second, first, 3, 3)
        shapes[f'{name}.bn_branch2b2'] = (second,)
        shapes[f'{name}.conv_branch2b2'] = (outside, second, 1, 1)
        shapes[f'{name}.conv_branch1'] = (outside, inside, 1, 1)
        inside = outside
    shapes['bn7'] = (inside,)
    return shapes


def parameter_count() -> int:
    """Weights of the convolutions, and two numbers a channel of each norm."""
    total = 0
    for shape in layer_shapes().values():
        size = 1
        for side in shape:
            size *= side
        total += 2 * size if len(shape) == 1 else size
    return total


def forward(state: dict[str, Tensor], images: Tensor, output_stride: int) -> list[Tensor]:
    """Outputs of all six stages in evaluation mode, from the weights alone."""

    def norm(x: Tensor, layer: str) -> Tensor:
        scale = state[f'{layer}.weight'] / (state[f'{layer}.running_var'] + 1e-5).sqrt()
        shift = state[f'{layer}.bias'] - state[f'{layer}.running_mean'] * scale
        return torch.relu(x * scale[:, None, None] + shift[:, None, None])

    def conv(x: Tensor, layer: str, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = state[f'{layer}.weight']
        padding = dilation if weight.shape[2] == 3 else 0
        return F.conv2d(x, weight, None, stride, padding, dilation)

    x = conv(images, 'conv1a')
    sums = {}
    for name, (_, _, downsample) in PLAIN.items():
        stride = 2 if downsample or (name == 'b5' and output_stride == 16) else 1
        dilation = 2 if name.startswith('b5') and output_stride == 8 else 1
        start = norm(x, f'{name}.bn_branch2a')
        y = conv(start, f'{name}.conv_branch2a', stride, 1 if name == 'b5' else dilation)
        y = conv(norm(y, f'{name}.bn_branch2b1'), f'{name}.conv_branch2b1', 1, dilation)
        x = y + (conv(start, f'{name}.conv_branch1', stride) if '_' not in name else x)
        sums[name] = x
    for name in BOTTLENECKS:
        start = norm(x, f'{name}.bn_branch2a')
        y = norm(conv(start, f'{name}.conv_branch2a'), f'{name}.bn_branch2b1')
        y = conv(y, f'{name}.conv_branch2b1', 1, 4 if output_stride == 8 else 2)
        y = conv(norm(y, f'{name}.bn_branch2b2'), f'{name}.conv_branch2b2')
        x = y + conv(start, f'{name}.conv_branch1')
        sums[name] = x
    following = ('b3', 'b4', 'b5', 'b6', 'b7')
    outputs = [norm(sums[s], f'{n}.bn_branch2a') for s, n in zip(LAST_OF_STAGE, following)]
    return [*outputs, norm(x, 'bn7')]

"""WideResNet-38, the second usual backbone of weakly supervised segmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmwsss.functional.checks import check_ascending, check_choice, check_range

__all__ = ['WideResNet38']

# Stage: name, number of blocks, inner width, output width at width=1.
_STAGES = (
    ('b2', 3, 128, 128),
    ('b3', 3, 256, 256),
    ('b4', 6, 512, 512),
    ('b5', 3, 512, 1024),
)
_BOTTLENECKS = (('b6', 2048), ('b7', 4096))
# Output stride: stride of b5, dilation of b5, dilation of b6 and b7.
_PLANS = {8: (1, 2, 4), 16: (2, 1, 2)}


@MODELS.register_module()
class WideResNet38(BaseModule):
    """Model A1 of Wu et al. [1]_ without its classifier: a wide residual net with pre-activation.

    A 3x3 convolution to 64 channels, then six stages. Modules have the names of the public weights
    (``conv1a``, ``b2``, ``b2_1`` ... ``b7``, ``bn7``).

    | output | stage | channels | stride (of 8 / of 16) | dilation (of 8 / of 16) |
    |---|---|---|---|---|
    | 0 | ``b2`` | 128 | 2 | 1 |
    | 1 | ``b3`` | 256 | 4 | 1 |
    | 2 | ``b4`` | 512 | 8 | 1 |
    | 3 | ``b5`` | 1024 | 8 / 16 | 2 / 1; its first convolution 1 |
    | 4 | ``b6`` | 2048 | 8 / 16 | 4 / 2 |
    | 5 | ``b7`` | 4096 | 8 / 16 | 4 / 2 |

    The blocks add *unnormalised* sums; a stage's output is its sum after the next batch norm and ReLU.

    Args:
        output_stride: 8 (as published) or 16 (a quarter of the pixels in the last stages). The
            weights are the same.
        out_indices: Stages that are returned, ascending, see the table.
        dropout: Probabilities of dropping channels inside ``b6`` and ``b7``, before their second and
            third convolution; none in ``eval`` mode.
        width: Factor on all channel counts; 1 is the published net.
        init_cfg: MMEngine initialisation; Kaiming (fan-out) if None.

    Raises:
        ValueError: An argument is out of its range.

    References:
        .. [1] Wu, Shen, van den Hengel: Wider or Deeper: Revisiting the ResNet Model for Visual
           Recognition, 2016 (arXiv:1611.10080); the strides and dilations are those of its
           segmentation model and of the weakly supervised literature.
    """

    def __init__(
        self,
        output_stride: int = 8,
        out_indices: Sequence[int] = (1, 2, 3, 5),
        dropout: Sequence[float] = (0.3, 0.5),
        width: float = 1.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if init_cfg is None:
            init_cfg = dict(type='Kaiming', layer='Conv2d')
        super().__init__(init_cfg=init_cfg)
        check_choice('output_stride', output_stride, tuple(_PLANS))
        check_range('width', width, '(0, inf)')
        check_range(
            'number of dropout', len(dropout), f'[{len(_BOTTLENECKS)}, {len(_BOTTLENECKS)}]'
        )
        check_ascending('out_indices', out_indices, len(_STAGES) + len(_BOTTLENECKS))
        self.out_indices = tuple(out_indices)
        stride, dilation, last_dilation = _PLANS[output_stride]

        def channels(count: int) -> int:
            return max(4, int(count * width) // 4 * 4)

        inside = channels(64)
        self.conv1a = _conv(3, inside, 3)
        self.stages: list[list[str]] = []
        for name, count, middle, outside in _STAGES:
            first = dict(stride=2) if name != 'b5' else dict(stride=stride, dilation=dilation)
            first['first_dilation'] = 1
            block = _Block(inside, channels(middle), channels(outside), **first)
            inside, rate = channels(outside), dilation if name == 'b5' else 1
            others = [
                _Block(inside, channels(middle), inside, dilation=rate) for _ in range(count - 1)
            ]
            self._add_stage(name, block, *others)
        for (name, outside), drop in zip(_BOTTLENECKS, dropout):
            self._add_stage(name, _Bottleneck(inside, channels(outside), last_dilation, drop))
            inside = channels(outside)
        self.bn7 = nn.BatchNorm2d(inside)

    def _add_stage(self, name: str, *blocks: nn.Module) -> None:
        self.stages.append([name, *(f'{name}_{i}' for i in range(1, len(blocks)))])
        for block_name, block in zip(self.stages[-1], blocks):
            self.add_module(block_name, block)

    def _blocks(self) -> Iterator[tuple[int, Any]]:
        """Blocks in order, each with the stage whose output its norm completes, or -1."""
        for index, names in enumerate(self.stages):
            for position, name in enumerate(names):
                yield (index - 1 if position == 0 else -1), getattr(self, name)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute (N, C, ceil(H / stride), ceil(W / stride)) per stage in ``out_indices``.

        Args:
            images: (N, 3, H, W), normalised; any size.
        """
        x = self.conv1a(images)
        outputs = []
        for completed, block in self._blocks():
            activated = F.relu(block.bn_branch2a(x))
            if completed in self.out_indices:
                outputs.append(activated)
            x = block(x, activated)
        if len(self.stages) - 1 in self.out_indices:
            outputs.append(F.relu(self.bn7(x)))
        return tuple(outputs)


def _conv(inside: int, outside: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = kernel // 2 * dilation
    return nn.Conv2d(inside, outside, kernel, stride, padding, dilation, bias=False)


class _Block(nn.Module):
    """BN-ReLU-3x3-BN-ReLU-3x3 and a shortcut, 1x1 after the first BN-ReLU where shapes change.

    The first BN-ReLU is applied by the caller, which may return it as an output.
    """

    def __init__(
        self,
        inside: int,
        middle: int,
        outside: int,
        stride: int = 1,
        dilation: int = 1,
        first_dilation: int | None = None,
    ) -> None:
        super().__init__()
        first = dilation if first_dilation is None else first_dilation
        self.bn_branch2a = nn.BatchNorm2d(inside)
        self.conv_branch2a = _conv(inside, middle, 3, stride, first)
        self.bn_branch2b1 = nn.BatchNorm2d(middle)
        self.conv_branch2b1 = _conv(middle, outside, 3, 1, dilation)
        self.conv_branch1 = None
        if inside != outside or stride != 1:
            self.conv_branch1 = _conv(inside, outside, 1, stride)

    def forward(self, x: Tensor, activated: Tensor) -> Tensor:
        shortcut = x if self.conv_branch1 is None else self.conv_branch1(activated)
        y = F.relu(self.bn_branch2b1(self.conv_branch2a(activated)))
        return shortcut + self.conv_branch2b1(y)


class _Bottleneck(nn.Module):
    """1x1 (a quarter of the width), dilated 3x3 (half), 1x1, with channel dropout; 1x1 shortcut."""

    def __init__(self, inside: int, outside: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(inside)
        self.conv_branch2a = _conv(inside, outside // 4, 1)
        self.bn_branch2b1 = nn.BatchNorm2d(outside // 4)
        self.conv_branch2b1 = _conv(outside // 4, outside // 2, 3, 1, dilation)
        self.bn_branch2b2 = nn.BatchNorm2d(outside // 2)
        self.conv_branch2b2 = _conv(outside // 2, outside, 1)
        self.conv_branch1 = _conv(inside, outside, 1)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor, activated: Tensor) -> Tensor:
        y = F.relu(self.bn_branch2b1(self.conv_branch2a(activated)))
        y = F.relu(self.bn_branch2b2(self.conv_branch2b1(self.dropout(y))))
        return self.conv_branch1(activated) + self.conv_branch2b2(self.dropout(y))

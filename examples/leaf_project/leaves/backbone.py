"""The project's backbone."""

from __future__ import annotations

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

__all__ = ['LeafNet']


@MODELS.register_module()
class LeafNet(BaseModule):
    """Four convolutions; returns the features at strides 2, 4, 8 and 8.

    Args:
        width: Channels of the first output; each further one has twice as many.
        init_cfg: MMEngine initialisation.
    """

    def __init__(self, width: int = 16, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.layers = nn.ModuleList()
        inside = 3
        for level, stride in enumerate((2, 2, 2, 1)):
            outside = width * 2**level
            conv = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
            self.layers.append(nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU()))
            inside = outside

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features of images (N, 3, H, W), finest first."""
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return tuple(outputs)

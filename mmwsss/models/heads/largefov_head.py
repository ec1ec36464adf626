"""DeepLab-LargeFOV's head: one strongly dilated convolution, then 1x1 layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmwsss.functional.checks import check_range
from mmwsss.models.heads.single_feature import SingleFeatureDecodeHead

__all__ = ['LargeFOVHead']

_INIT = [
    {'type': 'Kaiming', 'layer': 'Conv2d'},
    {'type': 'Normal', 'std': 0.01, 'override': {'name': 'conv_seg'}},
]


@MODELS.register_module()
class LargeFOVHead(SingleFeatureDecodeHead):
    """Head of DeepLab-LargeFOV [1]_: ``fc6`` (dilated 3x3), ``fc7`` (1x1), classifier (1x1).

    ``fc6`` and ``fc7`` are each followed by ReLU and element-wise dropout. In the paper both start
    from VGG-16's fully connected layers, here from He's initialisation.

    Args:
        in_channels: Channels C of the feature map read.
        num_classes: Number of classes including background.
        hidden_channels: Width of ``fc6``.
        channels: Width of ``fc7``.
        dilation: Dilation of ``fc6`` in feature pixels. The paper's 12 is meant for output stride 8.
        dropout_ratio: Chance of an element to be dropped after ``fc6`` and after ``fc7``.
        init_cfg: Initial weights. Default: He for ``fc6`` and ``fc7``, normal with standard
            deviation 0.01 for the classifier, zero biases.
        **kwargs: The remaining arguments of mmseg's ``BaseDecodeHead``.

    Raises:
        ValueError: If ``hidden_channels``, ``channels`` or ``dilation`` is not positive, or if
            ``input_transform`` leaves several feature maps.

    References:
        .. [1] Chen et al., Semantic Image Segmentation with Deep Convolutional Nets and Fully
           Connected CRFs, ICLR 2015, section 3 (and the LargeFOV variant of its released models).
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        *,
        num_classes: int,
        hidden_channels: int = 1024,
        channels: int = 1024,
        dilation: int = 12,
        dropout_ratio: float = 0.5,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: object,
    ) -> None:
        check_range('hidden_channels', hidden_channels, '[1, inf)')
        check_range('channels', channels, '[1, inf)')
        check_range('dilation', dilation, '[1, inf)')
        super().__init__(
            in_channels,
            channels=channels,
            num_classes=num_classes,
            dropout_ratio=0.0,  # mmseg's would drop whole channels; ours drops elements, below
            init_cfg=_INIT if init_cfg is None else init_cfg,
            **kwargs,
        )
        self.dropout_ratio = dropout_ratio
        self.fc6 = nn.Conv2d(
            self.in_channels, hidden_channels, 3, padding=dilation, dilation=dilation
        )
        self.fc7 = nn.Conv2d(hidden_channels, channels, 1)
        self.fc_dropout = nn.Dropout(dropout_ratio)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute logits (N, num_classes, h, w) from the feature map (N, C, h, w) at ``in_index``."""
        features = self._transform_inputs(inputs)
        features = self.fc_dropout(F.relu(self.fc6(features)))
        features = self.fc_dropout(F.relu(self.fc7(features)))
        return self.cls_seg(features)

"""DeepLabV2's head: the sum of dilated convolutions straight to the classes."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmwsss.functional.checks import check_range
from mmwsss.models.heads.single_feature import SingleFeatureDecodeHead

__all__ = ['DeepLabV2Head']

_NORMAL_INIT = {'type': 'Normal', 'layer': 'Conv2d', 'std': 0.01}


@MODELS.register_module()
class DeepLabV2Head(SingleFeatureDecodeHead):
    """Atrous spatial pyramid of DeepLabV2 [1]_: parallel 3x3 convolutions whose outputs are summed.

    Every branch maps the features straight to the class logits, has a bias and no normalisation:
    ``logits = sum_d conv3x3(features, dilation=d)``. It works behind any mmseg backbone.

    Args:
        in_channels: Channels C of the feature map read.
        num_classes: Number of classes including background.
        dilations: Of each branch, in feature pixels. The default is the paper's ASPP-L; its ASPP-S is
            (2, 4, 8, 12), at output stride 8.
        dropout_ratio: Channel dropout on the features. The paper's ResNet-101 head has none.
        init_cfg: Initial weights. Default: normal with standard deviation 0.01, zero bias.
        **kwargs: The remaining arguments of mmseg's ``BaseDecodeHead`` but ``channels``: there is no
            layer between the features and the classes.

    Raises:
        ValueError: If ``dilations`` is empty or one is not positive, or if ``input_transform`` leaves
            several feature maps.

    References:
        .. [1] Chen et al., DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
           Convolution, and Fully Connected CRFs, TPAMI 2017, section 3.2.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        *,
        num_classes: int,
        dilations: Sequence[int] = (6, 12, 18, 24),
        dropout_ratio: float = 0.0,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: object,
    ) -> None:
        check_range('smallest of the dilations', min(dilations, default=0), '[1, inf)')
        super().__init__(
            in_channels,
            channels=1,  # width of the base class's classifier, which is removed below
            num_classes=num_classes,
            dropout_ratio=dropout_ratio,
            init_cfg=_NORMAL_INIT if init_cfg is None else init_cfg,
            **kwargs,
        )
        del self.conv_seg
        self.dilations = tuple(dilations)
        self.convs = nn.ModuleList(
            nn.Conv2d(self.in_channels, self.out_channels, 3, padding=dilation, dilation=dilation)
            for dilation in self.dilations
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute logits (N, num_classes, h, w) from the feature map (N, C, h, w) at ``in_index``."""
        features = self._transform_inputs(inputs)
        if self.dropout is not None:
            features = self.dropout(features)
        return sum(conv(features) for conv in self.convs)

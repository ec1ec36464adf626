"""What decode heads that read one feature map have in common."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor

from mmwsss.functional.checks import check_choice

__all__ = ['SingleFeatureDecodeHead']


class SingleFeatureDecodeHead(BaseDecodeHead):
    """mmseg's ``BaseDecodeHead`` for one feature map, from any of mmseg's backbones.

    A bare tensor, which some backbones return where others return a tuple of one, is the only feature
    map; ``in_index`` would take the first image of the batch for it.

    Args:
        in_channels: Channels of the feature map, or of each of those that are concatenated.
        channels: Channels in front of the base class's classifier.
        **kwargs: The remaining arguments of mmseg's ``BaseDecodeHead``.

    Raises:
        ValueError: If ``input_transform`` leaves several feature maps.
    """

    def __init__(self, in_channels: int | Sequence[int], channels: int, **kwargs: object) -> None:
        check_choice('input_transform', kwargs.get('input_transform'), (None, 'resize_concat'))
        super().__init__(in_channels, channels, **kwargs)

    def _transform_inputs(self, inputs: Tensor | Sequence[Tensor]) -> Tensor:
        return super()._transform_inputs([inputs] if isinstance(inputs, Tensor) else inputs)

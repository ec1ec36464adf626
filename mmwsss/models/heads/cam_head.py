"""The plain class activation map head."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.cam import keep_labelled
from mmwsss.functional.checks import check_choice, check_range
from mmwsss.models.heads.base import BaseMapHead, stack_labels

__all__ = ['CAMHead']


@MODELS.register_module()
class CAMHead(BaseMapHead):
    """Class activation maps: a 1x1 convolution without bias and its spatial mean.

    ``A_k = w_k . f``; image score = mean of ``A_k``; loss = multi-label soft margin; map = ``relu(A_k)``.
    There is no background channel: a mask needs a background threshold.

    Source: Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016, whose linear
    layer after the mean equals the convolution before it.

    Args:
        num_classes: Foreground classes K.
        in_channels: Channels of the classified feature.
        in_index: Its position in the backbone's outputs.
        dropout: Probability of dropping feature channels in training.
        rectify: What of an image and its mirror is rectified at test time: their ``'sum'``, or each of
            the two ``'views'`` before they are summed (IRNet's released code).
        init_cfg: MMEngine initialisation; PyTorch's default for the convolution if None.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        in_index: int = -1,
        dropout: float = 0.0,
        rectify: str = 'sum',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, in_index, init_cfg)
        check_range('dropout', dropout, '[0, 1)')
        check_choice('rectify', rectify, ('sum', 'views'))
        self.rectify = rectify
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(in_channels, num_classes, kernel_size=1, bias=False)

    def classified(self, feature: Tensor) -> Tensor:
        """The classifier's maps (N, K, h, w) of a feature (N, C, h, w)."""
        maps: Tensor = self.classifier(self.dropout(feature))
        return maps

    def forward(self, feats: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute ``cam_logits`` (N, K, h, w) and, with ``rectify='views'``, ``cam`` from them."""
        logits = self.classified(feats[self.in_index])
        rectified = {'cam': logits.clamp(min=0)} if self.rectify == 'views' else {}
        return {'cam_logits': logits, **rectified}

    def maps(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Rectified logits (N, K, h, w) of the labelled classes, not normalised."""
        return keep_labelled(outputs.get('cam', outputs['cam_logits']).clamp(min=0), labels)

    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Compute ``loss_cls``; the size of the batch is not needed."""
        labels = stack_labels(data_samples, self.num_classes)
        return {'loss_cls': self.classification_loss(self(feats), labels)}

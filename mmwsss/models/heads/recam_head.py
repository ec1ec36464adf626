"""The ReCAM head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.checks import check_choice
from mmwsss.functional.recam import class_features, present_class_loss
from mmwsss.functional.sipe import at_least_float32
from mmwsss.models.heads.base import complete_loss_weights, stack_labels
from mmwsss.models.heads.cam_head import CAMHead

__all__ = ['ReCAMHead']

LOSS_WEIGHTS = {'cls': 1.0, 'recam': 1.0}


@MODELS.register_module()
class ReCAMHead(CAMHead):
    """CAM, trained on by a softmax over the classes of an image.

    Source: Chen et al., Class Re-Activation Maps for Weakly-Supervised Semantic Segmentation, CVPR 2022.
    A second layer without bias is shown the feature of each class (its mean under the class's map) and has
    to say which class it is; ``L = w_cls L_bce + w_recam L_ce``. Maps: ``relu`` of the feature under the
    product of both layers' weights. Training goes on from a checkpoint of CAM (``load_from``).

    Departures: the feature is rectified first. Behind a ReLU, as in the paper, nothing changes; without one,
    as in EfficientNets, the product would turn the sign of what speaks for a class. And the positive
    ``product``.

    Args:
        num_classes: Foreground classes K.
        in_channels: Channels of the classified feature.
        loss_weights: Weights of ``cls`` and ``recam``; missing ones are 1.
        product: ``'signed'``, the paper's, in which a channel that speaks against a class in both layers
            counts for it; ``'positive'``: weights below 0 count as 0.
        **kwargs: Further arguments of :class:`CAMHead`.

    Raises:
        ValueError: Unknown or negative weights, or another product.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss_weights: dict[str, float] | None = None,
        product: str = 'signed',
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        check_choice('product', product, ('signed', 'positive'))
        self.product = product
        self.loss_weights = complete_loss_weights(loss_weights, LOSS_WEIGHTS)
        self.reclassifier = nn.Conv2d(in_channels, num_classes, kernel_size=1, bias=False)

    def forward(self, feats: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute ``cam_logits`` (N, K, h, w) of the first layer and ``cam`` of both layers' product."""
        feature = feats[self.in_index].clamp(min=0)
        first, second = self.classifier.weight, self.reclassifier.weight
        if self.product == 'positive':
            first, second = first.clamp(min=0), second.clamp(min=0)
        cam = F.conv2d(feature, first * second)
        cam = cam.clamp(min=0) if self.rectify == 'views' else cam
        return {'cam_logits': self.classified(feature), 'cam': cam}

    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Compute ``loss_cls`` and ``loss_recam``, both weighted."""
        labels = stack_labels(data_samples, self.num_classes)
        feature = feats[self.in_index].clamp(min=0)
        outputs = {'cam_logits': self.classified(feature)}
        own = class_features(*map(at_least_float32, (outputs['cam_logits'], feature)))
        logits = F.linear(own, self.reclassifier.weight.flatten(1))
        return {
            'loss_cls': self.loss_weights['cls'] * self.classification_loss(outputs, labels),
            'loss_recam': self.loss_weights['recam'] * present_class_loss(logits, labels),
        }

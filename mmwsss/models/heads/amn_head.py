"""The AMN head: pixels classified with the image's label in hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.balanced_ce import background_and_foreground, balanced_cross_entropy
from mmwsss.functional.cam import keep_labelled
from mmwsss.functional.checks import check_range
from mmwsss.functional.sipe import at_least_float32
from mmwsss.io import IGNORE_INDEX
from mmwsss.models.heads.base import BaseMapHead, stack_labels
from mmwsss.utils.processes import mean_over_processes

__all__ = ['AMNHead']


@MODELS.register_module()
class AMNHead(BaseMapHead):
    """Activation manipulation: a pixel classifier, trained on labels that class maps are sure about.

    Source: Lee, Kim and Shim, Threshold Matters in WSSS: Manipulating the Activation for the Robust and
    Accurate Segmentation Against Thresholds, CVPR 2022. The feature is multiplied channel by channel by a
    linear layer of the image's label and classified by ASPP; loss: background and foreground pixels in equal
    parts, targets smoothed. Maps: softmax over background and all classes, of which those of the label are
    kept. There is no background map: a mask needs a threshold.

    Args:
        num_classes: Foreground classes K.
        in_channels: Channels of the classified feature.
        in_index: Its position in the backbone's outputs.
        dilations: Of the 3x3 convolutions whose sum classifies.
        label_smoothing: In [0, 1].
        init_cfg: MMEngine initialisation; PyTorch's default if None.

    Raises:
        ValueError: A number is out of range.
    """

    takes_labels = True
    needs_background = True

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        in_index: int = -1,
        dilations: Sequence[int] = (6, 12, 18, 24),
        label_smoothing: float = 0.4,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, in_index, init_cfg)
        check_range('smallest of dilations', min(dilations, default=0), '[1, inf)')
        check_range('label_smoothing', label_smoothing, '[0, 1]')
        self.label_smoothing = label_smoothing
        self.embedding = nn.Linear(num_classes, in_channels)
        self.aspp = nn.ModuleList(
            nn.Conv2d(in_channels, num_classes + 1, kernel_size=3, padding=d, dilation=d)
            for d in dilations
        )

    def forward(self, feats: Sequence[Tensor], labels: Tensor | None = None) -> dict[str, Tensor]:
        """Compute ``scores``, the softmax (N, K + 1, h, w), and its log-odds ``cam_logits`` (N, K, h, w).

        Args:
            feats: Backbone features.
            labels: Multi-hot (N, K). None: all classes may be there.
        """
        feature = feats[self.in_index]
        if labels is None:
            labels = feature.new_ones(len(feature), self.num_classes)
        scores = at_least_float32(self.pixel_logits(feature, labels)).softmax(dim=1)
        return {'scores': scores, 'cam_logits': scores[:, 1:].logit(eps=1e-6)}

    def class_logits(self, outputs: dict[str, Tensor]) -> Tensor:
        """Image logits (N, K): the peaks of the log-odds, as the softmax knows no others."""
        return outputs['cam_logits'].amax(dim=(2, 3))

    def pixel_logits(self, feature: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, K + 1, h, w) from a feature (N, C, h, w) and multi-hot labels (N, K)."""
        gated = feature * self.embedding(labels.to(feature))[:, :, None, None]
        return torch.stack([conv(gated) for conv in self.aspp]).sum(dim=0)

    def maps(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Probabilities (N, K, h, w) of the labelled classes."""
        return keep_labelled(outputs['scores'][:, 1:], labels)

    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Compute ``loss_pixel`` against ``gt_sem_seg``, brought to the feature's size (nearest).

        Raises:
            ValueError: A sample lacks its label or its mask; the image is named.
        """
        labels = stack_labels(data_samples, self.num_classes)
        logits = at_least_float32(self.pixel_logits(feats[self.in_index], labels))
        masks = torch.stack([_mask(sample) for sample in data_samples])
        targets = F.interpolate(masks.float(), size=logits.shape[2:], mode='nearest')[:, 0].long()
        counts = mean_over_processes(
            background_and_foreground(targets, IGNORE_INDEX).sum(dim=(1, 2, 3))
        )
        loss = balanced_cross_entropy(logits, targets, IGNORE_INDEX, self.label_smoothing, counts)
        return {'loss_pixel': loss}


def _mask(sample: SegDataSample) -> Tensor:
    """The mask (1, H, W) of a sample."""
    if 'gt_sem_seg' not in sample:
        raise ValueError(
            f'image {sample.get("img_id", sample.get("img_path"))!r}: AMNHead is trained on masks, but '
            'got none: set pseudo_mask_dir, and LoadMask in the pipeline'
        )
    mask: Tensor = sample.gt_sem_seg.data
    return mask

"""What every localizer head has in common: spatial outputs, image logits, class maps and a loss."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.functional.checks import check_range
from mmwsss.utils.names import has_background

__all__ = [
    'BaseMapHead',
    'check_own_background',
    'complete_loss_weights',
    'stack_boxes',
    'stack_labels',
]


def stack_labels(data_samples: Sequence[SegDataSample], num_classes: int) -> Tensor:
    """Collect the multi-hot labels of a batch, the ``gt_label`` (K,) of each sample, as float32 (N, K).

    Raises:
        ValueError: A sample has no label or one of another length; the image is named.
    """
    for sample in data_samples:
        label = getattr(sample, 'gt_label', None)
        if label is None or label.numel() != num_classes:
            raise ValueError(
                f'image {_name(sample)!r}: expected a multi-hot gt_label over {num_classes} classes '
                f'(head.num_classes), but got {"none" if label is None else f"{label.numel()} entries"}'
            )
    return torch.stack([sample.gt_label.float() for sample in data_samples])


def stack_boxes(data_samples: Sequence[SegDataSample], device: torch.device) -> Tensor:
    """Collect the valid boxes of a batch, the metainfo ``valid_box`` of each sample, as (N, 4).

    Raises:
        ValueError: A sample has no valid box; the image is named.
    """
    for sample in data_samples:
        if sample.get('valid_box') is None:
            raise ValueError(
                f'image {_name(sample)!r}: expected the metainfo valid_box=(x1, y1, x2, y2), which '
                'PackWSSSInputs records, but got none'
            )
    return torch.tensor([list(sample.get('valid_box')) for sample in data_samples], device=device)


def _name(sample: SegDataSample) -> str | None:
    return sample.get('img_id', sample.get('img_path'))


def complete_loss_weights(
    weights: dict[str, float] | None, defaults: dict[str, float]
) -> dict[str, float]:
    """Fill in the weights of the loss terms that are not given, ``defaults`` naming all terms.

    Raises:
        ValueError: A term is unknown or its weight negative.
    """
    complete = {**defaults, **(weights or {})}
    if len(complete) > len(defaults) or min(complete.values()) < 0:
        known = ' and '.join(map(repr, defaults))
        raise ValueError(
            f'loss_weights must hold non-negative numbers for {known}, but got {weights}'
        )
    return complete


def check_own_background(head: BaseMapHead, classes: Sequence[str]) -> None:
    """Refuse a head that tells classes from a background for classes without a background."""
    if (head.has_background or head.needs_background) and not has_background(classes):
        knows = 'makes a background map' if head.has_background else 'learns a background'
        raise ValueError(
            f'{type(head).__name__} {knows}, but the dataset has no background '
            f'(background=False): take a localizer whose maps are of classes only, such as CAMHead'
        )


class BaseMapHead(BaseModule, metaclass=ABCMeta):
    """Base of the heads that turn backbone features into class maps.

    A head states spatial tensors in :meth:`forward`; everything else is computed from them. At test time
    the classifier sums each over an image and its un-mirrored mirror before it asks for maps.

    Args:
        num_classes: Foreground classes K (VOC 20, COCO 80); background is not counted.
        in_channels: Channels C of the feature that is classified.
        in_index: Its position in the backbone's outputs.
        init_cfg: MMEngine initialisation.

    Attributes:
        has_background: Whether :meth:`maps` returns K + 1 channels, background first.
        needs_background: Whether class 0 of the masks that it learns from must be the background.
        loss_scales: Further scales of the images. If there are any, :meth:`loss` is called with a fourth
            argument: an iterable of the features at these scales.
        scale_gradient: Whether these features have a gradient.
        takes_images: Whether all features that it is given end with the images (N, 3, H, W) they are of.
        takes_labels: Whether :meth:`forward` takes the multi-hot labels (N, K) as a second argument, when
            class maps are computed.
    """

    has_background: bool = False
    needs_background: bool = False
    loss_scales: tuple[float, ...] = ()
    scale_gradient: bool = False
    takes_images: bool = False
    takes_labels: bool = False

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        in_index: int = -1,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_range('num_classes', num_classes, '[1, inf)')
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.in_index = in_index

    def feature_indices(self) -> Sequence[int]:
        """Which of the backbone's outputs the head reads."""
        return [self.in_index]

    @abstractmethod
    def forward(self, feats: Sequence[Tensor]) -> dict[str, Tensor]:
        """Turn backbone features into named spatial tensors (N, C, h, w), ``cam_logits`` among them."""

    @abstractmethod
    def maps(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Turn :meth:`forward`'s tensors into class maps of one scale.

        Args:
            outputs: What :meth:`forward` returned, possibly summed over mirrors.
            labels: Multi-hot labels (N, K); maps of absent classes are zero.

        Returns:
            Non-negative maps (N, K, h, w), or (N, K + 1, h, w) if ``has_background``.
        """

    @abstractmethod
    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Compute the training losses.

        Args:
            feats: Backbone features.
            data_samples: Samples with ``gt_label`` (K,) and the ``valid_box`` metainfo, pixels of the
                padded batch as (x1, y1, x2, y2), half-open.
            image_size: Height and width of the padded batch in pixels.

        Returns:
            Scalars; the terms to be summed have keys that start with ``loss_``.

        Raises:
            ValueError: A sample lacks its label or its valid box; the image is named.
        """

    def class_logits(self, outputs: dict[str, Tensor]) -> Tensor:
        """Image logits (N, K): the spatial mean of the class activation maps."""
        return outputs['cam_logits'].mean(dim=(2, 3))

    def classification_loss(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Multi-label soft margin loss over the K classes, in float32."""
        return F.multilabel_soft_margin_loss(self.class_logits(outputs).float(), labels)

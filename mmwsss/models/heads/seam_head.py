"""The SEAM head: class maps that stay the same when the image is resized."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.cam import keep_labelled, peak_normalize
from mmwsss.functional.checks import check_range
from mmwsss.functional.seam import hardest_mean, pixel_correlation, winning_scores
from mmwsss.functional.sipe import at_least_float32
from mmwsss.functional.valid import valid_mask
from mmwsss.models.heads.base import (
    BaseMapHead,
    complete_loss_weights,
    stack_boxes,
    stack_labels,
)
from mmwsss.utils.processes import mean_over_processes

__all__ = ['SEAMHead']

LOSS_WEIGHTS = {'cls': 1.0, 'er': 1.0, 'ecr': 1.0}


class _View(NamedTuple):
    """What the losses compare, on one grid: scores (N, K, h, w), revised scores (N, K + 1, h, w)."""

    logits: Tensor
    scores: Tensor
    revised: Tensor


@MODELS.register_module()
class SEAMHead(BaseMapHead):
    """Equivariance between an image and its resized view, and maps revised by pixel correlation.

    Source: Wang et al., Self-supervised Equivariant Attention Mechanism for Weakly Supervised Semantic
    Segmentation, CVPR 2020. ``S`` are the peak-normalised maps, ``S'`` the winning scores spread by the
    correlation of pixels (:func:`~mmwsss.functional.pixel_correlation`) in a feature of the image and two
    stages. Maps of absent classes compete for pixels and are left out afterwards. Losses, between the image
    and its view at ``view_scale``, on the view's grid:

    - ``cls``: mean of both views' soft margin losses;
    - ``er``: ``mean |S(x) - S(view)|`` over all classes and pixels of the image;
    - ``ecr``: mean of the hardest ``hard_fraction`` of ``|winners of S(view) - S'(x)|``, plus the same with
      the views exchanged. ``S'`` is peak-normalised for it; the winners have no gradient.

    Padding takes no part in ``er``, ``ecr`` and the correlation. ``S'`` trains the correlation's convolutions
    only. Maps are ``S'`` without its background. Image and un-mirrored mirror are revised on their own and
    added, and the minimum of each map is taken off: a mean over the image is nowhere 0. A mask needs a
    threshold.

    Args:
        num_classes: Foreground classes K.
        in_channels: Channels of the classified feature.
        in_index: Its position in the backbone's outputs.
        side_in_channels: Channels of the two stages.
        side_indices: Their positions in the backbone's outputs.
        side_channels: Channels that each is reduced to.
        correlation_channels: Channels of the feature whose cosines count.
        view_scale: Scale of the second view, > 0.
        hard_fraction: In (0, 1].
        loss_weights: Weights of ``cls``, ``er`` and ``ecr``; missing ones are 1.
        init_cfg: MMEngine initialisation; PyTorch's default for the convolutions if None.

    Raises:
        ValueError: A number is out of range, weights are unknown, or side settings differ in length.
    """

    takes_images = True
    scale_gradient = True

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        in_index: int = -1,
        side_in_channels: Sequence[int] = (512, 1024),
        side_indices: Sequence[int] = (1, 2),
        side_channels: Sequence[int] = (64, 128),
        correlation_channels: int = 192,
        view_scale: float = 0.3,
        hard_fraction: float = 0.2,
        loss_weights: dict[str, float] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, in_index, init_cfg)
        check_range('view_scale', view_scale, '(0, inf)')
        check_range('hard_fraction', hard_fraction, '(0, 1]')
        if not len(side_in_channels) == len(side_indices) == len(side_channels):
            raise ValueError(
                'side_in_channels, side_indices and side_channels must be equally long, but got '
                f'{side_in_channels}, {side_indices} and {side_channels}'
            )
        self.side_indices = tuple(side_indices)
        self.loss_scales = (view_scale,)
        self.hard_fraction = hard_fraction
        self.loss_weights = complete_loss_weights(loss_weights, LOSS_WEIGHTS)
        self.classifier = nn.Conv2d(in_channels, num_classes, kernel_size=1, bias=False)
        self.side_convs = nn.ModuleList(
            nn.Conv2d(c_in, c_out, kernel_size=1, bias=False)
            for c_in, c_out in zip(side_in_channels, side_channels)
        )
        self.correlation = nn.Conv2d(
            3 + sum(side_channels), correlation_channels, kernel_size=1, bias=False
        )

    def feature_indices(self) -> Sequence[int]:
        """See :meth:`BaseMapHead.feature_indices`."""
        return [self.in_index, *self.side_indices]

    def forward(self, feats: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute ``cam_logits`` and the revised scores ``cam`` of all classes (N, K, h, w)."""
        logits, correlated = self.logits_and_correlated(feats)
        revised = pixel_correlation(correlated, winning_scores(peak_normalize(logits)))
        return {'cam_logits': logits, 'cam': revised[:, 1:]}

    def logits_and_correlated(self, feats: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (N, K, h, w), and the feature (N, C', h, w) whose cosines count, in float32."""
        *stages, images = feats
        logits = self.classifier(stages[self.in_index])
        size = logits.shape[2:]
        sides = [_resize(images, size)]
        for conv, index in zip(self.side_convs, self.side_indices):
            sides.append(_resize(conv(stages[index].detach()).relu(), size))
        correlated = self.correlation(torch.cat(sides, dim=1))
        return at_least_float32(logits), at_least_float32(correlated)

    def maps(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Revised scores (N, K, h, w) of the labelled classes, the minimum of each taken off."""
        cam = outputs['cam']
        return keep_labelled(cam - cam.amin(dim=(2, 3), keepdim=True), labels)

    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
        scaled_feats: Iterable[Sequence[Tensor]] = (),
    ) -> dict[str, Tensor]:
        """Compute ``loss_cls``, ``loss_er`` and ``loss_ecr``, all weighted; see the base class."""
        labels = stack_labels(data_samples, self.num_classes)
        boxes = stack_boxes(data_samples, labels.device)
        (other,) = scaled_feats
        size = other[-1].shape[2:]
        inside = _inside(boxes, image_size, size)
        one, two = (self._view(each, labels, boxes, image_size, size) for each in (feats, other))
        classification = [
            self.classification_loss({'cam_logits': view.logits}, labels) for view in (one, two)
        ]
        terms = {
            'cls': torch.stack(classification).mean(),
            'er': self._equivariance(one, two, inside),
            'ecr': self._cross(one, two, inside) + self._cross(two, one, inside),
        }
        return {f'loss_{term}': self.loss_weights[term] * loss for term, loss in terms.items()}

    def _view(
        self,
        feats: Sequence[Tensor],
        labels: Tensor,
        boxes: Tensor,
        image_size: tuple[int, int],
        size: Sequence[int],
    ) -> _View:
        """Scores of a view, brought to ``size``."""
        logits, correlated = self.logits_and_correlated(feats)
        inside = _inside(boxes, image_size, logits.shape[2:])
        scores = peak_normalize(logits * inside)
        winners = winning_scores(scores.detach())
        revised = pixel_correlation(correlated, winners, inside)
        return _View(
            logits,
            keep_labelled(_resize(scores, size), labels),
            keep_labelled(_resize(peak_normalize(revised), size), labels),
        )

    def _equivariance(self, one: _View, other: _View, inside: Tensor) -> Tensor:
        difference = (one.scores - other.scores).abs() * inside
        count = mean_over_processes(inside.sum()).to(difference)
        return difference.sum() / (count.where(count > 0, 1) * self.num_classes)

    def _cross(self, one: _View, other: _View, inside: Tensor) -> Tensor:
        """Hardest differences of the winners of ``other`` to what is revised in ``one``."""
        errors = (winning_scores(other.scores.detach()) - one.revised).abs()
        return hardest_mean(errors, inside, self.hard_fraction)


def _inside(boxes: Tensor, image_size: tuple[int, int], size: Sequence[int]) -> Tensor:
    """Ones at the cells of a grid that the images cover (N, 1, h, w)."""
    return valid_mask(boxes.new_ones((len(boxes), 1)), boxes, image_size, size)[:, :1]


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize to (h, w)."""
    return F.interpolate(maps, size=list(size), mode='bilinear', align_corners=False)

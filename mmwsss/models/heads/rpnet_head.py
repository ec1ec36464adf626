"""The RPNet head: class maps that are to survive a weighting by regions of other images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.cam import keep_labelled, peak_normalize
from mmwsss.functional.checks import check_choice, check_range
from mmwsss.functional.rpnet import (
    PEAKS,
    confidence_map,
    foreground_probability,
    gaussian_smooth,
    normalized_consistency,
    raw_consistency,
)
from mmwsss.functional.sipe import at_least_float32, class_prototypes
from mmwsss.functional.valid import valid_mask
from mmwsss.models.heads.base import (
    BaseMapHead,
    complete_loss_weights,
    stack_boxes,
    stack_labels,
)

__all__ = ['RPNetHead']

MATCHINGS = ('classified', 'same_block')
CONSISTENCIES = ('normalized', 'raw')
TEST_MAPS = ('plain', 'enhanced')
LOSS_WEIGHTS = {'cls': 1.0, 'cls_enhanced': 1.0, 'consistency': 10.0}
RELEASED_PEAK = 1.3


@MODELS.register_module()
class RPNetHead(BaseMapHead):
    """Cross-image region prototypes.

    Source: Liu et al., Cross-Image Region Mining with Region Prototypical Network for Weakly Supervised
    Segmentation (RPNet), 2021; departures are in ``docs/methods/rpnet.md``. Images come in groups of g
    that share a class. For the features ``f_n`` of each used block n:

    1. mask ``M_n``: pixels of confidence ``max_c f_n / max_xy f_n`` above ``confidence_threshold``, each
       dropped with probability ``drop_prob`` in training;
    2. prototype ``p_n``: mean over ``M_n`` of the projection ``O_n = proj_n(relu(f_n / max f_n))``;
    3. foreground ``F``: at each pixel of ``O_N``, the projection of the classified feature, the largest
       cosine with the prototypes of all blocks and of all images of the group;
    4. enhanced branch: ``f'_N = G(F) f_N`` with a Gaussian ``G``, classified like ``f_N`` (plain branch);
    5. ``L = w_cls L_c(plain) + w_cls_enhanced L_c(enhanced) + w_consistency L_s``, where ``L_s`` compares
       the class maps of the plain branch with the mean of the enhanced ones at ``consistency_scales``.

    Masks have no gradient. Both added losses fall when ``F`` is the same everywhere; the logged
    ``foreground_std`` (spread of ``G(F)`` within an image) then goes to zero and the method becomes a CAM.
    At test time nothing is computed beyond the plain map, which is that of ``CAMHead``, unless
    ``test_map='enhanced'``, which takes each view as a group of one, without dropping.

    Dropping draws from a generator seeded by the sample's metainfo ``noise_seed``, which ``PairDataset``
    records; without it from torch's global generator (see ``IterationSeedHook``).

    Args:
        num_classes: Foreground classes K.
        in_channels: Channels of the classified feature.
        in_index: Its position in the backbone's outputs, counted from 0.
        block_indices: Positions of the blocks that give prototypes; blocks 2 and 4 are the paper's best.
        block_channels: Their channels.
        proj_channels: Channels of the common space.
        group_size: Images in a group; None: what the samples' metainfo ``group_size`` says, 1 without it.
        matching: ``'classified'``: all prototypes are compared with ``O_N`` (paper). ``'same_block'``
            (released): those of block n with ``O_n``, the cosines resized to ``f_N``; every block takes
            the mask of the classified one; in training prototypes of the dropped and of the whole mask;
            ``F`` is scaled so that its peak is 1.3; the Gaussian sees zeros beyond the border.
        confidence_threshold: In [0, 1].
        confidence_peak: ``'channel'`` or ``'image'``, see
            :func:`~mmwsss.functional.rpnet.confidence_map`.
        projection_peak: The ``max f_n`` of a projection: of each ``'channel'``, or of the
            ``'image'``, a factor that cancels in the cosine.
        drop_prob: Probability in [0, 1] that a pixel is dropped from its mask.
        sigma: Standard deviation of the Gaussian in feature pixels; None: no smoothing.
        kernel_size: Its odd size.
        consistency: ``'normalized'``: of peak-normalised maps of the labelled classes (released);
            ``'raw'``: of the features at scale 1, summed (the paper's equation 13).
        consistency_scales: Scales of the images whose enhanced maps are averaged, 1 first, the others
            without gradient. The default is the released one; ``(1.0,)`` is the paper's text.
        loss_weights: Weights of ``cls``, ``cls_enhanced`` and ``consistency`` (the paper's lambda);
            missing ones are 1, 1 and 10. Released: ``cls_enhanced`` 0.
        detach: Whether ``F`` is cut off from the gradient. The projections then stay at their random
            initial values and are frozen.
        skip_padding: Whether pixels outside of ``valid_box`` are left out of the masks.
        test_map: ``'plain'`` (released) or ``'enhanced'``.
        init_cfg: MMEngine initialisation; PyTorch's default for the convolutions if None.

    Raises:
        ValueError: A setting is out of its range, or settings of blocks have different lengths.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        in_index: int = 3,
        block_indices: Sequence[int] = (1, 3),
        block_channels: Sequence[int] = (512, 2048),
        proj_channels: int = 256,
        group_size: int | None = None,
        matching: str = 'classified',
        confidence_threshold: float = 0.3,
        confidence_peak: str = 'channel',
        projection_peak: str = 'channel',
        drop_prob: float = 0.5,
        sigma: float | None = 3.0,
        kernel_size: int = 5,
        consistency: str = 'normalized',
        consistency_scales: Sequence[float] = (1.0, 0.5, 1.5, 2.0),
        loss_weights: dict[str, float] | None = None,
        detach: bool = False,
        skip_padding: bool = True,
        test_map: str = 'plain',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, in_index, init_cfg)
        check_choice('matching', matching, MATCHINGS)
        check_choice('confidence_peak', confidence_peak, PEAKS)
        check_choice('projection_peak', projection_peak, PEAKS)
        check_choice('consistency', consistency, CONSISTENCIES)
        check_choice('test_map', test_map, TEST_MAPS)
        check_range('confidence_threshold', confidence_threshold, '[0, 1]')
        check_range('drop_prob', drop_prob, '[0, 1]')
        check_range('group_size', 1 if group_size is None else group_size, '[1, inf)')
        channels = dict(zip(block_indices, block_channels))
        is_complete = len(block_indices) == len(block_channels) == len(channels) > 0
        is_counted = min(in_index, *channels, 0) == 0
        if not is_complete or not is_counted or channels.get(in_index, in_channels) != in_channels:
            raise ValueError(
                'block_indices must name each block once, counted from 0, and block_channels its '
                f'channels, those of in_index={in_index} being in_channels={in_channels}, '
                f'but got {block_indices} and {block_channels}'
            )
        if not consistency_scales or consistency_scales[0] != 1 or min(consistency_scales) <= 0:
            raise ValueError(
                f'consistency_scales must be positive, 1 first, but got {consistency_scales}'
            )
        self.block_indices = tuple(block_indices)
        self.group_size = group_size
        self.matching = matching
        self.confidence_threshold = confidence_threshold
        self.confidence_peak = confidence_peak
        self.projection_peak = projection_peak
        self.drop_prob = drop_prob
        self.sigma = sigma
        self.kernel_size = kernel_size
        self.consistency = consistency
        self.loss_scales = tuple(consistency_scales[1:]) if consistency == 'normalized' else ()
        self.loss_weights = complete_loss_weights(loss_weights, LOSS_WEIGHTS)
        self.detach = detach
        self.skip_padding = skip_padding
        self.test_map = test_map
        self.classifier = nn.Conv2d(in_channels, num_classes, kernel_size=1, bias=False)
        if matching == 'classified':
            channels[in_index] = in_channels
        self.projections = nn.ModuleDict(
            {
                str(index): nn.Conv2d(channels[index], proj_channels, kernel_size=1, bias=False)
                for index in sorted(channels)
            }
        )
        self.projections.requires_grad_(not detach)

    def forward(self, feats: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute ``cam_logits`` (N, K, h, w) and, for the enhanced map, ``enhanced_logits``."""
        logits = self.classifier(feats[self.in_index])
        if self.test_map == 'plain':
            return {'cam_logits': logits}
        weight = self._foreground_weight(feats, self._confident(feats), group_size=1)
        return {'cam_logits': logits, 'enhanced_logits': weight * at_least_float32(logits)}

    def maps(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Rectified logits (N, K, h, w) of the labelled classes, not normalised."""
        name = 'cam_logits' if self.test_map == 'plain' else 'enhanced_logits'
        return keep_labelled(outputs[name].clamp(min=0), labels)

    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
        scaled_feats: Iterable[Sequence[Tensor]] = (),
    ) -> dict[str, Tensor]:
        """Compute ``loss_cls``, ``loss_cls_enhanced`` and ``loss_consistency``, all weighted.

        See the base class. The images of a group are side by side; ``scaled_feats`` are features of the
        same images at the further ``consistency_scales``.

        Raises:
            ValueError: A sample lacks its label or its valid box, or groups are not whole.
        """
        labels = stack_labels(data_samples, self.num_classes)
        weight, logits = self._branches(feats, data_samples, image_size)
        enhanced = weight * logits
        terms = {
            'cls': self.classification_loss({'cam_logits': logits}, labels),
            'cls_enhanced': self.classification_loss({'cam_logits': enhanced}, labels),
        }
        if self.consistency == 'raw':
            features = at_least_float32(feats[self.in_index])
            terms['consistency'] = raw_consistency(features, weight * features)
        else:
            maps = [enhanced]
            for scaled in scaled_feats:
                with torch.no_grad():
                    other = torch.mul(*self._branches(scaled, data_samples, image_size))
                maps.append(resize(other, logits.shape[2:], mode='bilinear'))
            terms['consistency'] = normalized_consistency(logits, maps, labels)
        losses = {f'loss_{term}': self.loss_weights[term] * loss for term, loss in terms.items()}
        spread = weight.detach().flatten(1).std(dim=1, correction=0).mean()
        return {**losses, 'foreground_std': spread}

    def _branches(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        """``G(F)`` (N, 1, h, w) and the plain logits (N, K, h, w), in at least float32."""
        group_size = resolve_group_size(data_samples, self.group_size)
        masks = self._training_masks(feats, data_samples, image_size)
        weight = self._foreground_weight(feats, masks, group_size)
        return weight, at_least_float32(self.classifier(feats[self.in_index]))

    def _training_masks(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> list[Tensor]:
        """Regions without padding and dropped pixels: ones and zeros (N, R, h, w) for each mask."""
        masks = self._confident(feats)
        if self.skip_padding:
            boxes = stack_boxes(data_samples, masks[0].device)
            background = masks[0].new_ones(len(boxes), 1)
            masks = [
                mask * valid_mask(background, boxes, image_size, mask.shape[2:])[:, :1]
                for mask in masks
            ]
        if not self.training or self.drop_prob == 0:
            return masks
        dropped = drop_pixels(masks, data_samples, self.drop_prob)
        if self.matching == 'classified':
            return dropped
        return [torch.cat(pair, dim=1) for pair in zip(dropped, masks)]

    def feature_indices(self) -> Sequence[int]:
        """See :meth:`BaseMapHead.feature_indices`."""
        return [self.in_index, *self.block_indices]

    @torch.no_grad()
    def _confident(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Confident pixels of each block that has its own mask: float32 ones and zeros (N, 1, h, w)."""
        own = self.block_indices if self.matching == 'classified' else (self.in_index,)
        confidences = [confidence_map(feats[index], self.confidence_peak) for index in own]
        return [(value > self.confidence_threshold).float() for value in confidences]

    def _foreground_weight(
        self, feats: Sequence[Tensor], masks: Sequence[Tensor], group_size: int
    ) -> Tensor:
        """``G(F)`` (N, 1, h, w) in at least float32, from the prototypes of each group."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.detach):
            foreground = self._foreground(feats, masks, group_size)
            if self.sigma is None:
                return foreground
            padding = 'replicate' if self.matching == 'classified' else 'zeros'
            return gaussian_smooth(foreground, self.sigma, self.kernel_size, padding)

    def _foreground(
        self, feats: Sequence[Tensor], masks: Sequence[Tensor], group_size: int
    ) -> Tensor:
        """``F`` (N, 1, h, w): the largest cosine with a prototype of the group."""
        if self.matching == 'classified':
            pairs = zip(self.block_indices, masks)
            own = [self._prototypes(feats, index, mask, group_size) for index, mask in pairs]
            return foreground_probability(self._pixels(feats, self.in_index), torch.cat(own, dim=1))
        maps = []
        for index in self.block_indices:
            pixels = self._pixels(feats, index)
            regions = F.interpolate(masks[0], size=pixels.shape[2:], mode='nearest')
            prototypes = self._prototypes(feats, index, regions, group_size)
            cosine = foreground_probability(pixels, prototypes)
            maps.append(resize(cosine, masks[0].shape[2:], mode='bilinear'))
        foreground = torch.cat(maps, dim=1).amax(dim=1, keepdim=True)
        peak = foreground.amax(dim=(2, 3), keepdim=True)
        return RELEASED_PEAK * foreground / peak.clamp(min=1e-5)

    def _prototypes(
        self, feats: Sequence[Tensor], index: int, regions: Tensor, group_size: int
    ) -> Tensor:
        """Region prototypes of a block, those of the whole group for each image: (N, g * R, C')."""
        # The projection of a mean is the mean of the projections, which takes longer.
        means = class_prototypes(regions, self._scaled(feats[index]))
        weight = self.projections[str(index)].get_parameter('weight')
        own = F.linear(means, weight.flatten(1))
        groups = own.reshape(len(own) // group_size, -1, own.shape[2])
        return at_least_float32(groups.repeat_interleave(group_size, dim=0))

    def _pixels(self, feats: Sequence[Tensor], index: int) -> Tensor:
        """``O_n`` (N, C', h, w) in at least float32."""
        return at_least_float32(self.projections[str(index)](self._scaled(feats[index])))

    def _scaled(self, features: Tensor) -> Tensor:
        """``relu(f / max f)`` up to a factor that cancels in the cosine."""
        return peak_normalize(features) if self.projection_peak == 'channel' else features.relu()


def resolve_group_size(data_samples: Sequence[SegDataSample], expected: int | None) -> int:
    """Number of images in a group: ``expected``, or what the samples' metainfo says, or 1.

    Raises:
        ValueError: The samples or ``expected`` disagree, or the batch is not made of whole groups.
    """
    sizes = {expected, *(sample.get('group_size') for sample in data_samples)} - {None}
    size = max(sizes, default=1)
    groups = [sample.get('group_index') for sample in data_samples]
    parts = [set(groups[start : start + size]) for start in range(0, len(groups), size)]
    if len(sizes) > 1 or len(groups) % size or max(map(len, parts)) > 1:
        raise ValueError(
            f'a batch must be made of whole groups of group_size={sorted(sizes)} images, but got the '
            f"groups {groups}: use PairDataset with collate_fn=dict(type='flatten_groups')"
        )
    return size


def drop_pixels(
    masks: Sequence[Tensor], data_samples: Sequence[SegDataSample], prob: float
) -> list[Tensor]:
    """Set each pixel of the masks (N, 1, h_n, w_n) to zero with a probability.

    Samples with the metainfo ``noise_seed`` get the same draw on every device and in any batch.
    """
    seeds = [sample.get('noise_seed') for sample in data_samples]
    generators = [None if s is None else torch.Generator().manual_seed(int(s)) for s in seeds]
    dropped = []
    for mask in masks:
        noise = [torch.rand(mask.shape[1:], generator=generator) for generator in generators]
        dropped.append(mask * (torch.stack(noise) >= prob).to(mask))
    return dropped

"""The SIPE head: image-specific class maps and their consistency with the general ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.cam import keep_labelled, peak_normalize, with_background
from mmwsss.functional.checks import check_choice, check_range
from mmwsss.functional.sipe import (
    at_least_float32,
    class_prototypes,
    keep_surest,
    locate_seeds,
    normalize_pixels,
    prototype_activation,
    structure_similarity,
)
from mmwsss.functional.valid import valid_mask
from mmwsss.models.heads.base import (
    BaseMapHead,
    complete_loss_weights,
    stack_boxes,
    stack_labels,
)

__all__ = ['SIPEHead']

_FEATURES = ('hierarchical', 'semantic')
_CHOICES = dict(
    feature=_FEATURES,
    seed_feature=_FEATURES,
    test_seed_feature=_FEATURES,
    background_from=('all', 'present'),
    valid_cell=('nearest', 'centre'),
    test_absent_classes=('compete', 'masked'),
    test_map=('is_cam', 'cam'),
)
LOSS_WEIGHTS = {'cls': 1.0, 'gsc': 1.0}


@MODELS.register_module()
class SIPEHead(BaseMapHead):
    """Self-supervised image-specific prototype exploration.

    Source: Chen et al., Self-supervised Image-specific Prototype Exploration for Weakly Supervised
    Semantic Segmentation, CVPR 2022. Per image:

    1. general CAM ``S``: peak-normalised logits with the background ``1 - max_k S_k``, resized to the
       size of ``h``, zero for absent classes and on padding (at test time see ``test_absent_classes``);
    2. seeds: each pixel's structure map is compared with ``S``, the background counts ``bg_attenuation``;
    3. prototypes: mean of the feature ``h`` over each class's seeds;
    4. IS-CAM: rectified cosine of ``h`` with each prototype;
    5. ``L = w_cls L_cls + w_gsc L_gsc``, ``L_gsc = mean |S - IS / (max_xy IS + eps)|`` over all channels
       and all pixels, padding included.

    The hierarchical feature ``h`` joins 1x1 convolutions of several stages, each normalised per pixel
    and resized to the size of stage ``size_index``. The semantic feature is the classified one.

    Gradients: both losses train the classifier and the backbone, ``L_gsc`` through ``S``; ``IS`` trains
    the side convolutions only, which see the stages detached; seeds have none. Side convolutions that
    no loss reaches (``gsc=False`` or ``feature='semantic'``) are frozen, so that checkpoints load
    whatever the switches are.

    Args:
        num_classes: Foreground classes K.
        in_channels: Channels of the classified (semantic) feature.
        in_index: Its position in the backbone's outputs.
        side_in_channels: Channels of the stages that side convolutions see.
        side_channels: Output channels of each side convolution.
        side_indices: Positions of these stages in the backbone's outputs.
        size_index: Position of the stage whose size the maps have.
        feature: Feature of prototypes and IS-CAM: ``'hierarchical'`` or ``'semantic'``.
        seed_feature: Feature in which seeds are located in training.
        test_seed_feature: The same at test time. Released: hierarchical; the paper is silent.
        background_modeling: Whether the background gets a prototype and a channel of the IS-CAM.
            Without, seeds still compete with it, but ``L_gsc`` and the maps are over the K classes.
        bg_attenuation: The paper's alpha, in [0, 1].
        background_from: Classes that the general CAM's background ``1 - max_k S_k`` looks at: ``'all'``
            (the paper and the released code) or ``'present'``, those of the image's label.
        valid_cell: Which point of a feature cell must lie in the unpadded image: ``'nearest'``, its
            top-left pixel (released), or ``'centre'``, see :func:`~mmwsss.functional.valid_mask`.
        test_absent_classes: Classes outside the image's label while seeds are located at test time:
            ``'compete'`` (released): the pixels they win become no seeds; ``'masked'``, as in training.
        test_seed_fraction: Part of each class's seeds that make its prototype at test time, in (0, 1],
            the surest first, see :func:`~mmwsss.functional.sipe.keep_surest`. 1: all (the paper).
        gsc: Whether the consistency loss is used (the paper's GSC).
        loss_weights: Weights of ``cls`` and ``gsc``; missing ones are 1.
        detach: Whether prototype features are cut off from the backbone.
        test_map: ``'is_cam'``, or ``'cam'`` for the general map of the same model.
        estimated_background: Whether :meth:`maps` returns the background channel, so that masks need
            no threshold. By default, whenever the IS-CAM has one; with ``'cam'`` it is ``1 - max_k S_k``.
        chunk_size: Rows of the correlation matrix held at once.
        init_cfg: MMEngine initialisation; PyTorch's default for the convolutions if None.

    Raises:
        ValueError: Unknown choices or weights, or side settings of different lengths.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        in_index: int = -1,
        side_in_channels: Sequence[int] = (256, 512, 1024, 2048),
        side_channels: Sequence[int] = (128, 128, 256, 256),
        side_indices: Sequence[int] = (0, 1, 2, 3),
        size_index: int = 2,
        feature: str = 'hierarchical',
        seed_feature: str = 'semantic',
        test_seed_feature: str = 'hierarchical',
        background_modeling: bool = True,
        bg_attenuation: float = 0.5,
        background_from: str = 'all',
        valid_cell: str = 'nearest',
        test_absent_classes: str = 'compete',
        test_seed_fraction: float = 1.0,
        gsc: bool = True,
        loss_weights: dict[str, float] | None = None,
        detach: bool = True,
        test_map: str = 'is_cam',
        estimated_background: bool | None = None,
        chunk_size: int = 256,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, in_index, init_cfg)
        self.feature = feature
        self.seed_feature = seed_feature
        self.test_seed_feature = test_seed_feature
        self.background_from = background_from
        self.valid_cell = valid_cell
        self.test_absent_classes = test_absent_classes
        self.test_seed_fraction = test_seed_fraction
        self.test_map = test_map
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        if not len(side_in_channels) == len(side_channels) == len(side_indices) > 0:
            raise ValueError(
                'side_in_channels, side_channels and side_indices must have one entry per side '
                f'convolution, but got {side_in_channels}, {side_channels} and {side_indices}'
            )
        check_range('bg_attenuation', bg_attenuation, '[0, 1]')
        check_range('test_seed_fraction', test_seed_fraction, '(0, 1]')
        if estimated_background and test_map == 'is_cam' and not background_modeling:
            raise ValueError(
                'estimated_background=True needs background_modeling=True with test_map=is_cam'
            )
        if estimated_background is None:
            estimated_background = background_modeling and test_map == 'is_cam'
        self.side_indices = tuple(side_indices)
        self.size_index = size_index
        self.background_modeling = background_modeling
        self.bg_attenuation = bg_attenuation
        self.gsc = gsc
        self.loss_weights = complete_loss_weights(loss_weights, LOSS_WEIGHTS)
        self.detach = detach
        self.has_background = estimated_background
        self.chunk_size = chunk_size
        self.classifier = nn.Conv2d(in_channels, num_classes, kernel_size=1, bias=False)
        self.side_convs = nn.ModuleList(
            nn.Conv2d(c_in, c_out, kernel_size=1, bias=False)
            for c_in, c_out in zip(side_in_channels, side_channels)
        )
        self.side_convs.requires_grad_(gsc and feature == 'hierarchical')

    def forward(self, feats: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute ``cam_logits`` (N, K, h', w') and, for the IS-CAM, the features it needs.

        These are ``hierarchical`` (N, sum of ``side_channels``, h, w) and / or ``semantic`` (N, C, h, w).
        """
        is_cam = self.test_map == 'is_cam'
        return self._outputs(feats, {self.feature, self.test_seed_feature} if is_cam else set())

    def maps(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """IS-CAM of one scale, in [0, 1], with its background if ``has_background``.

        For ``test_map='cam'`` the rectified logits (N, K, h', w') as ``CAMHead`` gives them, or the
        general CAM with its background.
        """
        if self.test_map == 'cam':
            cam = outputs['cam_logits'].clamp(min=0)
            cam = self._general_cam(outputs, labels) if self.has_background else cam
            return keep_labelled(cam, labels)
        scores = self._general_cam(outputs, labels, outputs[self.feature].shape[2:])
        if self.test_absent_classes == 'masked':
            scores = keep_labelled(scores, labels)
        valid = keep_labelled(torch.ones_like(scores), labels)
        activation = self._image_specific_cam(
            outputs, scores, valid, self.test_seed_feature, self.test_seed_fraction
        )
        only_classes = self.background_modeling and not self.has_background
        return activation[:, 1:] if only_classes else activation

    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Compute ``loss_cls`` and, with ``gsc``, ``loss_gsc``, both weighted; see the base class."""
        labels = stack_labels(data_samples, self.num_classes)
        names = {self.feature, self.seed_feature} if self.gsc else set()
        outputs = self._outputs(feats, names)
        classification = self.classification_loss(outputs, labels)
        losses = {'loss_cls': self.loss_weights['cls'] * classification}
        if self.gsc:
            boxes = stack_boxes(data_samples, labels.device)
            size = outputs[self.feature].shape[2:]
            valid = valid_mask(labels, boxes, image_size, size, self.valid_cell)
            consistency = self._consistency(outputs, labels, valid)
            losses['loss_gsc'] = self.loss_weights['gsc'] * consistency
        return losses

    def _consistency(self, outputs: dict[str, Tensor], labels: Tensor, valid: Tensor) -> Tensor:
        """``mean |S - IS / (max IS + eps)|`` for allowed classes and pixels (N, K + 1, h, w)."""
        scores = self._general_cam(outputs, labels, valid.shape[2:]) * valid
        activation = self._image_specific_cam(outputs, scores, valid, self.seed_feature)
        if not self.background_modeling:
            scores = scores[:, 1:]
        return (scores - peak_normalize(activation)).abs().mean()

    def feature_indices(self) -> Sequence[int]:
        """See :meth:`BaseMapHead.feature_indices`."""
        return [self.in_index, self.size_index, *self.side_indices]

    def _outputs(self, feats: Sequence[Tensor], names: set[str]) -> dict[str, Tensor]:
        """Logits and the named features, the latter at the size of stage ``size_index``."""
        outputs = {'cam_logits': self.classifier(feats[self.in_index])}
        size = feats[self.size_index].shape[2:]
        if 'hierarchical' in names:
            outputs['hierarchical'] = self._hierarchical_feature(feats, size)
        if 'semantic' in names:
            semantic = feats[self.in_index]
            outputs['semantic'] = _resize(semantic.detach() if self.detach else semantic, size)
        return outputs

    def _hierarchical_feature(self, feats: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Normalised side features of all stages, joined: (N, sum of side_channels, h, w)."""
        sides = []
        for conv, index in zip(self.side_convs, self.side_indices):
            stage = feats[index].detach() if self.detach else feats[index]
            sides.append(_resize(normalize_pixels(at_least_float32(conv(stage))), size))
        return torch.cat(sides, dim=1)

    def _general_cam(
        self, outputs: dict[str, Tensor], labels: Tensor, size: Sequence[int] | None = None
    ) -> Tensor:
        """Scores of all classes with background (N, K + 1, h, w), resized to ``size`` if given."""
        classes = peak_normalize(at_least_float32(outputs['cam_logits']))
        seen = keep_labelled(classes, labels) if self.background_from == 'present' else classes
        scores = torch.cat([with_background(seen)[:, :1], classes], dim=1)
        if size is not None and tuple(scores.shape[2:]) != tuple(size):
            scores = F.interpolate(scores, size=tuple(size), mode='bilinear', align_corners=True)
        return scores

    def _image_specific_cam(
        self,
        outputs: dict[str, Tensor],
        scores: Tensor,
        valid: Tensor,
        seed_feature: str,
        seed_fraction: float = 1.0,
    ) -> Tensor:
        """IS-CAM (N, K + 1, h, w), or (N, K, h, w) without background modelling."""
        with torch.no_grad():
            similarity = structure_similarity(outputs[seed_feature], scores, self.chunk_size)
            seeds = locate_seeds(similarity, valid, self.bg_attenuation)
            if seed_fraction < 1:
                seeds = keep_surest(seeds, similarity * valid, seed_fraction)
        if not self.background_modeling:
            seeds = seeds[:, 1:]
        features = at_least_float32(outputs[self.feature])
        return prototype_activation(class_prototypes(seeds, features), features)


def _resize(features: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize to (h, w); the tensor itself if it has that size."""
    if tuple(features.shape[2:]) == tuple(size):
        return features
    return F.interpolate(features, size=tuple(size), mode='bilinear', align_corners=False)

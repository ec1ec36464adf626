"""The localizer: a classifier that is trained on image labels and asked for class maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from mmwsss.functional.checks import check_choice, check_range
from mmwsss.functional.multi_scale import mirror_sum, multi_scale_maps
from mmwsss.io import IGNORE_INDEX
from mmwsss.models.heads.base import stack_labels
from mmwsss.models.image_model import ImageModel
from mmwsss.utils.names import check_known
from mmwsss.utils.precision import PRECISIONS, autocast

__all__ = ['ImageLevelClassifier']

DEFAULT_TEST_CFG = dict(
    scales=(1.0,),
    flip=True,
    labels='gt',
    score_threshold=0.5,
    stride=1,
    precision='float32',
    resize='float',
)
CHOICES = dict(
    labels=('gt', 'predicted'),
    precision=PRECISIONS,
    resize=('float', 'uint8'),
)


@MODELS.register_module()
class ImageLevelClassifier(ImageModel):
    """Any mmseg backbone and a map head, trained on image-level labels.

    Args:
        backbone: Config of a backbone that returns a tuple of feature maps.
        head: Config of a :class:`~mmwsss.models.heads.BaseMapHead`.
        data_preprocessor: Config of the preprocessor, usually ``WSSSDataPreProcessor``.
        freeze_norm: Keep all batch-norm layers of the backbone in evaluation mode.
        norm_affine: With ``freeze_norm``, whether their weights and biases are ``'frozen'`` too or
            ``'trained'`` outside of ``frozen_modules``, as in the released code of IRNet and SIPE.
        frozen_modules: Names of backbone submodules, such as ``('conv1', 'layer1')``, that get no
            gradient and stay in evaluation mode.
        test_cfg: How class maps are computed; missing keys take these defaults:
            ``scales=(1.0,)``, ``flip=True`` (each scale with its mirror),
            ``labels='gt'`` (classes of the image's label; ``'predicted'``: classes whose probability
            exceeds ``score_threshold=0.5``, at least the best one),
            ``stride=1`` (maps are written at 1/stride of the image size),
            ``precision='float32'`` (whatever a caller's autocast is; ``'float16'`` and ``'bfloat16'`` run
            the backbone under autocast, and the head in float32),
            ``resize='float'`` (scales resize the normalised image; ``'uint8'``: PIL resizes the picture
            before it is normalised, as in the released code; on the CPU).
        init_cfg: MMEngine initialisation.

    Raises:
        TypeError: The head is not one of a localizer.
        ValueError: Unknown ``norm_affine``, ``test_cfg`` keys or values, or a name in
            ``frozen_modules`` that the backbone does not have.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        data_preprocessor: dict | nn.Module | None = None,
        freeze_norm: bool = False,
        norm_affine: str = 'frozen',
        frozen_modules: Sequence[str] = (),
        test_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        if not hasattr(self.head, 'class_logits'):
            raise TypeError(
                'the head of a localizer must make class maps, as CAMHead does, but got '
                f'{type(self.head).__name__}'
            )
        check_choice('norm_affine', norm_affine, ('frozen', 'trained'))
        self.freeze_norm = freeze_norm
        self.frozen_modules = tuple(frozen_modules)
        for name in test_cfg or ():
            check_known('key of test_cfg', name, DEFAULT_TEST_CFG)
        self.test_cfg = {**DEFAULT_TEST_CFG, **(test_cfg or {})}
        for name, choices in CHOICES.items():
            check_choice(f'test_cfg.{name}', self.test_cfg[name], choices)
        smallest = min(self.test_cfg['scales'], default=0)
        check_range('smallest of test_cfg.scales', smallest, '(0, inf)')
        check_range('test_cfg.stride', self.test_cfg['stride'], '[1, inf)')
        for module in self._frozen(with_norms=norm_affine == 'frozen'):
            module.requires_grad_(False)
        self.train(self.training)

    def _frozen(self, with_norms: bool = True) -> list[nn.Module]:
        """The backbone's frozen modules, with or without the norms that ``freeze_norm`` names."""
        known = dict(self.backbone.named_modules())
        del known['']  # the backbone itself
        for name in self.frozen_modules:
            check_known('backbone module in frozen_modules', name, known)
        norms = (_BatchNorm, _InstanceNorm) if self.freeze_norm and with_norms else ()
        frozen = [known[name] for name in self.frozen_modules]
        return frozen + [module for module in known.values() if isinstance(module, norms)]

    def train(self, mode: bool = True) -> ImageLevelClassifier:
        """Set the training mode; frozen modules and norms stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        return self

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the backbone for images (N, C, H, W), and the images for a head that takes them."""
        feats = self.backbone(inputs)
        feats = tuple(feats) if isinstance(feats, (tuple, list)) else (feats,)
        for index in self.head.feature_indices():
            if not -len(feats) <= index < len(feats):
                raise ValueError(
                    f'{type(self.head).__name__} reads output {index} of the backbone, which has '
                    f'{len(feats)} (counted from 0): model.backbone.out_indices and the indices of '
                    'model.head must fit'
                )
        return (*feats, inputs) if self.head.takes_images else feats

    def tensors(self, inputs: Tensor) -> Tensor:
        """Compute the image logits (N, K)."""
        return self.head.class_logits(self.head(self.extract_feat(inputs)))

    def loss(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """The head's losses, for which it may ask for features at further ``loss_scales``."""
        scaled = (self._scaled_features(inputs),) if self.head.loss_scales else ()
        return self.head.loss(
            self.extract_feat(inputs), data_samples, tuple(inputs.shape[2:]), *scaled
        )

    def _scaled_features(self, inputs: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Features of the batch at the head's ``loss_scales``, one after the other."""
        for scale in self.head.loss_scales:
            with torch.set_grad_enabled(self.head.scale_gradient):
                feats = self.extract_feat(
                    F.interpolate(inputs, scale_factor=scale, mode='bilinear')
                )
            yield feats

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> list[SegDataSample]:
        """Classify each image and compute its class maps.

        Args:
            inputs: Normalised images (N, C, H, W).
            data_samples: Their samples; ``gt_label`` is needed unless ``test_cfg['labels']`` is
                ``'predicted'``.

        Returns:
            The samples with ``pred_score`` (K,) probabilities, ``pred_map_keys`` (n,) class ids
            (0 = background) and ``pred_map_scores`` (n, H / stride, W / stride) float32.
        """
        for image, sample in zip(inputs, data_samples):
            label = None
            if self.test_cfg['labels'] == 'gt':
                label = stack_labels([sample], self.head.num_classes)[0].to(image.device)
            score, keys, maps = self.class_maps(image, label)
            sample.set_data(dict(pred_score=score, pred_map_keys=keys, pred_map_scores=maps))
        return list(data_samples)

    @torch.no_grad()
    def class_maps(
        self, image: Tensor, label: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the fused class maps of one image.

        Args:
            image: Normalised image (C, H, W).
            label: Multi-hot label (K,); predicted from the image itself if None.

        Returns:
            Class probabilities (K,), class ids (n,) int64 in ascending order (0 = background, only
            if the head has one), and maps (n, h, w) float32 in [0, 1).
        """
        if label is None:
            label = self.predict_label(image)
        keys = label.nonzero()[:, 0] + 1
        if self.head.has_background:
            keys = torch.cat([keys.new_zeros(1), keys])
        channels = keys if self.head.has_background else keys - 1
        logits: list[Tensor] = []
        mean = getattr(self.data_preprocessor, 'mean', 0.0)
        std = getattr(self.data_preprocessor, 'std', 1.0)

        def map_function(views: Tensor) -> Tensor:
            if views.dtype == torch.uint8:
                views = (views.float() - mean) / std
            maps, logit = self.view_maps(self._test_features(views), label[None])
            logits.append(logit)
            return maps[channels]

        scales, flip, stride = (self.test_cfg[key] for key in ('scales', 'flip', 'stride'))
        height, width = (-(-side // stride) for side in image.shape[1:])
        with autocast(image.device, 'float32'):
            if self.test_cfg['resize'] == 'uint8':
                image = (image * std + mean).round().clamp(0, 255).to(torch.uint8)
            maps = multi_scale_maps(image, map_function, scales, flip, (height, width))
        return torch.stack(logits).mean(dim=0).sigmoid(), keys, maps

    def view_maps(self, feats: Sequence[Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Maps and logits of one image.

        Args:
            feats: Backbone features of the image or of it and its mirrored view, which are fused.
            labels: Multi-hot labels (1, K).

        Returns:
            Maps of all classes, with the background first where the head has one, and logits (K,).
        """
        views = len(feats[0])
        outputs = seen = mirror_sum(self.head(feats))
        if self.head.takes_labels:  # the maps only: probabilities must not know the answer
            outputs = mirror_sum(self.head(feats, labels.expand(views, -1)))
        return self.head.maps(outputs, labels)[0], self.head.class_logits(seen)[0].float() / views

    def _test_features(self, views: Tensor) -> tuple[Tensor, ...]:
        """Backbone features in ``test_cfg['precision']``, handed on in the views' dtype."""
        with autocast(views.device, self.test_cfg['precision']):
            return tuple(feat.to(views.dtype) for feat in self.extract_feat(views))

    @torch.no_grad()
    def predict_label(self, image: Tensor) -> Tensor:
        """Multi-hot label (K,) of the classes above ``score_threshold``, at least the best one."""
        with autocast(image.device, 'float32'):
            feats = self._test_features(image[None])
            score = self.head.class_logits(self.head(feats)).sigmoid()[0]
        return self._label_from(score)

    def _label_from(self, score: Tensor) -> Tensor:
        """Multi-hot label (K,) from probabilities (K,), which it may change."""
        if len(score) >= IGNORE_INDEX:
            score[IGNORE_INDEX - 1] = -1  # stands for no class
        label = (score > self.test_cfg['score_threshold']).float()
        label[score.argmax()] = 1
        return label

"""The MCTformer+ head: class tokens that say what is there, and whose attention says where."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.cam import keep_labelled
from mmwsss.functional.checks import check_range
from mmwsss.functional.mctformer import attention_refine, ranked_pooling, token_contrast
from mmwsss.functional.sipe import at_least_float32
from mmwsss.functional.valid import valid_mask
from mmwsss.models.heads.base import (
    BaseMapHead,
    complete_loss_weights,
    stack_boxes,
    stack_labels,
)

__all__ = ['MCTformerHead']

LOSS_WEIGHTS = {'token': 1.0, 'patch': 1.0, 'contrast': 1.0}


@MODELS.register_module()
class MCTformerHead(BaseMapHead):
    """Classification by class tokens and by patches, and maps refined by attention.

    Source: Xu et al., MCTformer+: Multi-Class Token Transformer for Weakly Supervised Semantic Segmentation,
    TPAMI 2024. For ``MCTVisionTransformer``. Losses:

    - ``token``: soft margin of the mean over channels of each last class token;
    - ``patch``: soft margin of the patch logits, a 3x3 convolution, pooled by rank; padding does not count;
    - ``contrast``: of the class tokens of each layer (:func:`~mmwsss.functional.token_contrast`).

    Maps: ``P sqrt(A relu(X))`` of each view (:func:`~mmwsss.functional.attention_refine`), ``A`` the
    attention of class tokens to patches, averaged over the last layers, ``P`` that of patches to patches,
    summed over all. Image and un-mirrored mirror are added and the minimum of each map is taken off. There
    is no background: a mask needs a threshold. Image logits are the mean of those of tokens and patches.

    Args:
        num_classes: Foreground classes K, those of the backbone.
        in_channels: Channels of the patch tokens.
        in_index: Their position in the backbone's outputs; class tokens and attentions follow them.
        decay: Weight of a logit relative to the next larger one, in (0, 1].
        attention_layers: Of how many of the last layers class attention is averaged.
        loss_weights: Weights of ``token``, ``patch`` and ``contrast``; missing ones are 1.
        init_cfg: MMEngine initialisation; PyTorch's default for the convolution if None.

    Raises:
        ValueError: A number is out of range, or weights are unknown.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 384,
        in_index: int = 0,
        decay: float = 0.996,
        attention_layers: int = 3,
        loss_weights: dict[str, float] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, in_index, init_cfg)
        check_range('in_index', in_index, '[0, inf)')
        check_range('decay', decay, '(0, 1]')
        check_range('attention_layers', attention_layers, '[1, inf)')
        self.decay = decay
        self.attention_layers = attention_layers
        self.loss_weights = complete_loss_weights(loss_weights, LOSS_WEIGHTS)
        self.classifier = nn.Conv2d(in_channels, num_classes, kernel_size=3, padding=1)

    def feature_indices(self) -> Sequence[int]:
        """See :meth:`BaseMapHead.feature_indices`."""
        return [self.in_index, self.in_index + 1]

    def forward(self, feats: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute the refined ``cam``, ``cam_logits`` of patches (N, K, h, w) and ``logits`` (N, K, 1, 1).

        Raises:
            ValueError: The backbone has another number of classes, fewer layers, or gave no attention.
        """
        patches, tokens, *attention = feats[self.in_index :]
        if not attention:
            raise ValueError(
                'MCTformerHead: maps need the attention that MCTVisionTransformer returns in evaluation '
                'mode, but got none: call model.eval()'
            )
        class_attention, patch_attention = attention
        cam_logits = at_least_float32(self.classifier(patches))
        pooled = ranked_pooling(cam_logits, self.decay)
        logits = (self.token_logits(tokens) + pooled) / 2
        check_range('attention_layers', self.attention_layers, f'[1, {class_attention.shape[1]}]')
        class_attention = class_attention[:, -self.attention_layers :].mean(dim=1)
        cam = attention_refine(
            cam_logits, at_least_float32(class_attention), at_least_float32(patch_attention)
        )
        return {'cam': cam, 'cam_logits': cam_logits, 'logits': logits[:, :, None, None]}

    def token_logits(self, tokens: Tensor) -> Tensor:
        """Mean over channels (N, K) of the last layer's class tokens, given (N, layers, K, C).

        Raises:
            ValueError: There are not K tokens.
        """
        if tokens.ndim != 4 or tokens.shape[2] != self.num_classes:
            raise ValueError(
                f'MCTformerHead of {self.num_classes} classes: expected class tokens (N, layers, '
                f'{self.num_classes}, C), but got {tuple(tokens.shape)}; num_classes of MCTVisionTransformer '
                'and head must be equal'
            )
        return at_least_float32(tokens[:, -1]).mean(dim=2)

    def class_logits(self, outputs: dict[str, Tensor]) -> Tensor:
        """Image logits (N, K): the mean of those of the class tokens and of the patches."""
        return outputs['logits'][:, :, 0, 0]

    def maps(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Refined maps (N, K, h, w) of the labelled classes, the minimum of each taken off."""
        cam = outputs['cam']
        return keep_labelled(cam - cam.amin(dim=(2, 3), keepdim=True), labels)

    def loss(
        self,
        feats: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        image_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Compute ``loss_token``, ``loss_patch`` and ``loss_contrast``, all weighted; see the base class."""
        patches, tokens = feats[self.in_index], feats[self.in_index + 1]
        labels = stack_labels(data_samples, self.num_classes)
        boxes = stack_boxes(data_samples, labels.device)
        inside = valid_mask(labels, boxes, image_size, patches.shape[2:])[:, :1]
        pooled = ranked_pooling(at_least_float32(self.classifier(patches)), self.decay, inside)
        terms = {
            'token': F.multilabel_soft_margin_loss(self.token_logits(tokens), labels),
            'patch': F.multilabel_soft_margin_loss(pooled, labels),
            'contrast': token_contrast(at_least_float32(tokens), labels),
        }
        return {f'loss_{term}': self.loss_weights[term] * loss for term, loss in terms.items()}

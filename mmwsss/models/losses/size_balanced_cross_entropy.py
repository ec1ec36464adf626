"""The size-weighted cross-entropy as a loss of any mmseg decode head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmwsss.functional.checks import check_range
from mmwsss.functional.size_weights import size_balanced_cross_entropy
from mmwsss.utils.names import has_background
from mmwsss.utils.processes import mean_over_processes

__all__ = ['SizeBalancedCrossEntropyLoss', 'check_background_index']


def check_background_index(model: nn.Module, dataset: object) -> None:
    """Refuse size weights that leave class 0 out as background where the data have no background."""
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes') or ('background',)
    for loss in () if has_background(classes) else model.modules():
        if isinstance(loss, SizeBalancedCrossEntropyLoss) and loss.leaves_out is not None:
            raise ValueError(
                f'{type(loss).__name__} leaves class {loss.leaves_out} ({classes[loss.leaves_out]}) out as '
                'background, but the dataset has none (background=False): set background_index=None'
            )


@MODELS.register_module()
class SizeBalancedCrossEntropyLoss(nn.Module):
    """Cross-entropy in which small components of a class weigh more, ``L_sw`` of the paper.

    Source: Mun et al., Small Objects Matters in Weakly-supervised Semantic Segmentation, WACV 2024.
    With ``EWCHook``, which adds the penalty ``loss_ewc``, it makes up the paper's ``L_sb``. It fits every
    head that passes logits (N, C, H, W) and labels (N, H, W), not those that train on sampled points
    (``PointHead``) or with one sigmoid channel.

    Args:
        tau: Largest weight, at least 1. The default is that of the authors' released code.
        class_weight: A factor per class.
        reduction: ``'mean'``, ``'sum'`` or ``'none'``.
        loss_weight: Factor of the loss.
        loss_name: Its key in the loss dictionary; must contain ``loss`` to take part in training.
        **options: ``total``, ``normalize``, ``balance_background``, ``background_index`` and
            ``avg_non_ignore`` of :func:`mmwsss.functional.size_weights.size_balanced_cross_entropy`.

    Raises:
        TypeError: An option is unknown.
        ValueError: An argument is not as described.
    """

    def __init__(
        self,
        tau: float = 5.0,
        class_weight: Sequence[float] | None = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        loss_name: str = 'loss_sw',
        **options: Any,
    ) -> None:
        super().__init__()
        if 'loss' not in loss_name:
            raise ValueError(
                f"loss_name must contain 'loss' to be trained on, but got {loss_name!r}"
            )
        self.class_weight: Tensor | None
        weights = None if class_weight is None else torch.tensor(class_weight, dtype=torch.float32)
        self.register_buffer('class_weight', weights, persistent=False)
        self.options = {'tau': tau, **options}
        self.reduction = reduction
        self.loss_weight = loss_weight
        self._loss_name = loss_name
        check_range('smallest class_weight', min(class_weight or [0]), '[0, inf)')
        logits, label = torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, dtype=torch.long)
        # Checks the options now.
        size_balanced_cross_entropy(logits, label, **self.options, reduction=reduction)

    @property
    def loss_name(self) -> str:
        """Key of this loss in the dictionary that a head returns."""
        return self._loss_name

    @property
    def leaves_out(self) -> int | None:
        """The class whose pixels have weight 1."""
        if self.options.get('balance_background'):
            return None
        return self.options.get('background_index', 0)

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Compute the loss of scores (N, C, H, W) and labels (N, H, W), as mmseg's heads call it."""
        if cls_score.ndim == 4 and cls_score.shape[1] == 1:
            raise ValueError(
                'cls_score has one channel; this loss is a softmax over classes: '
                'set out_channels of the decode head to its num_classes'
            )
        return self.loss_weight * size_balanced_cross_entropy(
            cls_score,
            label,
            **self.options,
            weight=weight,
            class_weight=self.class_weight,
            ignore_index=ignore_index,
            reduction=reduction_override or self.reduction,
            avg_factor=avg_factor,
            mean_over_processes=mean_over_processes,
        )

    def extra_repr(self) -> str:
        """What distinguishes this loss, for ``print(model)``."""
        options = {**self.options, 'loss_weight': self.loss_weight}
        return ', '.join(f'{key}={value}' for key, value in options.items())

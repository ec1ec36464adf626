"""Cross-entropy whose mean does not depend on how the batch is shared among processes."""

from __future__ import annotations

from typing import Any

from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import MODELS
from torch import Tensor

from mmwsss.utils.processes import mean_over_processes

__all__ = ['GlobalCrossEntropyLoss']


@MODELS.register_module()
class GlobalCrossEntropyLoss(CrossEntropyLoss):
    """Softmax cross-entropy, averaged over the labelled pixels of the *global* batch.

    mmseg's ``CrossEntropyLoss(avg_non_ignore=True)`` divides by the labelled pixels of one process: a pixel
    beside many ignored ones counts more. With one process the two losses are equal.

    Args:
        loss_weight: Factor of the loss.
        loss_name: Its key in the dict of losses.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_ce') -> None:
        super().__init__(loss_weight=loss_weight, loss_name=loss_name, avg_non_ignore=True)

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> Tensor:
        """Compute the loss of logits (N, C, H, W) and labels (N, H, W), as mmseg's heads call it."""
        if avg_factor is None and reduction_override in (None, 'mean'):
            avg_factor = mean_over_processes((label != ignore_index).sum()).item()
        return super().forward(
            cls_score, label, weight, avg_factor, reduction_override, ignore_index, **kwargs
        )

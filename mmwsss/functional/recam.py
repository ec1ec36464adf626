"""ReCAM: each class's own feature, told apart by a softmax (Chen et al., CVPR 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.functional.cam import peak_normalize
from mmwsss.functional.checks import check_shapes

__all__ = ['class_features', 'present_class_loss']


def class_features(cam_logits: Tensor, features: Tensor) -> Tensor:
    """Mean of the feature under each class's map: ``f_k = mean_xy(S_k f)`` with ``S_k`` of peak one.

    Args:
        cam_logits: ``A`` (N, K, h, w).
        features: ``f`` (N, C, h, w).

    Returns:
        (N, K, C), of ``features``' dtype; no product of (N, K, C, h, w) is made.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(cam_logits=(cam_logits, 'N K h w'), features=(features, 'N C h w'))
    scores = peak_normalize(cam_logits).flatten(2)
    return torch.einsum('nkp,ncp->nkc', scores, features.flatten(2)) / scores.shape[2]


def present_class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy of each present class's own logits, averaged per image, then over images.

    Args:
        logits: (N, K, K): row ``k`` holds the logits of the feature of class ``k``, whose target is ``k``.
        labels: Multi-hot (N, K). An image without a class counts as 0.

    Returns:
        Scalar.

    Raises:
        ValueError: Shapes do not fit.
    """
    K = labels.shape[-1]
    check_shapes(logits=(logits, f'N {K} {K}'), labels=(labels, 'N K'))
    targets = torch.arange(K, device=logits.device).expand(len(logits), K)
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction='none')  # (N, K)
    present = (labels > 0).to(losses)
    return ((losses * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)).mean()

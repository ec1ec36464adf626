"""Multi-class token transformers as pure tensor functions (Xu et al., MCTformer+, TPAMI 2024)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.functional.checks import check_range, check_shapes
from mmwsss.functional.recam import present_class_loss

__all__ = ['attention_refine', 'ranked_pooling', 'token_contrast']


def ranked_pooling(logits: Tensor, decay: float = 0.996, inside: Tensor | None = None) -> Tensor:
    """Global weighted ranking pooling: ``sum_j d^j x_(j) / sum_j d^j``, ``x_(0)`` the largest logit.

    Args:
        logits: (N, K, h, w), floating point.
        decay: ``d`` in (0, 1]; 1 is the mean.
        inside: Ones at cells that count and zeros at padding (N, 1, h, w). None: all count.

    Returns:
        (N, K); 0 where no cell counts. Differentiable.

    Raises:
        ValueError: Shapes do not fit or ``decay`` is out of range.
    """
    check_shapes(logits=(logits, 'N K h w'))
    check_range('decay', decay, '(0, 1]')
    inside = torch.ones_like(logits[:, :1]) if inside is None else inside
    check_shapes(inside=(inside, 'N 1 h w'), logits=(logits, 'N K h w'))
    counted = inside.flatten(1) > 0
    ranked = logits.flatten(2).masked_fill(~counted[:, None], -torch.inf).sort(descending=True)[0]
    ranks = torch.arange(ranked.shape[2], device=logits.device)
    is_counted = (ranks < counted.sum(dim=1, keepdim=True))[:, None]  # the padding is last
    weights = is_counted * decay ** ranks.to(logits.dtype)
    total = weights.sum(dim=2).clamp(min=torch.finfo(logits.dtype).tiny)
    return (ranked.masked_fill(~is_counted, 0) * weights).sum(dim=2) / total


def token_contrast(tokens: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the cosines of an image's class tokens against the identity.

    Averaged over the present classes, then over layers and images. Each present class's token is to be
    like itself and unlike those of all K classes.

    Args:
        tokens: Class tokens of some layers (N, layers, K, C).
        labels: Multi-hot (N, K). An image without a class counts as 0.

    Returns:
        Scalar.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(tokens=(tokens, 'N layers K C'), labels=(labels, 'N K'))
    tokens = F.normalize(tokens, dim=3)
    cosines = tokens @ tokens.transpose(2, 3)
    labels = labels[:, None].expand(cosines.shape[:3])
    return present_class_loss(cosines.flatten(0, 1), labels.flatten(0, 1))


def attention_refine(logits: Tensor, class_attention: Tensor, patch_attention: Tensor) -> Tensor:
    """Class maps spread over patches by attention: ``M = P sqrt(A relu(X))``.

    Args:
        logits: ``X``, of patches (N, K, h, w).
        class_attention: ``A``, of each class token to the patches (N, K, h, w), not negative.
        patch_attention: ``P``, of each patch (row) to each patch (N, h w, h w), not negative.

    Returns:
        (N, K, h, w), not negative. For inference: the root has no gradient at zero.

    Raises:
        ValueError: Shapes do not fit.
    """
    check_shapes(logits=(logits, 'N K h w'), class_attention=(class_attention, 'N K h w'))
    maps = (class_attention * logits.clamp(min=0)).sqrt().flatten(2)
    check_shapes(maps=(maps, 'N K L'), patch_attention=(patch_attention, 'N L L'))
    return (maps @ patch_attention.transpose(1, 2)).view_as(logits)

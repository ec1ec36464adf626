"""Test-time augmentation that keeps the averaged scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import SampleList
from torch import Tensor

__all__ = ['ScoreTTAModel']


@MODELS.register_module()
class ScoreTTAModel(SegTTAModel):
    """mmseg's ``SegTTAModel`` whose ``seg_logits`` are those of its labels.

    The softmax scores of all views are averaged, as there; ``seg_logits`` is their logarithm, not the
    logits of the last view, as the dense CRF at test time needs. For two classes or more. Memory does
    not grow with the number of views.
    """

    def test_step(self, data: dict[str, Any]) -> SampleList:
        """Predict the views one after the other and average their scores.

        Args:
            data: A batch of a ``TestTimeAug`` pipeline: for each key a list with one batch per view.

        Returns:
            One sample per image, the last view's with merged ``seg_logits`` (K, H, W) and
            ``pred_sem_seg`` (1, H, W); ground truth and path are the first view's.
        """
        views = range(len(next(iter(data.values()))))
        return merge_views(self.module.test_step({k: v[i] for k, v in data.items()}) for i in views)


def merge_views(views: Iterable[Sequence[SegDataSample]]) -> SampleList:
    """Average the scores of each image over the views, holding the logits of one at a time."""
    totals: list[Tensor] = []
    for count, samples in enumerate(views, start=1):
        scores = [sample.seg_logits.data.softmax(dim=0) for sample in samples]
        for sample in samples:
            del sample.seg_logits
        if count == 1:
            firsts, totals = samples, scores
        else:
            totals = [total.add_(score) for total, score in zip(totals, scores)]
        del scores
    for first, last, total in zip(firsts, samples, totals):
        logits = total.div_(count).clamp_(min=1e-12).log_()
        last.seg_logits = PixelData(data=logits)
        last.pred_sem_seg = PixelData(data=logits.argmax(dim=0, keepdim=True))
        if 'gt_sem_seg' in first:
            last.gt_sem_seg = first.gt_sem_seg
        last.set_metainfo({'img_path': first.img_path})
    return list(samples)

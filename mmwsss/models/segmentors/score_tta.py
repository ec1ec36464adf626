"""Test-time augmentation that keeps the averaged scores."""

from __future__ import annotations

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.utils import SampleList

__all__ = ['ScoreTTAModel']


@MODELS.register_module()
class ScoreTTAModel(SegTTAModel):
    """mmseg's ``SegTTAModel`` whose ``seg_logits`` are those of its labels.

    The softmax scores of all views are averaged, as there; ``seg_logits`` is their logarithm, so that
    its softmax gives the averaged scores back. mmseg's leaves the logits of the last view, which the
    dense CRF at test time has no use for. For two classes or more.
    """

    def merge_preds(self, data_samples_list: list[SampleList]) -> SampleList:
        """Merge the predictions of all views of each image.

        Args:
            data_samples_list: For each image its views, with ``seg_logits`` (K, H, W), K >= 2.

        Returns:
            One sample per image, the last view's with merged ``seg_logits`` and ``pred_sem_seg``
            (1, H, W).
        """
        merged = super().merge_preds(data_samples_list)
        for sample, views in zip(merged, data_samples_list):
            scores = torch.stack([view.seg_logits.data.softmax(dim=0) for view in views])
            logits = scores.mean(dim=0).clamp(min=1e-12).log()
            sample.set_data(
                {
                    'seg_logits': PixelData(data=logits),
                    'pred_sem_seg': PixelData(data=logits.argmax(dim=0, keepdim=True)),
                }
            )
        return merged

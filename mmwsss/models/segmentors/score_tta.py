"""Test-time augmentation that keeps the averaged scores."""

from __future__ import annotations

from collections.abc import Iterator
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

    The softmax scores of all views are averaged, as there; ``seg_logits`` is their logarithm, so that
    its softmax gives the averaged scores back. mmseg's leaves the logits of the last view, which the
    dense CRF at test time has no use for. For two classes or more.

    The scores are added up view by view, so that memory does not grow with the number of views, while
    mmseg's holds the logits of all of them.
    """

    def test_step(self, data: dict[str, Any] | list | tuple) -> SampleList:
        """Predict the views one after the other and average their scores.

        Args:
            data: A batch of a ``TestTimeAug`` pipeline: for each key a list with one batch per view.

        Returns:
            See :meth:`merge_preds`.
        """
        merged: list[_Merged] = []
        for view in views_of(data):
            samples = self.module.test_step(view)
            merged = merged or [_Merged() for _ in samples]
            for image, sample in zip(merged, samples):
                image.add(sample)
            del samples, sample  # nor the logits of this view while the next is predicted
        return [image.result() for image in merged]

    def merge_preds(self, data_samples_list: list[SampleList]) -> SampleList:
        """Merge the predictions of all views of each image.

        Args:
            data_samples_list: For each image its views, with ``seg_logits`` (K, H, W), K >= 2.

        Returns:
            One sample per image, the last view's with merged ``seg_logits`` and ``pred_sem_seg``
            (1, H, W); ground truth and path are the first view's.
        """
        merged = [_Merged() for _ in data_samples_list]
        for image, views in zip(merged, data_samples_list):
            for view in views:
                image.add(view)
        return [image.result() for image in merged]


class _Merged:
    """The views of one image: the sum of their scores, and all of the samples but their logits."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.count = 0
        self.first = self.last = SegDataSample()

    def add(self, sample: SegDataSample) -> None:
        """Add a view."""
        scores = sample.seg_logits.data.softmax(dim=0)
        self.total = scores if self.total is None else self.total.add_(scores)
        self.last = sample.new()
        del self.last.seg_logits
        if not self.count:
            self.first = self.last
        self.count += 1

    def result(self) -> SegDataSample:
        """The last sample with the averaged scores."""
        logits = self.total.div_(self.count).clamp_(min=1e-12).log_()
        self.last.set_data(
            {
                'seg_logits': PixelData(data=logits),
                'pred_sem_seg': PixelData(data=logits.argmax(dim=0, keepdim=True)),
            }
        )
        if hasattr(self.first, 'gt_sem_seg'):
            self.last.set_data({'gt_sem_seg': self.first.gt_sem_seg})
        self.last.set_metainfo({'img_path': self.first.img_path})
        return self.last


def views_of(data: dict[str, Any] | list | tuple) -> Iterator[dict[str, Any] | list]:
    """Yield the batch of each view.

    Raises:
        TypeError: ``data`` is neither a dictionary nor a list.
    """
    if isinstance(data, dict):
        for i in range(len(next(iter(data.values())))):
            yield {key: value[i] for key, value in data.items()}
    elif isinstance(data, (list, tuple)):
        for i in range(len(data[0])):
            yield [value[i] for value in data]
    else:
        raise TypeError(f'data must be a dictionary or a list, but got {type(data).__name__}')

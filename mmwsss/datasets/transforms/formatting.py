"""Packing of images with image-level labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS
from torch import Tensor

from mmwsss.functional.checks import check_range

from .valid_box import get_valid_box

__all__ = ['PackWSSSInputs', 'multi_hot']


@TRANSFORMS.register_module()
class PackWSSSInputs(PackSegInputs):
    """``PackSegInputs`` that also packs the image-level label and the valid box.

    The packed ``SegDataSample`` has ``gt_label``, float32 (K,) multi-hot (entry k - 1 for class
    id k), if the dataset knows the image's label (``img_label``); ``gt_sem_seg`` if a mask was
    loaded; and beside mmseg's metainfo ``img_id`` and ``valid_box`` (x1, y1, x2, y2), the half-open
    pixel box that shows the image (all of it without padded crop).

    Raises:
        ValueError: A class id of ``img_label`` does not lie in 1..``num_fg_classes``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.meta_keys: tuple[str, ...] = ('img_id', *self.meta_keys, 'valid_box')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack ``inputs`` and ``data_samples``."""
        if 'img' in results:
            results['valid_box'] = get_valid_box(results)
        packed = super().transform(results)
        label = results.get('img_label')
        if label is not None:
            packed['data_samples'].gt_label = multi_hot(label, results['num_fg_classes'])
        return packed


def multi_hot(label: Sequence[int], num_fg_classes: int) -> Tensor:
    """Return float32 (K,) with ones at the class ids (1..K) of ``label``.

    Raises:
        ValueError: A class id does not lie in 1..K.
    """
    for class_id in label:
        check_range('class ids', class_id, f'[1, {num_fg_classes}]')
    target = torch.zeros(num_fg_classes)
    target[torch.as_tensor(label, dtype=torch.long) - 1] = 1
    return target

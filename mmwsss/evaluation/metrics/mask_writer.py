"""Predicted masks as files, beside the metrics of a test."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from mmwsss.io import safe_join, save_mask, voc_palette

__all__ = ['MaskWriter']


@METRICS.register_module()
class MaskWriter(BaseMetric):
    """Write the predicted masks as palette PNGs, named by the images' ids with their sub-folders.

    That is what VOC's evaluation server takes. Scores nothing.

    Args:
        out: Folder for the masks.
        image_root: Folder of the images: where a dataset has no ids, the path below it is the name.
    """

    def __init__(self, out: str, image_root: str = '') -> None:
        super().__init__()
        self.out, self.image_root = out, image_root

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Write the masks of a batch."""
        palette = self.dataset_meta.get('palette') or voc_palette(len(self.dataset_meta['classes']))
        for sample in data_samples:
            labels = torch.as_tensor(sample['pred_sem_seg']['data']).squeeze(0).cpu().numpy()
            reduced = bool(sample.get('reduce_zero_label'))
            name = self.name(sample)
            path = safe_join(self.out, name, '.png')
            # The file has the ids of the annotation, as mmseg's.
            save_mask(path, labels + reduced, [[0, 0, 0]] * reduced + list(palette))
            self.results.append(name)

    def name(self, sample: dict[str, Any]) -> str:
        """Id of an image; else its path below the folder of images, or its own name."""
        if sample.get('img_id'):
            return str(sample['img_id'])
        path = Path(os.path.relpath(sample['img_path'], self.image_root or None))
        inside = self.image_root and '..' not in path.parts
        return path.with_suffix('').as_posix() if inside else path.stem

    def compute_metrics(self, results: list[str]) -> dict[str, float]:
        """No scores."""
        return {}

"""The project's dataset: a plain mmseg one."""

from __future__ import annotations

from typing import ClassVar

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

__all__ = ['LeafDataset']


@DATASETS.register_module()
class LeafDataset(BaseSegDataset):
    """Images (.jpg) and masks (.png) with the classes of mmwsss's generated demo data."""

    METAINFO: ClassVar[dict] = dict(
        classes=('background', 'lantern', 'kite', 'beetle', 'teapot', 'umbrella'),
        palette=[[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128]],
    )

"""A project of its own: it registers a backbone and a dataset in mmseg's registries, and knows no mmwsss."""

from leaves.backbone import LeafNet
from leaves.dataset import LeafDataset

__all__ = ['LeafDataset', 'LeafNet']

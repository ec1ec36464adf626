"""Heads: the localizers' (class maps) and the segmenters' (decode heads)."""

from mmwsss.models.heads.base import BaseMapHead, stack_labels
from mmwsss.models.heads.cam_head import CAMHead

__all__ = ['BaseMapHead', 'CAMHead', 'stack_labels']

"""Voting of precomputed segments as a refiner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmwsss.functional.checks import check_range
from mmwsss.functional.segment_vote import segment_vote
from mmwsss.io import ClassMaps, load_segments, require_folder, safe_join
from mmwsss.refine.base import BaseRefiner, MapsOrLabels
from mmwsss.refine.chain import labels_from_maps
from mmwsss.registry import REFINERS

__all__ = ['SegmentVote']


@REFINERS.register_module()
class SegmentVote(BaseRefiner):
    """Give each precomputed segment the foreground class that it mostly holds.

    Segments come from files ``<segment_dir>/<image id>.json``, which ``mmwsss data segments`` makes of
    the masks of Segment Anything or any other program, or of superpixels. Class maps vote by their
    argmax. See :func:`~mmwsss.functional.segment_vote`.

    Args:
        segment_dir: Folder of the files.
        max_area: Larger segments, as a share of the image, are left out; superpixels never are.
        min_share: A segment takes its class if the class's share in it is larger,
        min_cover: or if it covers at least this share of the class.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        segment_dir: str,
        max_area: float = 0.5,
        min_share: float = 0.5,
        min_cover: float = 0.85,
    ) -> None:
        check_range('max_area', max_area, '[0, 1]')
        check_range('min_share', min_share, '[0, 1]')
        check_range('min_cover', min_cover, '(0, 1]')
        self.segment_dir = Path(segment_dir)
        self.numbers: dict[str, Any] = {
            'max_area': max_area,
            'min_share': min_share,
            'min_cover': min_cover,
        }

    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> np.ndarray:
        """Return labels (H, W), see :class:`BaseRefiner`.

        Raises:
            FileNotFoundError: There are no segments of this image.
            ValueError: Class maps without a background map, or segments that do not fit.
        """
        labels = labels_from_maps(maps) if isinstance(maps, ClassMaps) else maps
        path = safe_join(self.folder(), image_id, '.json')
        return segment_vote(labels, load_segments(path, labels.shape), **self.numbers)

    def input_files(self) -> Sequence[str]:
        """The folder of segments."""
        return [str(self.folder())]

    def folder(self) -> Path:
        """The folder of segments, which is there."""
        return require_folder('segment_dir, from `mmwsss data segments`,', self.segment_dir)

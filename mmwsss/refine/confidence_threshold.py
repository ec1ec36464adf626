"""Doubtful pixels become undecided."""

from __future__ import annotations

import numpy as np

from mmwsss.functional.checks import check_range
from mmwsss.io import IGNORE_INDEX
from mmwsss.refine.base import BaseRefiner, MapsOrLabels, require_maps
from mmwsss.registry import REFINERS

__all__ = ['ConfidenceThreshold']


@REFINERS.register_module()
class ConfidenceThreshold(BaseRefiner):
    """Label the pixels whose largest probability is high enough, and leave the others undecided (255).

    Probabilities are what a :class:`DenseCRF` before it returns. Source: Lin et al., CLIP-ES, CVPR 2023.

    Args:
        min_confidence: In [0, 1]; CLIP-ES has 0.95.

    Raises:
        ValueError: ``min_confidence`` does not lie in [0, 1].
    """

    needs_background = False

    def __init__(self, min_confidence: float = 0.95) -> None:
        check_range('min_confidence', min_confidence, '[0, 1]')
        self.min_confidence = min_confidence

    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> np.ndarray:
        """Return labels (H, W).

        Raises:
            TypeError: Labels arrived.
            ValueError: The maps have no background map.
        """
        maps = require_maps(
            maps, 'ConfidenceThreshold', 'put a BackgroundThreshold and a DenseCRF before it'
        )
        scores = maps.full_size_scores()
        labels: np.ndarray = maps.keys[scores.argmax(axis=0)]
        labels[scores.max(axis=0) < self.min_confidence] = IGNORE_INDEX
        return labels

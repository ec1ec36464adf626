"""Background for class maps that only have foreground."""

from __future__ import annotations

import numpy as np

from mmwsss.functional.checks import check_range
from mmwsss.io import ClassMaps
from mmwsss.refine.base import BaseRefiner, MapsOrLabels, require_maps
from mmwsss.registry import REFINERS

__all__ = ['CHOSEN', 'BackgroundThreshold']

CHOSEN = 'chosen'


@REFINERS.register_module()
class BackgroundThreshold(BaseRefiner):
    """Add a constant background map: a pixel is foreground where a class scores above it.

    Args:
        threshold: The constant, in [0, 1]. A score equal to it is background. ``'chosen'``, where masks of
            a folder of maps are made: :func:`~mmwsss.stages.threshold.choose_threshold` finds it.
        replace: Whether it takes the place of a background that the maps have, such as SIPE's; else such
            maps are refused.

    Raises:
        ValueError: ``threshold`` does not lie in [0, 1], or is to be chosen where there is one image only.
    """

    def __init__(self, threshold: float | str, replace: bool = False) -> None:
        if isinstance(threshold, str):
            raise ValueError(
                f"threshold={threshold!r}: only make_masks chooses one ('{CHOSEN}'), from many images; "
                'write the number that its record or choose_threshold names'
            )
        check_range('threshold', threshold, '[0, 1]')
        self.threshold = threshold
        self.replace = replace

    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> ClassMaps:
        """Return ``maps`` with key 0 in front.

        Raises:
            TypeError: Labels arrived.
            ValueError: The maps have a background of their own, which is not to be replaced.
        """
        maps = require_maps(maps, 'BackgroundThreshold')
        if maps.has_background and not self.replace:
            raise ValueError(
                'the class maps have a background map of their own: leave BackgroundThreshold out, or '
                'let it replace=True that map'
            )
        maps = maps.foreground()
        background = np.full((1, *maps.scores.shape[1:]), self.threshold, maps.scores.dtype)
        return ClassMaps(
            np.concatenate([[0], maps.keys]),
            np.concatenate([background, maps.scores]),
            maps.image_size,
        )

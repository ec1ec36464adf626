"""Pixel-adaptive refinement as a refiner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from mmwsss.functional.checks import check_range
from mmwsss.functional.par import pixel_adaptive_refine
from mmwsss.io import ClassMaps
from mmwsss.refine.base import BaseRefiner, MapsOrLabels, check_image, require_maps
from mmwsss.registry import REFINERS

__all__ = ['PixelAdaptiveRefinement']


@REFINERS.register_module()
class PixelAdaptiveRefinement(BaseRefiner):
    """Spread class maps to neighbours of like colour, background included (PAR; AFA, CVPR 2022).

    Works on the grid of the maps and returns class maps; only the relation of their scores means
    something. See :func:`~mmwsss.functional.pixel_adaptive_refine`.

    Args:
        dilations: Distances of the neighbours in cells of the maps' grid.
        iterations: Number of means, >= 0.
        device: Where it works.

    Raises:
        ValueError: A number is out of range.
    """

    needs_image = True
    needs_background = False

    def __init__(
        self,
        dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
        iterations: int = 10,
        device: str = 'cpu',
    ) -> None:
        check_range('smallest of dilations', min(dilations, default=0), '[1, inf)')
        check_range('iterations', iterations, '[0, inf)')
        self.dilations = tuple(dilations)
        self.iterations = iterations
        self.device = device

    @torch.no_grad()
    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> ClassMaps:
        """Refine one image, see :class:`BaseRefiner`.

        Raises:
            TypeError: Labels arrived.
            ValueError: Class maps without a background map, or an image that does not fit.
        """
        maps = require_maps(maps, 'PixelAdaptiveRefinement', 'put a BackgroundThreshold before it')
        pixels = torch.from_numpy(check_image(image, maps.image_size, image_id))
        refined = pixel_adaptive_refine(
            pixels.permute(2, 0, 1)[None].to(self.device),
            torch.from_numpy(maps.scores)[None].to(self.device),
            self.dilations,
            self.iterations,
        )
        return replace(maps, scores=refined[0].cpu().numpy())

"""Chains of refiners, from class maps to labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmwsss.masks import ClassMaps
from mmwsss.refine.base import BaseRefiner, MapsOrLabels, check_image, check_result
from mmwsss.refine.build import build_refiner

__all__ = ['RefinerChain', 'labels_from_maps']


class RefinerChain:
    """Run refiners one after the other; what comes out are labels.

    If the last refiner returns class maps, each pixel gets the class of its largest score. Labels can
    only be background, the classes of the maps that went in, and 255 (undecided): anything else that a
    refiner returns is an error.

    Example:
        >>> maps = ClassMaps(np.array([3]), np.array([[[0.2, 0.6]]]), (1, 2))
        >>> RefinerChain([dict(type='BackgroundThreshold', threshold=0.4)])(maps)
        array([[0, 3]], dtype=uint8)

    Args:
        refiners: Configs, or refiners. Empty: only the argmax.

    Raises:
        ValueError, TypeError: A config does not fit.
    """

    def __init__(self, refiners: Sequence[dict[str, Any] | BaseRefiner] = ()) -> None:
        self.refiners = [build_refiner(refiner) for refiner in refiners]

    @property
    def needs_image(self) -> bool:
        """Whether a refiner looks at the image."""
        return any(refiner.needs_image for refiner in self.refiners)

    def input_files(self) -> list[str]:
        """Files that decide the result, of all refiners."""
        return [path for refiner in self.refiners for path in refiner.input_files()]

    def __call__(
        self, maps: ClassMaps, image: np.ndarray | None = None, image_id: str = ''
    ) -> np.ndarray:
        """Refine the class maps of one image into labels.

        Args:
            maps: The class maps.
            image: RGB uint8 (H, W, 3); may be None unless ``needs_image``.
            image_id: For messages, and to find files of the image.

        Returns:
            uint8 (H, W).

        Raises:
            TypeError, ValueError: A refiner does not fit its input or returns what it must not.
        """
        if self.needs_image:
            check_image(image, maps.image_size, image_id)
        class_ids = {0, *maps.keys.tolist()}
        state: MapsOrLabels = maps
        for refiner in self.refiners:
            state = refiner(state, image if refiner.needs_image else None, image_id)
            check_result(state, maps.image_size, class_ids, type(refiner).__name__)
        labels = labels_from_maps(state) if isinstance(state, ClassMaps) else state
        return labels.astype(np.uint8)


def labels_from_maps(maps: ClassMaps) -> np.ndarray:
    """Give each pixel the class of its largest score at image size, the smallest id of equals.

    Args:
        maps: Class maps with a background map.

    Returns:
        int64 (H, W).

    Raises:
        ValueError: There is no background map to compare with.
    """
    if not maps.has_background:
        raise ValueError(
            f'the class maps have no background map (keys {maps.keys.tolist()}): '
            'put a BackgroundThreshold into the chain of refiners'
        )
    return maps.keys[maps.full_size_scores().argmax(0)]

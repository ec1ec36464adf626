"""Pictures of one image and of everything that was made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from mmwsss.io import IGNORE_INDEX, ClassMaps
from mmwsss.visualization.panels import heatmap, overlay
from mmwsss.visualization.report.content import Picture

__all__ = ['ERROR_COLOURS', 'ImageParts', 'error_overlay', 'map_tiles', 'picture_of', 'shrink']

# Missed, too much, wrong class; of Okabe and Ito's colours.
ERROR_COLOURS = {'missed': (0, 114, 178), 'too much': (230, 159, 0), 'wrong class': (204, 121, 167)}
MAX_MAPS = 6
TILE_SIDE = 320


@dataclass
class ImageParts:
    """One image and what was made of it.

    Attributes:
        name: Image id.
        image: RGB uint8 (H, W, 3).
        maps: Class maps.
        steps: Name of a refiner -> labels (H, W) after it.
        mask: Labels (H, W).
        prediction: A segmenter's labels (H, W).
        truth: True labels (H, W).
    """

    name: str
    image: np.ndarray
    maps: ClassMaps | None = None
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    mask: np.ndarray | None = None
    prediction: np.ndarray | None = None
    truth: np.ndarray | None = None

    def refine(self, refiners: Sequence[Any]) -> None:
        """Run refiners over the maps again and keep the labels after each.

        A step whose maps have no background yet has no labels.

        Args:
            refiners: Configs, or refiners.
        """
        from mmwsss.refine import build_refiner, labels_from_maps

        state: Any = self.maps
        for i, cfg in enumerate(refiners):
            refiner = build_refiner(cfg)
            state = refiner(state, self.image if refiner.needs_image else None, self.name)
            if isinstance(state, np.ndarray):
                self.steps[f'{i + 1}. {type(refiner).__name__}'] = state
            elif state.has_background:
                self.steps[f'{i + 1}. {type(refiner).__name__}'] = labels_from_maps(state)


def picture_of(
    parts: ImageParts,
    note: str,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    side: int = TILE_SIDE,
) -> Picture:
    """Lay out the parts of an image, those that there are.

    Args:
        parts: The image.
        note: Text behind its name.
        classes: Class names, background first.
        palette: Their colours.
        side: Longest side of a tile in pixels; larger images are reduced.
    """
    tiles = [('image', parts.image)]
    if parts.maps is not None:
        tiles += map_tiles(parts.maps, parts.image, classes)
    labels = {f'after {name}': labels for name, labels in parts.steps.items()}
    made_by = next(
        (title for title in reversed(labels) if np.array_equal(labels[title], parts.mask)), None
    )
    if made_by is not None:
        del labels[made_by]
    labels['mask' if made_by is None else f'mask, {made_by}'] = parts.mask
    labels.update({'prediction': parts.prediction, 'ground truth': parts.truth})
    tiles += [
        (title, overlay(parts.image, found, palette))
        for title, found in labels.items()
        if found is not None
    ]
    last = parts.mask if parts.prediction is None else parts.prediction
    if last is not None and parts.truth is not None:
        what = 'mask' if parts.prediction is None else 'prediction'
        tiles.append((f'errors of the {what}', error_overlay(parts.image, last, parts.truth)))
    return Picture(parts.name, note, [(title, shrink(tile, side)) for title, tile in tiles])


def map_tiles(
    maps: ClassMaps, image: np.ndarray, classes: Sequence[str], limit: int = MAX_MAPS
) -> list[tuple[str, np.ndarray]]:
    """The map of each class over the image, classes first, background last.

    Args:
        maps: Class maps.
        image: RGB uint8 (H, W, 3).
        classes: Class names, background first.
        limit: Most maps to show, those with the largest scores.
    """
    rows = sorted(range(len(maps.keys)), key=lambda i: (maps.keys[i] == 0, -maps.scores[i].max()))
    rows = sorted(rows[:limit], key=lambda i: (maps.keys[i] == 0, maps.keys[i]))
    grey = to_grey(image)  # so that all colour in the picture is the map's
    return [(f'map: {classes[maps.keys[i]]}', heatmap(maps.scores[i], grey)) for i in rows]


def to_grey(image: np.ndarray) -> np.ndarray:
    """An RGB picture without its colours, uint8 (H, W, 3)."""
    return np.repeat(np.rint(image.mean(2, keepdims=True)), 3, axis=2).astype(np.uint8)


def error_overlay(
    image: np.ndarray,
    given: np.ndarray,
    truth: np.ndarray,
    ignore_index: int = IGNORE_INDEX,
    alpha: float = 0.75,
) -> np.ndarray:
    """Paint what is wrong over the image in grey: missed, too much, wrong class.

    Args:
        image: RGB uint8 (H, W, 3).
        given: Labels (H, W); ``ignore_index`` is undecided, which misses a class.
        truth: True labels (H, W); pixels of ``ignore_index`` are left grey.
        ignore_index: The label that means "not labelled".
        alpha: Weight of the colours, 0..1.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ValueError: The sizes differ.
    """
    if not image.shape[:2] == given.shape == truth.shape:
        raise ValueError(
            f'image, given and truth must have one size, but got {image.shape[:2]}, {given.shape}, '
            f'{truth.shape}'
        )
    named = np.where(given == ignore_index, 0, given)
    wrong = (given != truth) & (truth != ignore_index)
    kinds = {
        'missed': wrong & (named == 0),
        'too much': wrong & (truth == 0) & (named != 0),
        'wrong class': wrong & (truth != 0) & (named != 0),
    }
    picture = to_grey(image).astype(np.float64)
    for kind, where in kinds.items():
        picture[where] = (1 - alpha) * picture[where] + alpha * np.array(ERROR_COLOURS[kind])
    return np.rint(picture).astype(np.uint8)


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Reduce a picture whose longest side is above ``side``."""
    height, width = picture.shape[:2]
    if max(height, width) <= side:
        return picture
    scale = side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))

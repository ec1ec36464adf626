"""Pictures of one image and of everything that was made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from mmwsss.io import IGNORE_INDEX, ClassMaps
from mmwsss.utils.names import names_by_number
from mmwsss.visualization.panels import Tile, heatmap, overlay

__all__ = [
    'ERROR_COLOURS',
    'ImageParts',
    'error_kinds',
    'error_overlay',
    'evenly_spaced',
    'image_tiles',
    'map_tiles',
    'shrink',
]

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
        steps: Name of a refiner -> labels (H, W) after it, see ``RefinerChain.steps``.
        mask: Labels (H, W).
        prediction: A segmenter's labels (H, W).
        truth: True labels (H, W).
        background: Whether id 0 of labels is background.
    """

    name: str
    image: np.ndarray
    maps: ClassMaps | None = None
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    mask: np.ndarray | None = None
    prediction: np.ndarray | None = None
    truth: np.ndarray | None = None
    background: bool = True

    def shown_classes(self, number: int) -> list[int]:
        """Ids of the object classes in the labels, of ``number`` classes with background."""
        labels = [each for each in (self.mask, self.prediction, self.truth) if each is not None]
        found = {i for each in labels for i in np.unique(each).tolist()}
        return sorted(i for i in found if self.background <= i < number)

    def named_labels(self) -> dict[str, np.ndarray]:
        """Title of each label map, from left to right; the last refiner's result is named with the mask."""
        labels = {f'after {name}': labels for name, labels in self.steps.items()}
        same = []
        if self.mask is not None:
            same = [title for title in labels if np.array_equal(labels[title], self.mask)]
        if same:
            del labels[same[-1]]
        last = {f'mask, {same[-1]}' if same else 'mask': self.mask}
        last.update({'prediction': self.prediction, 'ground truth': self.truth})
        return {**labels, **{title: map_ for title, map_ in last.items() if map_ is not None}}

    @property
    def judged(self) -> tuple[str, np.ndarray] | None:
        """The labels whose errors are shown, and what they are."""
        if self.prediction is not None:
            return 'prediction', self.prediction
        return None if self.mask is None else ('mask', self.mask)


def image_tiles(
    parts: ImageParts,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    side: int = TILE_SIDE,
) -> list[Tile]:
    """Titled pictures of the parts of an image, those that there are.

    Args:
        parts: The image.
        classes: Class names, background first.
        palette: Their colours.
        side: Longest side of a tile in pixels; larger images are reduced.
    """
    tiles = [('image', parts.image)]
    if parts.maps is not None:
        tiles += map_tiles(parts.maps, parts.image, classes)
    for title, labels in parts.named_labels().items():
        tiles.append((title, overlay(parts.image, labels, palette, background=parts.background)))
    if parts.judged is not None and parts.truth is not None:
        what, labels = parts.judged
        errors = error_overlay(parts.image, labels, parts.truth, background=parts.background)
        tiles.append((f'errors of the {what}', errors))
    return [(title, shrink(tile, side)) for title, tile in tiles]


def map_tiles(
    maps: ClassMaps, image: np.ndarray, classes: Sequence[str], limit: int = MAX_MAPS
) -> list[Tile]:
    """The ``limit`` maps with the largest scores over the image, classes first, background last."""
    rows = sorted(range(len(maps.keys)), key=lambda i: (maps.keys[i] == 0, -maps.scores[i].max()))
    rows = sorted(rows[:limit], key=lambda i: (maps.keys[i] == 0, maps.keys[i]))
    grey = to_grey(image)  # so that all colour in the picture is the map's
    names = names_by_number(classes)
    return [(f'map: {names[maps.keys[i]]}', heatmap(maps.scores[i], grey)) for i in rows]


def to_grey(image: np.ndarray) -> np.ndarray:
    """An RGB picture without its colours, uint8 (H, W, 3)."""
    return np.repeat(np.rint(image.mean(2, keepdims=True)), 3, axis=2).astype(np.uint8)


def error_overlay(
    image: np.ndarray,
    given: np.ndarray,
    truth: np.ndarray,
    alpha: float = 0.75,
    background: bool = True,
) -> np.ndarray:
    """Paint what is wrong over the image in grey: missed, too much, wrong class.

    Args:
        image: RGB uint8 (H, W, 3).
        given: Labels (H, W); 255 is undecided, which misses a class.
        truth: True labels (H, W); pixels of 255 are left grey.
        alpha: Weight of the colours, 0..1.
        background: Whether label 0 is background.

    Returns:
        RGB uint8 (H, W, 3).
    """
    kinds = error_kinds(given, truth, background)
    return overlay(to_grey(image), kinds, [(0, 0, 0), *ERROR_COLOURS.values()], alpha)


def error_kinds(
    given: np.ndarray,
    truth: np.ndarray,
    background: bool = True,
) -> np.ndarray:
    """Where labels are wrong and how: 0 right, then the place in ``ERROR_COLOURS`` from 1; (H, W)."""
    missed = (given == IGNORE_INDEX) | (background & (given == 0))
    wrong = (given != truth) & (truth != IGNORE_INDEX)
    return np.select([~wrong, missed, background & (truth == 0)], [0, 1, 2], 3)


def evenly_spaced(total: int, number: int) -> list[int]:
    """Positions of at most ``number`` of ``total`` images, from the first to the last."""
    places = np.linspace(0, total - 1, min(number, total)).round().astype(int)
    found: list[int] = np.unique(places).tolist()
    return found


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Reduce a picture whose longest side is above ``side``."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
    return np.asarray(image)

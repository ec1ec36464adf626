"""Pictures of one image and of everything that was made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from mmwsss.io import IGNORE_INDEX, ClassMaps
from mmwsss.visualization.panels import Tile, heatmap, overlay

__all__ = ['ERROR_COLOURS', 'ImageParts', 'error_overlay', 'image_tiles', 'map_tiles', 'shrink']

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
    """

    name: str
    image: np.ndarray
    maps: ClassMaps | None = None
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    mask: np.ndarray | None = None
    prediction: np.ndarray | None = None
    truth: np.ndarray | None = None

    def shown_classes(self, number: int) -> list[int]:
        """Ids of the object classes in the labels, of ``number`` classes with background."""
        labels = [each for each in (self.mask, self.prediction, self.truth) if each is not None]
        return sorted({i for each in labels for i in np.unique(each).tolist() if 0 < i < number})


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
    labels = {f'after {name}': labels for name, labels in parts.steps.items()}
    same = [title for title in labels if np.array_equal(labels[title], parts.mask)]
    if same:
        del labels[same[-1]]
    labels[f'mask, {same[-1]}' if same else 'mask'] = parts.mask
    labels.update({'prediction': parts.prediction, 'ground truth': parts.truth})
    for title, map_ in labels.items():
        if map_ is not None:
            tiles.append((title, overlay(parts.image, map_, palette)))
    what, last = 'prediction', parts.prediction
    if last is None:
        what, last = 'mask', parts.mask
    if last is not None and parts.truth is not None:
        tiles.append((f'errors of the {what}', error_overlay(parts.image, last, parts.truth)))
    return [(title, shrink(tile, side)) for title, tile in tiles]


def map_tiles(
    maps: ClassMaps, image: np.ndarray, classes: Sequence[str], limit: int = MAX_MAPS
) -> list[Tile]:
    """The ``limit`` maps with the largest scores over the image, classes first, background last."""
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
    """
    named = np.where(given == ignore_index, 0, given)
    wrong = (given != truth) & (truth != ignore_index)
    kinds = np.select([~wrong, named == 0, truth == 0], [0, 1, 2], 3)  # in the order of the colours
    return overlay(to_grey(image), kinds, [(0, 0, 0), *ERROR_COLOURS.values()], alpha)


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Reduce a picture whose longest side is above ``side``."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
    return np.asarray(image)

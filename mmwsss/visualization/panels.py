"""Label maps and score maps as pictures, and grids of pictures as one PNG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from mmwsss.functional.checks import check_range
from mmwsss.io import IGNORE_INDEX, atomic_path

__all__ = ['Tile', 'class_legend', 'colorize', 'heatmap', 'overlay', 'panel_image', 'save_panel']

Tile = tuple[str, np.ndarray]  # title and RGB uint8 (H, W, 3)
IGNORE_COLOUR = (224, 224, 192)
TITLE_HEIGHT, LEGEND_HEIGHT, GAP = 0.26, 0.25, 0.08  # inches
MAX_SHAPE = 2.0  # height / width; taller pictures are reduced


def colorize(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Paint a label map in the colours of its classes.

    Args:
        labels: Integer (H, W), class ids 0 .. len(palette) - 1 and 255, painted in VOC's cream.
        palette: One [R, G, B] in 0..255 per class id, background first.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ValueError: ``labels`` holds an id without a colour.
    """
    ignored, n = labels == IGNORE_INDEX, len(palette)
    wrong = np.unique(labels[((labels < 0) | (labels >= n)) & ~ignored])
    if len(wrong):
        raise ValueError(f'palette has {n} colours, but labels hold {wrong.tolist()}')
    colours = np.array([*palette, IGNORE_COLOUR], np.uint8)
    return colours[np.where(ignored, n, labels)]


def overlay(
    image: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[Sequence[int]],
    alpha: float = 0.6,
    background: bool = True,
) -> np.ndarray:
    """Lay the colours of a label map over its image; background shows the image alone.

    Args:
        image: RGB uint8 (H, W, 3).
        labels: Integer (H, W).
        palette: See :func:`colorize`.
        alpha: Weight of the colours, 0..1.
        background: Whether id 0 is background.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ValueError: The sizes differ or ``alpha`` does not lie in [0, 1].
    """
    picture = colorize(labels, palette)
    if picture.shape != np.shape(image):
        raise ValueError(f'labels are {picture.shape[:2]}, but the image is {image.shape[:2]}')
    return _blend(image, picture, alpha, (labels != 0) | (not background))


def heatmap(
    scores: np.ndarray, image: np.ndarray, alpha: float = 0.6, colormap: str = 'viridis'
) -> np.ndarray:
    """Lay a score map over its image, in colours that colour-blind readers tell apart.

    Args:
        scores: (h, w), clipped to 0..1; resized (bilinear) where it is not of the image's size.
        image: RGB uint8 (H, W, 3).
        alpha: Weight of the score colours, 0..1.
        colormap: A Matplotlib colour map; the default is even in lightness.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ValueError: ``alpha`` does not lie in [0, 1].
    """
    from matplotlib import colormaps  # slow to import

    scores = np.asarray(scores, dtype=np.float32)
    if scores.shape != image.shape[:2]:
        size = (image.shape[1], image.shape[0])
        scores = np.asarray(Image.fromarray(scores).resize(size, Image.Resampling.BILINEAR))
    colours = colormaps[colormap](np.clip(np.nan_to_num(scores), 0, 1))[..., :3] * 255
    return _blend(image, colours, alpha)


def class_legend(
    classes: Sequence[str], palette: Sequence[Sequence[int]], ids: Sequence[int] | None = None
) -> list[tuple[str, Sequence[int]]]:
    """Pair class names with their colours, for :func:`save_panel`.

    Args:
        classes: Class names, background first.
        palette: One [R, G, B] per class.
        ids: The class ids to name. None: all.

    Raises:
        ValueError: There are fewer colours than classes.
    """
    if len(palette) < len(classes):
        raise ValueError(f'palette has {len(palette)} colours for {len(classes)} classes')
    ids = range(len(classes)) if ids is None else ids
    return [(classes[i], palette[i]) for i in ids]


def save_panel(
    path: str | os.PathLike[str],
    rows: list[list[Tile]],
    legend: Sequence[tuple[str, Sequence[int]]] = (),
    tile_width: float = 2.2,
    dpi: int = 110,
) -> None:
    """Write :func:`panel_image` as one PNG; the file appears whole or not at all."""
    picture = Image.fromarray(panel_image(rows, legend, tile_width, dpi))
    with atomic_path(path) as temporary:
        picture.save(temporary, format='PNG')


def panel_image(
    rows: list[list[Tile]],
    legend: Sequence[tuple[str, Sequence[int]]] = (),
    tile_width: float = 2.2,
    dpi: int = 110,
) -> np.ndarray:
    """Draw a grid of titled pictures.

    Args:
        rows: Per row, (title, RGB uint8 (H, W, 3)) from left to right; rows may differ in length.
        legend: (name, [R, G, B]) pairs shown below the grid, see :func:`class_legend`.
        tile_width: Width of one picture in inches.
        dpi: Pixels per inch.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ValueError: There is no picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import Patch

    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise ValueError('rows must hold at least one picture')
    heights = []
    for row in rows:
        shapes = (image.shape for _, image in row)
        shape = min(max((h / w for h, w, _ in shapes), default=0.0), MAX_SHAPE)
        heights.append(tile_width * shape + (TITLE_HEIGHT if any(t for t, _ in row) else GAP))
    legend_height = LEGEND_HEIGHT * -(-len(legend) // (3 * columns))
    size = (columns * tile_width, sum(heights) + legend_height)
    layout = ConstrainedLayoutEngine(w_pad=GAP / 2, h_pad=GAP / 4, wspace=0, hspace=0)
    figure = Figure(figsize=size, dpi=dpi, layout=layout)
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for axis in axes.flat:
        axis.axis('off')
    for axis_row, row in zip(axes, rows):
        for axis, (title, image) in zip(axis_row, row):
            axis.imshow(image, interpolation='nearest')
            axis.set_title(title, fontsize=8)
    if legend:
        patches = [
            Patch(facecolor='#{:02x}{:02x}{:02x}'.format(*colour), edgecolor='0.4', label=name)
            for name, colour in legend
        ]
        place: Any = dict(loc='outside lower center', ncols=3 * columns)
        figure.legend(handles=patches, fontsize=7, frameon=False, **place)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _blend(
    image: np.ndarray, picture: np.ndarray, alpha: float, where: np.ndarray | None = None
) -> np.ndarray:
    """Lay a picture over an image, ``where`` alone."""
    check_range('alpha', alpha, '[0, 1]')
    weight = alpha if where is None else alpha * where[..., None]
    mixed = (1 - weight) * image + weight * picture
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)

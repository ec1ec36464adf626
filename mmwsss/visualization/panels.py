"""Label maps and score maps as pictures, and grids of pictures as one PNG."""

from __future__ import annotations

import os
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from mmwsss.io import atomic_path

__all__ = ['class_legend', 'colorize', 'heatmap', 'overlay', 'panel_image', 'save_panel']

IGNORE_COLOUR = (224, 224, 192)
TITLE_HEIGHT, LEGEND_HEIGHT, GAP = 0.26, 0.25, 0.08  # inches
MAX_SHAPE = 2.0  # height / width; taller pictures are reduced


def colorize(
    labels: np.ndarray, palette: Sequence[Sequence[int]], ignore_index: int = 255
) -> np.ndarray:
    """Paint a label map in the colours of its classes.

    Args:
        labels: Integer (H, W), class ids 0 .. len(palette) - 1 and ``ignore_index``.
        palette: One [R, G, B] in 0..255 per class id, background first.
        ignore_index: Painted in VOC's cream.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ValueError: ``labels`` is not an integer map or holds an id without a colour.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f'labels must be integers (H, W), but got {labels.dtype} {labels.shape}')
    ids = np.unique(labels)
    wrong = ids[((ids < 0) | (ids >= len(palette))) & (ids != ignore_index)]
    if len(wrong):
        raise ValueError(f'palette has {len(palette)} colours, but labels hold {wrong.tolist()}')
    ignored = labels == ignore_index
    colours = np.asarray(palette, dtype=np.uint8).reshape(-1, 3)
    picture = (
        colours[np.where(ignored, 0, labels)] if len(colours) else np.zeros((*labels.shape, 3))
    )
    picture = picture.astype(np.uint8)
    picture[ignored] = IGNORE_COLOUR
    return picture


def overlay(
    image: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[Sequence[int]],
    alpha: float = 0.6,
    ignore_index: int = 255,
) -> np.ndarray:
    """Lay the colours of a label map over its image; background shows the image alone.

    Args:
        image: RGB uint8 (H, W, 3).
        labels: Integer (H, W).
        palette: See :func:`colorize`.
        alpha: Weight of the colours, 0..1.
        ignore_index: See :func:`colorize`.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ValueError: The sizes differ or ``alpha`` does not lie in [0, 1].
    """
    image = _checked_image(image)
    _check_alpha(alpha)
    picture = colorize(labels, palette, ignore_index)
    if picture.shape != image.shape:
        raise ValueError(f'labels are {picture.shape[:2]}, but the image is {image.shape[:2]}')
    weight = np.where(np.asarray(labels) == 0, 0.0, alpha)[..., None]
    return _to_uint8((1 - weight) * image + weight * picture)


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
        ValueError: A shape does not fit or ``alpha`` does not lie in [0, 1].
    """
    image, scores = _checked_image(image), np.asarray(scores, dtype=np.float32)
    _check_alpha(alpha)
    if scores.ndim != 2:
        raise ValueError(f'scores must be (h, w), but got {scores.shape}')
    if scores.shape != image.shape[:2]:
        size = (image.shape[1], image.shape[0])
        scores = np.asarray(Image.fromarray(scores).resize(size, Image.Resampling.BILINEAR))
    colours = matplotlib.colormaps[colormap](np.clip(np.nan_to_num(scores), 0, 1))[..., :3] * 255
    return _to_uint8((1 - alpha) * image + alpha * colours)


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
    rows: list[list[tuple[str, np.ndarray]]],
    legend: Sequence[tuple[str, Sequence[int]]] = (),
    tile_width: float = 2.2,
    dpi: int = 110,
) -> None:
    """Write a grid of titled pictures as one PNG; the file appears whole or not at all.

    Args:
        path: The file to write.
        rows: Per row, (title, RGB uint8 (H, W, 3)) from left to right; rows may differ in length.
        legend: (name, [R, G, B]) pairs shown below the grid, see :func:`class_legend`.
        tile_width: Width of one picture in inches.
        dpi: Pixels per inch.

    Raises:
        ValueError: There is no picture, or one is not RGB uint8.
    """
    canvas = _draw_panel(rows, legend, tile_width, dpi)
    with atomic_path(path) as temporary:
        canvas.print_png(temporary)


def panel_image(
    rows: list[list[tuple[str, np.ndarray]]],
    legend: Sequence[tuple[str, Sequence[int]]] = (),
    tile_width: float = 2.2,
    dpi: int = 110,
) -> np.ndarray:
    """Draw what :func:`save_panel` writes.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ValueError: There is no picture, or one is not RGB uint8.
    """
    canvas = _draw_panel(rows, legend, tile_width, dpi)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _draw_panel(
    rows: list[list[tuple[str, np.ndarray]]],
    legend: Sequence[tuple[str, Sequence[int]]],
    tile_width: float,
    dpi: int,
) -> FigureCanvasAgg:
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise ValueError('rows must hold at least one picture')
    images = [[_checked_image(image) for _, image in row] for row in rows]
    shapes = [max((i.shape[0] / i.shape[1] for i in row), default=0.0) for row in images]
    shapes = [min(shape, MAX_SHAPE) for shape in shapes]
    heights = [
        tile_width * shape + (TITLE_HEIGHT if any(title for title, _ in row) else GAP)
        for shape, row in zip(shapes, rows)
    ]
    legend_height = LEGEND_HEIGHT * -(-len(legend) // (3 * columns))
    size = (columns * tile_width, sum(heights) + legend_height)
    figure = Figure(figsize=size, dpi=dpi, layout='constrained')
    figure.get_layout_engine().set(w_pad=GAP / 2, h_pad=GAP / 4, wspace=0, hspace=0)
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for axis in axes.flat:
        axis.axis('off')
    for axis_row, row in zip(axes, rows):
        for axis, (title, image) in zip(axis_row, row):
            axis.imshow(image, interpolation='nearest')
            axis.set_title(title, fontsize=8)
    if legend:
        _draw_legend(figure, legend, 3 * columns)
    return FigureCanvasAgg(figure)


def _draw_legend(figure: Figure, legend: Sequence[tuple[str, Sequence[int]]], columns: int) -> None:
    patches = [
        Patch(facecolor=np.asarray(colour) / 255, edgecolor='0.4', label=name)
        for name, colour in legend
    ]
    figure.legend(
        handles=patches, loc='outside lower center', ncols=columns, fontsize=7, frameon=False
    )


def _checked_image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f'image must be RGB uint8 (H, W, 3), but got {image.dtype} {image.shape}')
    return image


def _check_alpha(alpha: float) -> None:
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f'alpha must lie in [0, 1], but got {alpha}')


def _to_uint8(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)

"""Pictures of the images of a stage, as layers over the image that the page switches on and off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import ClassMaps, find_mask, load_class_maps, load_mask, safe_join, voc_palette
from mmwsss.refine.background import BackgroundThreshold
from mmwsss.refine.chain import RefinerChain, labels_from_maps
from mmwsss.report.images import ImageIndex
from mmwsss.report.read import Stage, noting
from mmwsss.utils.names import has_background, names_by_number
from mmwsss.visualization.panels import colorize
from mmwsss.visualization.tiles import ERROR_COLOURS, ImageParts, error_kinds, shrink

__all__ = ['Gallery', 'Layer', 'Picture', 'draw_gallery', 'map_levels']

SIDE = 512  # longest side of a picture in pixels
MAX_MAPS = 8
STEPS = 100  # of the slider
START = 0.4  # of the slider where the run has no threshold


class Layer(NamedTuple):
    """A picture that lies over the image.

    Attributes:
        title: Below it.
        kind: ``'photo'`` (nothing over the image), ``'map'``, ``'live'`` (what the slider moves),
            ``'labels'`` or ``'errors'``.
        picture: Of the photo's size; None for a photo.
        class_id: Of a map.
    """

    title: str
    kind: str
    picture: Image.Image | None = None
    class_id: int = -1


class Picture(NamedTuple):
    """One image: its id, its score or nothing, the image (RGB uint8 (H, W, 3)), what lies over it."""

    name: str
    note: str
    photo: np.ndarray
    layers: list[Layer]


@dataclass
class Gallery:
    """Images of a stage.

    Attributes:
        stage: The stage.
        classes: Its class names, background first.
        palette: Their colours.
        thresholds: Float32, rising, that the slider stops at.
        start: The run's threshold, or another where it has none. None: the maps' own background
            decides.
        pictures: By heading.
        shown: Ids of the classes in the pictures.
        problems: By image with a part that is missing.
    """

    stage: Stage
    classes: list[str]
    palette: list[list[int]]
    thresholds: np.ndarray
    start: float | None
    pictures: dict[str, list[Picture]] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the stage."""
        return self.stage.name

    @property
    def legend(self) -> list[tuple[int, str, list[int]]]:
        """Id, name and colour of the object classes in the pictures."""
        ids = sorted(self.shown - {0} if self.background else self.shown)
        return [(i, self.classes[i], self.palette[i]) for i in ids]

    @property
    def background(self) -> bool:
        """Whether id 0 is background."""
        return has_background(self.classes)

    @property
    def has_maps(self) -> bool:
        """Whether there is anything that the slider moves."""
        kinds = (layer.kind for each in self.pictures.values() for p in each for layer in p.layers)
        return 'live' in kinds

    def label_picture(self, labels: np.ndarray) -> Image.Image:
        """:func:`label_picture` in the colours of these classes."""
        return label_picture(labels, self.palette, self.background)

    @property
    def position(self) -> int:
        """Where the slider starts; -1: the maps' own background."""
        if self.start is None:
            return -1
        return int(np.searchsorted(self.thresholds, np.float32(self.start)))

    @property
    def scale(self) -> Image.Image:
        """Colours of the levels of :func:`map_levels` from low to high, a pixel each."""
        return map_picture(np.arange(len(self.thresholds) + 1)[None], len(self.thresholds))


def draw_gallery(
    stage: Stage,
    index: ImageIndex,
    groups: Mapping[str, Mapping[str, str]],
    predictions: Sequence[Path] = (),
) -> Gallery:
    """Draw images of a stage.

    Args:
        stage: The stage.
        index: Where images and true masks are.
        groups: Heading -> id of an image -> what is written beside it.
        predictions: Folders of a segmenter's masks, perhaps of the same images.
    """
    classes = list(stage.record.classes or index.classes)
    palette = index.palette if len(index.palette) >= len(classes) else voc_palette(len(classes))
    start = stage.record.protocol.threshold
    if start is None and has_background(classes) and not has_own_background(stage, groups):
        start = START
    stops = [*np.round(np.linspace(0, 1, STEPS + 1), 2), *([] if start is None else [start])]
    gallery = Gallery(stage, classes, palette, np.unique(np.array(stops, np.float32)), start)
    for heading, notes in groups.items():
        for name, note in notes.items():
            with noting(gallery.problems, name):
                parts = image_parts(name, gallery, index, predictions)
                picture = draw_picture(parts, note, gallery)
                gallery.pictures.setdefault(heading, []).append(picture)
                gallery.shown.update(parts.shown_classes(len(classes)))
    return gallery


def has_own_background(stage: Stage, groups: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the maps of a stage have a background map."""
    if stage.maps is None:
        return False
    for name in (name for group in groups.values() for name in group):
        with noting({}, name):  # it is named when its picture is drawn
            return load_class_maps(safe_join(stage.maps, name, '.npz')).has_background
    return False


def image_parts(
    name: str, gallery: Gallery, index: ImageIndex, predictions: Sequence[Path]
) -> ImageParts:
    """Read an image with its maps, refined step by step, its masks and the true one."""
    stage, number = gallery.stage, len(gallery.classes)
    parts = ImageParts(name, load_rgb(index.images[name], name), background=gallery.background)
    size = parts.image.shape[:2]
    if name in index.truth:
        parts.truth = load_mask(index.truth[name], number, image_size=size)
    if not stage.is_maps:
        labels = load_mask(find_mask(stage.folder, name), number, image_size=size)
        setattr(parts, 'prediction' if stage.is_predicted else 'mask', labels)
    for path in (safe_join(folder, name, '.png') for folder in predictions):
        if path.is_file():
            parts.prediction = load_mask(path, number, image_size=size)
    if stage.maps is not None:
        with noting(gallery.problems, name):
            path = safe_join(stage.maps, name, '.npz')
            parts.maps = load_class_maps(path, len(names_by_number(gallery.classes)))
            refiners = stage.record.settings.get('refiners') or ()
            chain = RefinerChain(refiners, background=gallery.background)
            parts.steps.update(chain.steps(parts.maps, parts.image, name))
    return parts


def draw_picture(parts: ImageParts, note: str, gallery: Gallery) -> Picture:
    """Turn the parts of an image into layers of the size in which it is shown."""
    photo = shrink(parts.image, SIDE)
    rows, columns = (
        ((np.arange(n) + 0.5) * full / n).astype(int)
        for n, full in zip(photo.shape[:2], parts.image.shape[:2])
    )

    def reduced(labels: np.ndarray) -> np.ndarray:
        return labels[..., rows[:, None], columns]

    layers, named = [Layer('image', 'photo')], parts.named_labels()
    if parts.maps is not None and len(parts.maps.keys):
        full = thresholded(parts.maps, gallery.start, gallery.background)
        maps = choose_maps(parts.maps)
        levels = map_levels(maps.keys, reduced(maps.full_size_scores()), gallery.thresholds)
        for key, level in zip(maps.keys.tolist(), levels):
            picture = map_picture(level, len(gallery.thresholds))
            title = f'map: {names_by_number(gallery.classes)[key]}'
            class_id = key - (not gallery.background)
            layers.append(Layer(title, 'map', picture, class_id))
            gallery.shown.add(class_id)
        title = 'own background map' if gallery.start is None else f'threshold {gallery.start:g}'
        picture = gallery.label_picture(reduced(full))
        if gallery.background:
            layers.append(Layer(title, 'live', picture))
        elif len(parts.maps.keys) > 1:
            layers.append(Layer('largest map', 'labels', picture))
        for name in [n for n in named if n.startswith('after ') and np.array_equal(named[n], full)]:
            del named[name]
    for title, labels in named.items():
        layers.append(Layer(title, 'labels', gallery.label_picture(reduced(labels))))
    if parts.judged is not None and parts.truth is not None:
        what, labels = parts.judged
        kinds = error_kinds(reduced(labels), reduced(parts.truth), background=gallery.background)
        picture = label_picture(kinds, [(0, 0, 0), *ERROR_COLOURS.values()])
        layers.append(Layer(f'errors of the {what}', 'errors', picture))
    return Picture(parts.name, note, photo, layers)


def thresholded(maps: ClassMaps, threshold: float | None, background: bool = True) -> np.ndarray:
    """Labels (H, W) of maps above a constant, or, with None, of the largest map."""
    if threshold is None:
        return RefinerChain(background=background)(maps)
    return labels_from_maps(BackgroundThreshold(threshold, replace=True)(maps))


def choose_maps(maps: ClassMaps, limit: int = MAX_MAPS) -> ClassMaps:
    """The background's map and the ``limit`` others that are the largest at most pixels."""
    objects = maps.keys > 0
    order = np.flatnonzero(objects)
    if len(order) <= limit:
        return maps
    won = np.bincount(maps.scores[order].argmax(0).ravel(), minlength=len(order))
    kept = np.sort([*np.flatnonzero(~objects), *order[np.argsort(-won, kind='stable')[:limit]]])
    return ClassMaps(maps.keys[kept], maps.scores[kept], maps.image_size)


def map_levels(keys: np.ndarray, scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Bring scores to few levels that every threshold of the slider, and the argmax, agree with.

    A level is the number of thresholds below the score, so that ``score > thresholds[k]`` is
    ``level > k``. Among object maps with equal levels the first one counts, and the background wins
    against an equal object: where the scores say otherwise, the other map is a level lower.

    Args:
        keys: Class ids (n,), rising.
        scores: Float32 (n, h, w).
        thresholds: Float32, rising, at most 254.

    Returns:
        uint8 (n, h, w).
    """
    levels = np.searchsorted(thresholds, scores, side='left').astype(np.uint8)
    first = int(len(keys) > 0 and keys[0] == 0)  # row of the first object
    objects, shown = scores[first:], levels[first:]
    if not len(objects):
        return levels
    winner = objects.argmax(0)[None]
    top, level = (np.take_along_axis(each, winner, 0) for each in (objects, shown))
    before = np.arange(len(objects))[:, None, None] < winner
    shown -= (shown == level) & before & (shown > 0)
    if first:
        levels[0] -= ((levels[0] == level) & (top > scores[0]) & (levels[0] > 0))[0]
    return levels


def map_picture(levels: np.ndarray, highest: int) -> Image.Image:
    """Levels (H, W) in the colours that heat maps have here; different levels differ."""
    colours = matplotlib.colormaps['viridis'](np.arange(highest + 1) / highest, bytes=True)
    picture = Image.fromarray(levels.astype(np.uint8))
    picture.putpalette(colours[:, :3].tobytes())
    return picture


def label_picture(
    labels: np.ndarray, palette: Sequence[Sequence[int]], background: bool = True
) -> Image.Image:
    """Labels (H, W) in the colours of their classes, transparent where they are background."""
    alpha = np.where(background & (labels == 0), 0, 255).astype(np.uint8)[..., None]
    colours = colorize(labels, palette) * (alpha > 0)
    return Image.fromarray(np.concatenate([colours, alpha], 2).astype(np.uint8))

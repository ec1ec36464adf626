"""Choosing the background threshold of class maps without masks: ``tools/choose_threshold.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Union

import numpy as np
from mmengine.dist import all_gather_object, get_dist_info

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.evaluation.map_counts import (
    DEFAULT_THRESHOLDS,
    check_maps_scored,
    check_thresholds,
)
from mmwsss.evaluation.tables import separation_table
from mmwsss.functional.colour_separation import colour_separation
from mmwsss.io import BatchReport, ClassMaps, load_class_maps, process_items, safe_join, shard
from mmwsss.refine.background import CHOSEN
from mmwsss.stages.image_list import Images
from mmwsss.utils.names import has_background

__all__ = ['ThresholdChoice', 'choose_threshold', 'with_chosen_threshold']

# A folder of class maps, or what reads those of an image by its id.
MapSource = Union[str, Path, Callable[[str], ClassMaps]]


@dataclass(frozen=True)
class ThresholdChoice:
    """A threshold, and why.

    Attributes:
        thresholds: T numbers that were tried.
        curves: float64 (N, T) in [0, 1], of each image
            :func:`~mmwsss.functional.colour_separation.colour_separation`, divided by its largest value,
            so that all images count alike.
        report: What became of each image.
    """

    thresholds: tuple[float, ...]
    curves: np.ndarray
    report: BatchReport

    @property
    def images(self) -> int:
        """How many images were looked at."""
        return len(self.curves)

    @property
    def separation(self) -> np.ndarray:
        """float64 (T,) in [0, 1], the mean over the images."""
        mean: np.ndarray = self.curves.mean(0)
        return mean

    @property
    def threshold(self) -> float:
        """The one that separates the colours best, the smallest of equals."""
        return self.thresholds[int(self.separation.argmax())]

    def spread(self, draws: int = 200) -> float:
        """Standard deviation of the threshold over other images of the kind: bootstrap, seed 0."""
        n = self.images
        times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), draws)
        return float(np.std(np.array(self.thresholds)[(times @ self.curves).argmax(1)]))

    @property
    def source(self) -> str:
        """Where the threshold comes from, for the protocol of a score."""
        return f'chosen by the colours of {self.images} images, without masks'

    def table(self) -> str:
        """All thresholds, as text."""
        return separation_table(self.thresholds, self.separation)


def choose_threshold(
    maps: MapSource,
    images: Images,
    ids: Sequence[str],
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
    workers: int = 0,
) -> ThresholdChoice:
    """Find the threshold whose masks separate the colours of the images best.

    No mask is looked at, nor a background that the maps have. Images without any class, or of one colour,
    say nothing and are left out, as those are that fail. Of every image, every second row and column is
    looked at. Under a launcher each rank takes its share of the images, and all know the result.

    Args:
        maps: Folder of class maps, or a function that reads those of an image by its id.
        images: The dataset.
        ids: Images with maps.
        thresholds: Strictly increasing.
        workers: Processes; 0 works in this one.

    Raises:
        ValueError: Thresholds do not increase, no image has maps of a class, or there is no background.
    """
    from skimage.color import rgb2lab

    check_maps_scored(images.classes)
    check_thresholds(thresholds)
    found: dict[str, np.ndarray] = {}
    rank, world_size = get_dist_info()
    read = maps if callable(maps) else partial(_read_maps, maps, len(images.classes))

    def work(name: str) -> np.ndarray | None:
        class_maps = read(name).foreground()
        if not len(class_maps.keys):
            return None
        scores = class_maps.full_size_scores().max(0)[::2, ::2]
        colours = rgb2lab(load_rgb(images.paths[name], name)[::2, ::2])
        separation = colour_separation(colours, scores, thresholds)
        return separation / separation.max() if separation.any() else None

    def take(name: str, separation: np.ndarray | None) -> None:
        if separation is not None:
            found[name] = separation

    report = process_items(
        shard(ids, rank, world_size),
        work,
        None,
        'threshold',
        workers,
        on_result=take,
        progress=rank == 0,
    )
    report = BatchReport.merge(all_gather_object(report), ids)
    everywhere = {name: curve for part in all_gather_object(found) for name, curve in part.items()}
    if not everywhere:
        raise ValueError(
            f'no threshold can be chosen: none of {len(ids)} images has maps of a class'
        )
    curves = np.array([everywhere[name] for name in ids if name in everywhere])
    return ThresholdChoice(tuple(thresholds), curves, report)


def _read_maps(folder: str | Path, num_classes: int, name: str) -> ClassMaps:
    return load_class_maps(safe_join(folder, name, '.npz'), num_classes)


def with_chosen_threshold(
    mask_cfg: dict[str, Any], maps: MapSource, images: Images, ids: Sequence[str], workers: int
) -> dict[str, Any]:
    """Put a number, and where it comes from, in the place of ``threshold='chosen'``."""
    refiners = [dict(refiner) for refiner in mask_cfg['refiners']]
    open_ones = [refiner for refiner in refiners if refiner.get('threshold') == CHOSEN]
    if not open_ones or not has_background(images.classes):  # the chain refuses the latter
        return mask_cfg
    choice = choose_threshold(maps, images, ids, workers=workers)
    for refiner in open_ones:
        refiner['threshold'] = choice.threshold
    return {**mask_cfg, 'refiners': refiners, 'threshold_source': choice.source}

"""Pictures of what a model sees: what ``tools/show.py`` runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmseg.models.segmentors import BaseSegmentor

from mmwsss.io import BatchReport, process_items, safe_join
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.stages.inference import Predictor, Segmented
from mmwsss.stages.photos import by_name, outside
from mmwsss.utils.names import has_background
from mmwsss.visualization.panels import class_legend, save_panel
from mmwsss.visualization.tiles import ImageParts, image_tiles

__all__ = ['save_segmented', 'show_images']


def show_images(
    model: ImageLevelClassifier | BaseSegmentor,
    images: Sequence[tuple[str, Path]],
    out: str | Path,
    labels: Sequence[str] | None = None,
) -> BatchReport:
    """Write a picture ``out/<name>.png`` of each image with the class maps of a localizer and the mask.

    An image that fails is reported and the rest goes on.

    Args:
        model: From :func:`mmwsss.apis.load_model`.
        images: (name, path) of each image; see :func:`mmwsss.apis.find_images`.
        out: Folder for the pictures.
        labels: Of a localizer: names of the classes in the images. None: those that it sees in each.

    Returns:
        What became of each image.

    Raises:
        ValueError: Two images have one name, all lie in ``out``, or a label is no class.
    """
    paths, predictor = outside(by_name(images), Path(out)), Predictor(model, labels)

    def work(name: str) -> None:
        save_segmented(safe_join(out, name, '.png'), predictor(name, paths[name]), model)

    return process_items(list(paths), work, None, 'pictures')


def save_segmented(
    path: str | Path, segmented: Segmented, model: ImageLevelClassifier | BaseSegmentor
) -> None:
    """Write the picture of one image: the image, its maps, its mask."""
    classes, palette = (model.dataset_meta[key] for key in ('classes', 'palette'))
    parts = ImageParts(
        segmented.name,
        segmented.image,
        segmented.maps,
        mask=segmented.mask,
        background=has_background(classes),
    )
    tiles = image_tiles(parts, classes, palette, side=640)
    legend = class_legend(classes, palette, parts.shown_classes(len(classes)))
    save_panel(path, [tiles], legend, tile_width=2.6)

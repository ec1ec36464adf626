"""Pictures of what a localizer sees: what ``tools/show.py`` runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmwsss.io import BatchReport, process_items, safe_join, save_mask
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.stages.inference import Segmented, class_ids, own_chain, segment_image
from mmwsss.visualization import class_legend, save_panel
from mmwsss.visualization.tiles import ImageParts, image_tiles

__all__ = ['save_segmented', 'show_images']


def show_images(
    localizer: ImageLevelClassifier,
    images: Sequence[tuple[str, Path]],
    out: str | Path,
    labels: Sequence[str] | None = None,
    masks: str | Path | None = None,
) -> BatchReport:
    """Write a picture ``out/<name>.png`` of each image with its class maps and its mask.

    An image that fails is reported and the rest goes on.

    Args:
        localizer: From :func:`mmwsss.apis.load_localizer`.
        images: (name, path) of each image; see :func:`mmwsss.apis.find_images`.
        out: Folder for the pictures.
        labels: Names of the classes in the images. None: those that the localizer sees in each.
        masks: Folder for the masks alone. None: they are not written.

    Returns:
        What became of each image.

    Raises:
        ValueError: Two images have one name, or a label is no class.
    """
    repeated = [name for name, count in Counter(name for name, _ in images).items() if count > 1]
    if repeated:
        raise ValueError(f'{len(repeated)} names belong to several images, e.g. {repeated[0]!r}')
    if labels is not None:
        class_ids(localizer, labels)
    paths, chain = dict(images), own_chain(localizer)

    def work(name: str) -> None:
        segmented = segment_image(localizer, name, paths[name], chain, labels)
        save_segmented(safe_join(out, name, '.png'), segmented, localizer)
        if masks is not None:
            path = safe_join(masks, name, '.png')
            save_mask(path, segmented.mask, localizer.dataset_meta['palette'])

    return process_items(list(paths), work, None, 'pictures')


def save_segmented(path: str | Path, segmented: Segmented, localizer: ImageLevelClassifier) -> None:
    """Write the picture of one image: the image, its maps, its mask."""
    classes, palette = (localizer.dataset_meta[key] for key in ('classes', 'palette'))
    parts = ImageParts(segmented.name, segmented.image, segmented.maps, mask=segmented.mask)
    tiles = image_tiles(parts, classes, palette, side=640)
    legend = class_legend(classes, palette, parts.shown_classes(len(classes)))
    save_panel(path, [tiles], legend, tile_width=2.6)

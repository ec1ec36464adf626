"""Masks of anyone's images by a trained model: what ``tools/predict.py`` runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmseg.models.segmentors import BaseSegmentor
from PIL import Image

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import (
    IGNORE_INDEX,
    BatchReport,
    Protocol,
    atomic_path,
    hash_file,
    is_mask_file,
    load_mask,
    make_record,
    process_items,
    safe_join,
    save_mask,
    shard,
)
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.stages.inference import Predictor, Segmented, test_steps
from mmwsss.stages.load import load_model, settings_hash
from mmwsss.stages.maps import map_protocol
from mmwsss.stages.masks import decisive, hash_files, mask_protocol, mask_settings
from mmwsss.stages.output import OutputFolder, segmenter_protocol
from mmwsss.stages.photos import by_name, outside
from mmwsss.utils.config import as_config
from mmwsss.utils.names import has_background
from mmwsss.visualization.panels import overlay

__all__ = ['OVERLAYS', 'class_shares', 'predict']

OVERLAYS = 'overlays'
UNDECIDED = 'undecided'


def predict(
    cfg: Config | str | Path,
    checkpoint: str | Path,
    images: Sequence[tuple[str, Path]],
    out: str | Path,
    overlays: bool = False,
    labels: Sequence[str] | None = None,
    mask_config: Config | str | Path | None = None,
    device: str | None = None,
    overwrite: bool = False,
    trust_checkpoint: bool = False,
) -> BatchReport:
    """Write the mask ``out/<name>.png`` of each image, at its size, with a record.

    Images that are finished are skipped; one that fails is reported and the rest goes on. The record's
    ``result`` holds, of all masks that are there, the table of :func:`class_shares`. Under a launcher
    each rank takes its share, and rank 0 writes the record.

    Args:
        cfg: Config, or its file, of a segmenter (ours or mmseg's) or of a localizer.
        checkpoint: Its weights.
        images: (name, path) of each image; see :func:`mmwsss.apis.find_images`.
        out: Folder for the masks.
        overlays: Write ``out/overlays/<name>.jpg``, too: the classes over the image.
        labels: Of a localizer: names of the classes in every image. None: those that it sees in each.
        mask_config: Of a localizer: the config, or its file, whose refiners (``mask_cfg``) make the masks.
            None: ``cfg``.
        device: Device of the model; the best available one by default.
        overwrite: Start again in a folder made with other settings.
        trust_checkpoint: Allow a file that holds more than tensors and plain data.

    Returns:
        The report of all ranks.

    Raises:
        RecordError: ``out`` holds masks made by another model, of other images or with other settings.
        ValueError: Several images have one name, images lie in ``out``, or labels or refiners do not fit.
        FileNotFoundError, TypeError: See :func:`mmwsss.apis.load_model`.
    """
    paths = outside(by_name(images), Path(out))
    cfg = as_config(cfg)
    refining = cfg if mask_config is None else as_config(mask_config)
    model = load_model(cfg, checkpoint, device, trust_checkpoint)
    mask_cfg = mask_settings(refining) if isinstance(model, ImageLevelClassifier) else {}
    if mask_config is not None and not mask_cfg:
        raise ValueError('refiners are for the class maps of a localizer, but this is a segmenter')
    precision = mask_cfg.get('precision', 'float32')
    predictor = Predictor(model, labels, mask_cfg.get('refiners'), precision)
    writer = PredictionWriter(model, out, overlays)
    ids = list(paths)
    record = make_record(
        'masks',
        model.dataset_meta['classes'],
        ids=ids,
        config_text=str(cfg.to_dict()),
        settings={'labels': labels, 'model_sha256': model_hash(model), **decisive(mask_cfg)},
        inputs={'checkpoint': hash_file(checkpoint), **refiner_files(predictor)},
        protocol=prediction_protocol(predictor, mask_cfg, checkpoint),
    )
    sources = {name: content_hash(path) for name, path in paths.items()}
    folder = OutputFolder(out, record, sources, overwrite)
    rank, world_size = get_dist_info()
    report = process_items(
        shard(ids, rank, world_size),
        writer,
        writer.is_done,
        'predictions',
        workers=1,
        read=lambda name: load_rgb(paths[name], name),
        readers=2,
        first=predictor,
        threads=True,
        progress=rank == 0,
    )
    classes = list(model.dataset_meta['classes'])
    return folder.finish(report, ids, lambda joined: {'classes': writer.shares(joined, classes)})


class PredictionWriter:
    """Write the mask of an image and, if asked, the classes over the image."""

    def __init__(
        self, model: ImageLevelClassifier | BaseSegmentor, out: str | Path, overlays: bool
    ) -> None:
        self.palette, self.out, self.overlays = model.dataset_meta['palette'], Path(out), overlays
        self.background = has_background(model.dataset_meta['classes'])

    def mask_path(self, name: str) -> Path:
        """Where the mask goes."""
        return safe_join(self.out, name, '.png')

    def overlay_path(self, name: str) -> Path:
        """Where the overlay goes; no mask has its suffix."""
        return safe_join(self.out / OVERLAYS, name, '.jpg')

    def is_done(self, name: str) -> bool:
        """Whether everything is there that is asked for."""
        seen = not self.overlays or self.overlay_path(name).is_file()
        return seen and is_mask_file(self.mask_path(name))

    def __call__(self, name: str, found: Segmented) -> None:
        """Write the files of an image; the mask last, by which it counts as done."""
        if self.overlays:
            over = overlay(found.image, found.mask, self.palette, background=self.background)
            picture = Image.fromarray(over)
            with atomic_path(self.overlay_path(name)) as temporary:
                picture.save(temporary, format='JPEG', quality=90)
        save_mask(self.mask_path(name), found.mask, self.palette)

    def shares(self, report: BatchReport, classes: Sequence[str]) -> list[dict[str, Any]]:
        """:func:`class_shares` of the masks that are there."""
        masks = (
            load_mask(self.mask_path(name), len(classes))
            for name in (*report.skipped, *report.done)
        )
        counts = [np.bincount(mask.ravel(), minlength=IGNORE_INDEX + 1) for mask in masks]
        return class_shares(counts, classes)


def class_shares(counts: Sequence[np.ndarray], classes: Sequence[str]) -> list[dict[str, Any]]:
    """How much of some masks each class is.

    Args:
        counts: Pixels by class id, of each image.
        classes: Class names.

    Returns:
        For each class that is in a mask, and for what is undecided (id 255, if no class has it): its
        ``name``, its ``pixels``, their ``share`` of all pixels in 0..1 and the number of ``images``.
    """
    names = dict(enumerate(classes))
    names.setdefault(IGNORE_INDEX, UNDECIDED)
    width = max((len(count) for count in counts), default=0)
    table = np.array([np.pad(count, (0, width - len(count))) for count in counts])
    table = table.reshape(len(counts), width)
    pixels, images = table.sum(axis=0), (table > 0).sum(axis=0)
    return [
        {
            'name': names[int(i)],
            'pixels': int(pixels[i]),
            'share': float(pixels[i] / pixels.sum()),
            'images': int(images[i]),
        }
        for i in np.flatnonzero(pixels)
    ]


def model_hash(model: ImageLevelClassifier | BaseSegmentor) -> str:
    """Hash of what decides a prediction beside weights and images."""
    decisive = {'model': model.cfg.model}
    if isinstance(model, BaseSegmentor):
        decisive['pipeline'] = test_steps(model.cfg)
    return settings_hash(decisive)


def refiner_files(predictor: Predictor) -> dict[str, str]:
    """Hashes of the files that the refiners of a localizer read."""
    is_localizer = isinstance(predictor.model, ImageLevelClassifier)
    return hash_files(predictor.chain.input_files()) if is_localizer else {}


def content_hash(path: Path) -> str:
    """Hash of an image file; empty for one that cannot be read, which is reported in its turn."""
    try:
        return hash_file(path)
    except OSError:
        return ''


def prediction_protocol(
    predictor: Predictor, mask_cfg: dict[str, Any], checkpoint: str | Path
) -> Protocol:
    """What a score of the masks will mean."""
    model = predictor.model
    if isinstance(model, ImageLevelClassifier):
        maps = replace(
            map_protocol(model, '', checkpoint), image_labels=predictor.labels is not None
        )
        return mask_protocol(maps, predictor.chain, mask_cfg, '')
    return segmenter_protocol(checkpoint, model.test_cfg)

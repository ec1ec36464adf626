"""Writing class maps over a list of images: what ``tools/make_maps.py`` runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_dist_info
from mmseg.structures import SegDataSample

from mmwsss.io import (
    BatchReport,
    ClassMaps,
    Protocol,
    hash_file,
    is_class_map_file,
    make_record,
    process_items,
    safe_join,
    save_class_maps,
    shard,
)
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.models.heads.base import check_own_background
from mmwsss.stages.image_list import Images, map_pipeline
from mmwsss.stages.load import load_localizer, without_init
from mmwsss.stages.output import OutputFolder, training_protocol
from mmwsss.utils.precision import precision_notes

__all__ = [
    'compute_class_maps',
    'make_maps',
    'map_protocol',
    'map_settings',
    'predict_item',
    'require_unmoved',
]


@torch.no_grad()
def predict_item(model: ImageLevelClassifier, item: dict[str, Any]) -> SegDataSample:
    """What a localizer says of one dataset item; see ``ImageLevelClassifier.predict``."""
    batch = model.data_preprocessor(pseudo_collate([item]))
    require_unmoved(batch['data_samples'][0])
    return model.predict(batch['inputs'], batch['data_samples'])[0]


def require_unmoved(sample: SegDataSample) -> None:
    """Refuse an image that its pipeline has flipped or cropped: its maps would lie elsewhere.

    Raises:
        ValueError: It has, or was put on a larger canvas.
    """
    height, width = sample.img_shape[:2]
    box, whole = tuple(sample.get('valid_box') or ()), (0, 0, width, height)
    done = 'flips images' if sample.get('flip') else f'puts them at {box} of {width} x {height}'
    if sample.get('flip') or (box or whole) != whole:
        raise ValueError(
            f'a pipeline for class maps (map_dataset.pipeline) may only resize, but this one {done}'
        )


def compute_class_maps(model: ImageLevelClassifier, item: dict[str, Any]) -> ClassMaps:
    """Compute the class maps of one dataset item.

    Args:
        model: The localizer, in evaluation mode.
        item: ``inputs`` (3, H, W) uint8 and ``data_samples``, from a pipeline that ends in
            ``PackWSSSInputs``.

    Returns:
        The maps on the CPU.
    """
    sample = predict_item(model, item)
    return ClassMaps(
        keys=sample.pred_map_keys.cpu().numpy(),
        scores=sample.pred_map_scores.cpu().numpy(),
        image_size=tuple(sample.ori_shape[:2]),
    )


def map_settings(model: ImageLevelClassifier, cfg: Config) -> dict[str, Any]:
    """What decides the content of the maps beside weights and images."""
    decisive = without_init({'model': cfg.model, 'pipeline': map_pipeline(cfg.map_dataset)})
    written = json.loads(json.dumps(decisive, default=str))
    return {'has_background': bool(model.head.has_background), **written}


def map_protocol(model: ImageLevelClassifier, split: str, checkpoint: str | Path) -> Protocol:
    """What a score of the maps will mean."""
    test_cfg, before = model.test_cfg, training_protocol(checkpoint)
    return replace(
        before,
        split=split,
        scales=[float(scale) for scale in test_cfg['scales']],
        flip=bool(test_cfg['flip']),
        crf=False,
        image_labels=test_cfg['labels'] == 'gt',
        notes=[*before.notes, *precision_notes(test_cfg)],
    )


def make_maps(
    cfg: Config,
    checkpoint: str | Path,
    out: str | Path,
    ids: Sequence[str] | Path | None = None,
    device: str | None = None,
    threads: int = 2,
    overwrite: bool = False,
    trust_checkpoint: bool = False,
) -> BatchReport:
    """Write the class maps of ``cfg.map_dataset`` to ``out/<id>.npz``, with a record.

    Images that are finished are skipped; one that cannot be read is reported and the rest goes on.
    Under a launcher each rank takes its share, and rank 0 writes the record.

    Args:
        cfg: Config with ``model`` and ``map_dataset``.
        checkpoint: Weights of the localizer.
        out: Folder for the maps.
        ids: Only these images of the dataset, or those that a file lists.
        device: Device of the model.
        threads: Threads that load images ahead, and as many that write.
        overwrite: Start again in a folder made with other settings.
        trust_checkpoint: Allow a file that holds more than tensors and plain data.

    Returns:
        The report of all ranks.

    Raises:
        RecordError: ``out`` holds maps made with other weights, classes, images or settings.
        KeyError: The config has no ``map_dataset``.
        ValueError: An id is not in the dataset, or several of its images have one id.
    """
    if 'map_dataset' not in cfg:
        raise KeyError('make_maps needs a `map_dataset` in the config; localizer configs have one')
    images = Images(cfg.map_dataset)
    ids = images.choose(ids)
    model = load_localizer(cfg, checkpoint, device, trust_checkpoint)
    check_own_background(model.head, images.classes)
    record = make_record(
        'maps',
        images.classes,
        images.split,
        ids,
        config_text=str(cfg.to_dict()),
        settings=map_settings(model, cfg),
        inputs={'checkpoint': hash_file(checkpoint)},
        protocol=map_protocol(model, images.split, checkpoint),
    )
    folder = OutputFolder(out, record, images.label_texts(ids), overwrite)
    rank, world_size = get_dist_info()
    paths = {name: safe_join(out, name, '.npz') for name in ids}
    report = process_items(
        shard(ids, rank, world_size),
        lambda name, maps: save_class_maps(paths[name], maps),
        lambda name: is_class_map_file(paths[name]),
        'class maps',
        workers=max(threads, 1),
        read=lambda name: images.dataset[images.positions[name]],
        readers=max(threads, 1),
        first=lambda _, item: compute_class_maps(model, item),
        threads=True,
        progress=rank == 0,
    )
    return folder.finish(report, ids)

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
from mmengine.device import get_device
from mmengine.dist import get_dist_info
from mmseg.registry import DATASETS, MODELS

from mmwsss.io import (
    BatchReport,
    ClassMaps,
    Protocol,
    hash_file,
    hash_text,
    is_class_map_file,
    make_record,
    process_items,
    safe_join,
    save_class_maps,
    shard,
    voc_palette,
)
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.stages.image_list import Images, map_pipeline
from mmwsss.stages.output import OutputFolder, training_protocol
from mmwsss.utils.checkpoint import load_checkpoint_file, load_weights
from mmwsss.utils.config import load_config
from mmwsss.utils.nested import rebuilt

__all__ = ['compute_class_maps', 'load_localizer', 'make_maps']


def load_localizer(
    cfg: Config | str | Path,
    checkpoint: str | Path,
    device: str | None = None,
    trust_checkpoint: bool = False,
) -> ImageLevelClassifier:
    """Build a config's localizer and load its weights, every one of them.

    Args:
        cfg: A localizer's config, or its file.
        checkpoint: A checkpoint of ``tools/train.py``.
        device: Where to put the model; the best available device by default.
        trust_checkpoint: Allow a file that holds more than tensors and plain data.

    Returns:
        The model in evaluation mode, with the attributes ``cfg`` and ``dataset_meta`` (``classes`` with
        background first, ``palette``) that mmseg's models have.

    Raises:
        FileNotFoundError, ValueError: The checkpoint is missing, damaged or does not fit the model.
        TypeError: The config's model is no :class:`ImageLevelClassifier`.
    """
    if isinstance(cfg, (str, Path)):
        cfg = load_config(cfg)
    model_cfg = {**cfg.model, 'init_cfg': None}
    model_cfg['backbone'] = {**cfg.model['backbone'], 'init_cfg': None}
    model = MODELS.build(model_cfg)
    if not isinstance(model, ImageLevelClassifier):
        raise TypeError(
            f'class maps need an ImageLevelClassifier, but the config builds a '
            f'{type(model).__name__}; is this the config of a segmenter?'
        )
    if trust_checkpoint:
        content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    else:
        content = load_checkpoint_file(checkpoint)
    load_weights(model, content, checkpoint)
    model.cfg, model.dataset_meta = cfg, dataset_meta(cfg, content)
    # Channels-last weights: the same maps up to rounding, in two thirds of the time on a CPU.
    return model.to(device or get_device(), memory_format=torch.channels_last).eval()


def dataset_meta(cfg: Config, checkpoint: dict[str, Any]) -> dict[str, Any]:
    """``classes`` and ``palette``, from the checkpoint or else from the config's dataset."""
    found = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    if 'classes' in found:
        return {**found, 'palette': found.get('palette') or voc_palette(len(found['classes']))}
    try:
        return dict(DATASETS.build({**cfg.map_dataset, 'lazy_init': True}).metainfo)
    except (AttributeError, OSError, ValueError):  # no dataset, or its list of classes is elsewhere
        names = ['background', *(f'class {i + 1}' for i in range(cfg.model.head.num_classes))]
        return {'classes': names, 'palette': voc_palette(len(names))}


@torch.no_grad()
def compute_class_maps(model: ImageLevelClassifier, item: dict[str, Any]) -> ClassMaps:
    """Compute the class maps of one dataset item.

    Args:
        model: The localizer, in evaluation mode.
        item: ``inputs`` (3, H, W) uint8 and ``data_samples``, from a pipeline that ends in
            ``PackWSSSInputs``.

    Returns:
        The maps on the CPU.
    """
    batch = model.data_preprocessor(pseudo_collate([item]))
    sample = model.predict(batch['inputs'], batch['data_samples'])[0]
    return ClassMaps(
        keys=sample.pred_map_keys.cpu().numpy(),
        scores=sample.pred_map_scores.cpu().numpy(),
        image_size=tuple(sample.ori_shape[:2]),
    )


def map_settings(model: ImageLevelClassifier, cfg: Config) -> dict[str, Any]:
    """What decides the content of the maps beside weights and images."""
    test_cfg = model.test_cfg
    decisive = {'model': cfg.model, 'pipeline': map_pipeline(cfg.map_dataset)}
    return {
        'scales': [float(scale) for scale in test_cfg['scales']],
        'flip': bool(test_cfg['flip']),
        'labels': test_cfg['labels'],
        'stride': test_cfg['stride'],
        'head': type(model.head).__name__,
        'has_background': bool(model.head.has_background),
        # Every switch of head, backbone and preprocessing, which are too many to list.
        'model_sha256': hash_text(json.dumps(without_init(decisive), sort_keys=True, default=str)),
    }


def map_protocol(model: ImageLevelClassifier, split: str, checkpoint: str | Path) -> Protocol:
    """What a score of the maps will mean."""
    test_cfg = model.test_cfg
    return replace(
        training_protocol(checkpoint),
        split=split,
        scales=[float(scale) for scale in test_cfg['scales']],
        flip=bool(test_cfg['flip']),
        crf=False,
        image_labels=test_cfg['labels'] == 'gt',
    )


def without_init(node: Any) -> Any:
    """A config without initial weights, which a loaded checkpoint replaces."""
    return rebuilt(node, lambda leaf: leaf, without=('init_cfg', 'train_cfg'))


def make_maps(
    cfg: Config,
    checkpoint: str | Path,
    out: str | Path,
    ids: Sequence[str] | None = None,
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
        ids: Only these images of the dataset.
        device: Device of the model.
        threads: Threads that load images ahead.
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
    folder = OutputFolder(out, record, overwrite)
    rank, world_size = get_dist_info()
    paths = {name: safe_join(out, name, '.npz') for name in ids}
    report = process_items(
        shard(ids, rank, world_size),
        lambda name, maps: save_class_maps(paths[name], maps),
        lambda name: is_class_map_file(paths[name]),
        'class maps',
        workers=1,
        read=lambda name: images.dataset[images.positions[name]],
        readers=max(threads, 1),
        first=lambda _, item: compute_class_maps(model, item),
        threads=True,
        progress=rank == 0,
    )
    return folder.finish(report, ids)

"""Models for use: a localizer or any segmenter of a config, with every weight of its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import DATASETS, MODELS
from torch import nn

from mmwsss.io import hash_text, voc_palette
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.models.fold_norm import fold_batch_norm
from mmwsss.stages.image_list import parts_of
from mmwsss.utils.checkpoint import check_fit, load_checkpoint_file, weights_of
from mmwsss.utils.config import as_config, model_of
from mmwsss.utils.device import usable_device
from mmwsss.utils.names import has_background, name_some
from mmwsss.utils.nested import dicts_in, rebuilt
from mmwsss.utils.precision import run_in

__all__ = ['load_localizer', 'load_model', 'settings_hash', 'without_init']

DATASET_PLACES = ('map_dataset', 'test_dataloader', 'val_dataloader', 'train_dataloader')


def load_model(
    cfg: Config | str | Path,
    checkpoint: str | Path,
    device: str | None = None,
    trust_checkpoint: bool = False,
) -> ImageLevelClassifier | BaseSegmentor:
    """Build the localizer or the segmenter of a config, ours or mmseg's, and load its weights.

    Args:
        cfg: The config, or its file.
        checkpoint: A checkpoint of ``tools/train.py``, or of mmseg.
        device: Where to put the model; the best available device by default.
        trust_checkpoint: Allow a file that holds more than tensors and plain data.

    Returns:
        The model in evaluation mode, batch norms folded into convolutions, with the attributes ``cfg``
        and ``dataset_meta`` (``classes``, ``palette``) that mmseg's models have.

    Raises:
        FileNotFoundError, ValueError: The checkpoint is missing, damaged or does not fit the model,
            ``device`` cannot be used, or the config has no model.
        TypeError: The config's model is neither.
    """
    return with_weights(*built_model(cfg), checkpoint, device, trust_checkpoint)


def load_localizer(
    cfg: Config | str | Path,
    checkpoint: str | Path,
    device: str | None = None,
    trust_checkpoint: bool = False,
) -> ImageLevelClassifier:
    """:func:`load_model` of a localizer; ``TypeError`` for the config of a segmenter."""
    model, cfg = built_model(cfg)
    if not isinstance(model, ImageLevelClassifier):
        raise TypeError(
            f'class maps need an ImageLevelClassifier, but the config builds a '
            f'{type(model).__name__}; is this the config of a segmenter?'
        )
    return with_weights(model, cfg, checkpoint, device, trust_checkpoint)


def built_model(cfg: Config | str | Path) -> tuple[Any, Config]:
    """The model of a config, without weights, and the config; errors as of :func:`load_model`."""
    cfg = as_config(cfg)
    own = model_of(cfg)
    backbone = own.get('backbone')
    parts = {'backbone': without_own(backbone)} if isinstance(backbone, dict) else {}
    model: BaseModel = MODELS.build({**without_own(own), **parts})
    if not isinstance(model, (ImageLevelClassifier, BaseSegmentor)):
        raise TypeError(
            f'expected the config of a localizer (ImageLevelClassifier) or a segmenter, but this one '
            f'builds a {type(model).__name__}'
        )
    return model, cfg


def with_weights(
    model: Any, cfg: Config, checkpoint: str | Path, device: str | None, trust_checkpoint: bool
) -> Any:
    """The model with the weights of a checkpoint, ready for use; see :func:`load_model`."""
    place = usable_device(device)
    if not Path(checkpoint).is_file() and hasattr(model, 'weights_source'):
        raise FileNotFoundError(f'checkpoint not found: {checkpoint}. {model.weights_source}')
    content = load_checkpoint_file(checkpoint, trust=trust_checkpoint)
    # mmseg's checkpoints may hold what only training needs; ours of a localizer fit exactly.
    check_fit(model, content, checkpoint, exact=isinstance(model, ImageLevelClassifier))
    model.load_state_dict(weights_of(content, checkpoint), strict=False)
    model = revert_sync_batchnorm(model)
    model.eval()
    if isinstance(model, ImageLevelClassifier):
        model.backbone = fold_batch_norm(model.backbone)
    else:
        model = fold_batch_norm(model)
        lower_precision(model)
    model.cfg, model.dataset_meta = cfg, dataset_meta(cfg, content)
    check_classes(model, model.dataset_meta['classes'], checkpoint)
    # Channels-last weights: the same maps up to rounding, in two thirds of the time on a CPU.
    return model.to(place, memory_format=torch.channels_last)


def check_classes(model: Any, classes: Sequence[str], checkpoint: str | Path) -> None:
    """Refuse a list of classes that is too short for the model's outputs."""
    if isinstance(model, ImageLevelClassifier):
        number = model.head.num_classes + has_background(classes)
    else:
        number = getattr(model, 'num_classes', len(classes))
    if number > len(classes):
        raise ValueError(
            f'{checkpoint}: the model tells {number} classes apart, but its list of classes has '
            f'{len(classes)}: {name_some(list(classes))}'
        )


def lower_precision(model: nn.Module) -> None:
    """Run the backbones of the segmenters in a model in their ``test_cfg.precision``."""
    for part in model.modules():
        if isinstance(part, BaseSegmentor) and hasattr(part, 'backbone'):
            settings = getattr(part, 'test_cfg', None) or {}
            run_in(part.backbone, settings.get('precision', 'float32'))


def dataset_meta(cfg: Config, checkpoint: dict[str, Any]) -> dict[str, Any]:
    """``classes`` and ``palette``, from the checkpoint, the config's datasets or the number of classes."""
    meta = checkpoint.get('meta') or {}
    old = {
        key.lower(): meta[key] for key in ('CLASSES', 'PALETTE') if key in meta
    }  # mmseg below 1.0
    found = meta.get('dataset_meta') or old
    if not found.get('classes'):
        found = meta_of_datasets(cfg) or {'classes': numbered_classes(cfg)}
    return {**found, 'palette': found.get('palette') or voc_palette(len(found['classes']))}


def meta_of_datasets(cfg: Config) -> dict[str, Any]:
    """Metainfo of the first dataset of a config that knows its classes; empty if none does."""
    for place in DATASET_PLACES:
        node = cfg.get(place) or {}
        for part in parts_of(node):
            try:
                metainfo = dict(DATASETS.build({**part, 'lazy_init': True}).metainfo)
            except (
                KeyError,
                TypeError,
                OSError,
                ValueError,
                AssertionError,  # mmseg's VOC
            ):  # no dataset, or its list is elsewhere
                continue
            if metainfo.get('classes'):
                return metainfo
    return {}


def numbered_classes(cfg: Config) -> list[str]:
    """Names for the classes of a model of which nobody knows them."""
    if 'head' in cfg.model:
        return ['background', *(f'class {i + 1}' for i in range(cfg.model.head.num_classes))]
    counts = [node['num_classes'] for node in dicts_in(cfg.model) if 'num_classes' in node]
    return [f'class {i}' for i in range(max(counts, default=0))]


def without_own(node: dict[str, Any]) -> dict[str, Any]:
    """The config of a module without its own initial weights."""
    return {key: value for key, value in node.items() if key != 'init_cfg'}


def settings_hash(node: Any) -> str:
    """Hash of a config without its initial weights."""
    return hash_text(json.dumps(without_init(node), sort_keys=True, default=str))


def without_init(node: Any) -> Any:
    """A config without initial weights, which a loaded checkpoint replaces."""
    return rebuilt(node, lambda leaf: leaf, without=('init_cfg', 'train_cfg'))

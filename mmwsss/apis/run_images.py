"""Where the images of a run and their true masks are, by the datasets of its configs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmseg.registry import DATASETS

from mmwsss.apis.run_folder import RunFolder
from mmwsss.evaluation.folder import MASK_SUFFIXES, find_ids, find_mask
from mmwsss.utils.cli import KNOWN_ERRORS
from mmwsss.utils.config import load_config
from mmwsss.visualization.report import Missing

__all__ = ['ImageIndex', 'image_index']


@dataclass
class ImageIndex:
    """Where the images of a run and their true masks are.

    Attributes:
        images: Path of each image by id.
        truth: Path of each true mask by id.
        classes: Class names, background first; empty if unknown.
        palette: Their colours.
        missing: Datasets that could not be loaded.
    """

    images: dict[str, str] = field(default_factory=dict)
    truth: dict[str, str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    palette: list[list[int]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


def image_index(
    run: RunFolder,
    config: str | os.PathLike[str] | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    ground_truth: str | os.PathLike[str] | None = None,
) -> ImageIndex:
    """Look up images and true masks in the datasets that a run's configs name, and where scores say.

    Args:
        run: The run.
        config: A config to use instead of those of the run.
        cfg_options: Replaced settings of it.
        ground_truth: Folder of true masks to use instead of those of the datasets.
    """
    index, seen = ImageIndex(), []
    for path, cfg in configs_of(run, config, cfg_options).items():
        for key, dataset_cfg in datasets_of(cfg).items():
            if dataset_cfg not in seen:  # trainings of a run share theirs
                add_dataset(index, dataset_cfg, f'dataset {key} of {run.name(path)}')
                seen.append(dataset_cfg)
    if ground_truth is not None:
        index.truth = masks_in(Path(ground_truth))
        return index
    for content in run.jsons.values():
        folder = content.get('ground_truth')
        if isinstance(folder, str) and Path(folder).is_dir():
            index.truth = {**masks_in(Path(folder)), **index.truth}
    return index


def masks_in(folder: Path) -> dict[str, str]:
    """Path of each mask in a folder by id."""
    return {name: str(find_mask(folder, name)) for name in find_ids(folder, MASK_SUFFIXES)}


def configs_of(
    run: RunFolder,
    config: str | os.PathLike[str] | None,
    cfg_options: Mapping[str, Any] | None,
) -> dict[Path, Config]:
    """The given config, or those of the run, by path."""
    paths = list(run.configs) if config is None else [Path(config)]
    return {path: load_config(path, dict(cfg_options or {})) for path in paths}


def datasets_of(cfg: Config) -> dict[str, Any]:
    """Datasets of a config that name whole images: of maps, of the validation and of the test."""
    found = {'map_dataset': cfg.get('map_dataset')}
    for key in ('val_dataloader', 'test_dataloader'):
        loader = cfg.get(key)
        found[f'{key}.dataset'] = loader.get('dataset') if isinstance(loader, dict) else None
    return {key: dataset for key, dataset in found.items() if dataset}


def add_dataset(index: ImageIndex, dataset_cfg: Any, name: str) -> None:
    """Add the images and true masks of a dataset; one that does not load is missing, and why."""
    try:
        dataset = DATASETS.build(without_pipelines(dataset_cfg))
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    except (AttributeError, *KNOWN_ERRORS) as error:
        reason = f'{described_dataset(dataset_cfg)}: {type(error).__name__}: {error}'
        if reason not in (missing.reason for missing in index.missing):
            index.missing.append(Missing(name, reason))
        return
    for info in infos:
        name = info.get('img_id', Path(info['img_path']).stem)
        index.images.setdefault(name, info['img_path'])
        if info.get('seg_map_path'):
            index.truth.setdefault(name, info['seg_map_path'])
    if not index.classes:
        index.classes = list(dataset.metainfo.get('classes') or ())
        index.palette = [list(colour) for colour in dataset.metainfo.get('palette') or ()]


def without_pipelines(dataset_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset's config without pipelines, and without what pairs or repeats its images."""
    if 'datasets' in dataset_cfg:
        parts = [without_pipelines(part) for part in dataset_cfg['datasets']]
        return {**dataset_cfg, 'datasets': parts}
    if 'dataset' in dataset_cfg:
        return without_pipelines(dataset_cfg['dataset'])
    return {**dataset_cfg, 'pipeline': []}


def described_dataset(dataset_cfg: Any) -> str:
    """Type and place of a dataset."""
    if not isinstance(dataset_cfg, dict):
        return str(dataset_cfg)
    where = ', '.join(
        f'{key} {dataset_cfg[key]}' for key in ('data_root', 'ann_file') if dataset_cfg.get(key)
    )
    return f'{dataset_cfg.get("type")}{" with " if where else ""}{where}'

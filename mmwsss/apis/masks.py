"""Turning a folder of class maps into a folder of masks: what ``tools/make_masks.py`` runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmseg.registry import DATASETS

from mmwsss.apis.stage import finish_output, open_output
from mmwsss.datasets.transforms import LoadImage
from mmwsss.masks import (
    BatchReport,
    Manifest,
    ManifestError,
    check_manifest,
    hash_file,
    is_mask_file,
    load_class_maps,
    make_manifest,
    process_items,
    read_manifest,
    safe_join,
    save_mask,
    shard,
)
from mmwsss.refine import BackgroundThreshold, RefinerChain

__all__ = ['load_rgb', 'make_masks', 'mask_settings']

MASK_CFG_KEYS = ('refiners', 'threshold_source')


def make_masks(
    cfg: Config,
    maps: str | Path,
    out: str | Path,
    ids: Sequence[str] | None = None,
    workers: int = 0,
    overwrite: bool = False,
) -> BatchReport:
    """Write a mask ``out/<id>.png`` for each class map, with a manifest.

    Runs the refiners ``cfg.mask_cfg.refiners`` over ``maps/<id>.npz``. Class list, palette and images
    come from ``cfg.map_dataset``. Masks that are finished are skipped; one that fails is reported and
    the rest goes on. Under a launcher each rank takes its share, and rank 0 writes the manifest.

    Args:
        cfg: Config with ``map_dataset`` and ``mask_cfg``.
        maps: Folder of class maps, with the manifest of ``make_maps``.
        out: Folder for the masks.
        ids: Only these images of the dataset. None: all of them; the maps must be of the same images.
        workers: Processes of each rank; 0 works in this one.
        overwrite: Start again in a folder that holds masks already.

    Returns:
        The report of all ranks.

    Raises:
        FileNotFoundError: ``maps`` or its manifest does not exist.
        KeyError: The config has no ``map_dataset`` or no ``mask_cfg``.
        ManifestError: ``maps`` were made for other classes or another split, or ``out`` holds masks
            made from other maps or with other settings.
        ValueError, TypeError: A refiner's config does not fit, or an id is not in the dataset.
    """
    settings = mask_settings(cfg)
    chain = RefinerChain(settings['refiners'])
    dataset = DATASETS.build(cfg.map_dataset)
    images = {
        info['img_id']: info['img_path'] for info in map(dataset.get_data_info, range(len(dataset)))
    }
    split = Path(cfg.map_dataset.get('ann_file') or 'all').stem
    found = check_maps(maps, dataset.metainfo['classes'], split, list(images), ids)
    ids = list(images) if ids is None else list(ids)
    manifest = make_manifest(
        'masks',
        dataset.metainfo['classes'],
        split,
        ids,
        config_text=cfg.pretty_text,
        settings=settings,
        inputs={'maps': found.sha256(), **hash_files(chain.input_files())},
        complete=False,
    )
    writer = MaskWriter(chain, maps, out, images, dataset.metainfo)
    open_output(out, manifest, overwrite)
    rank, world_size = get_dist_info()
    report = process_items(
        shard(ids, rank, world_size),
        writer,
        writer.is_done,
        'masks',
        workers,
        progress=rank == 0,
    )
    return finish_output(out, manifest, report, ids)


def hash_files(paths: Sequence[str]) -> dict[str, str]:
    """Hash the files that refiners read, by position and name, so that folders may move."""
    return {f'refiner_file_{i} {Path(path).name}': hash_file(path) for i, path in enumerate(paths)}


class MaskWriter:
    """Make the mask of one image.

    Args:
        chain: From class maps to labels.
        maps: Folder of class maps.
        out: Folder for the masks.
        images: Path of each image by id.
        metainfo: ``classes`` and ``palette`` of the dataset.
    """

    def __init__(
        self,
        chain: RefinerChain,
        maps: str | Path,
        out: str | Path,
        images: dict[str, str],
        metainfo: dict[str, Any],
    ) -> None:
        self.chain, self.maps, self.out, self.images = chain, Path(maps), Path(out), images
        self.num_classes, self.palette = len(metainfo['classes']), metainfo.get('palette')

    def is_done(self, name: str) -> bool:
        """Whether the mask is there, whole."""
        return is_mask_file(safe_join(self.out, name, '.png'))

    def __call__(self, name: str) -> None:
        """Read the class maps of an image, refine them and write the mask."""
        maps = load_class_maps(safe_join(self.maps, name, '.npz'), self.num_classes)
        image = load_rgb(self.images[name], name) if self.chain.needs_image else None
        labels = self.chain(maps, image, name)
        save_mask(safe_join(self.out, name, '.png'), labels, self.palette)


def load_rgb(path: str | Path, image_id: str = '') -> np.ndarray:
    """Read an image as the datasets do, as RGB uint8 (H, W, 3).

    Raises:
        FileNotFoundError: The image does not exist.
        OSError: It cannot be decoded.
    """
    loaded = LoadImage()({'img_path': str(path), 'img_id': image_id})
    return np.ascontiguousarray(loaded['img'][..., ::-1])


def mask_settings(cfg: Config) -> dict[str, Any]:
    """Read ``cfg.mask_cfg``: the refiners, the background threshold and where it comes from.

    Returns:
        ``refiners``; ``threshold``, None without a :class:`~mmwsss.refine.BackgroundThreshold`; and
        ``threshold_source``: ``'config'`` unless ``mask_cfg`` says otherwise.

    Raises:
        KeyError: The config lacks ``map_dataset``, ``mask_cfg`` or ``mask_cfg.refiners``.
        ValueError: ``mask_cfg`` has an unknown key, or there are several thresholds.
    """
    for key in ('map_dataset', 'mask_cfg'):
        if key not in cfg:
            raise KeyError(f'make_masks needs `{key}` in the config; localizer configs have it')
    mask_cfg = cfg.mask_cfg.to_dict() if hasattr(cfg.mask_cfg, 'to_dict') else dict(cfg.mask_cfg)
    unknown = sorted(set(mask_cfg) - set(MASK_CFG_KEYS))
    if unknown:
        raise ValueError(f'mask_cfg has unknown keys {unknown}; known are {list(MASK_CFG_KEYS)}')
    if 'refiners' not in mask_cfg:
        raise KeyError('mask_cfg needs `refiners`, a list; [] takes the argmax of the maps')
    refiners = list(mask_cfg['refiners'])
    name = BackgroundThreshold.__name__
    thresholds = [
        r.get('threshold') for r in refiners if isinstance(r, dict) and r.get('type') == name
    ]
    if len(thresholds) > 1:
        raise ValueError(f'mask_cfg.refiners has {len(thresholds)} of {name}, expected at most one')
    settings: dict[str, Any] = {'refiners': refiners, 'threshold': None, 'threshold_source': None}
    if thresholds:
        settings['threshold'] = thresholds[0]
        settings['threshold_source'] = mask_cfg.get('threshold_source', 'config')
    return settings


def check_maps(
    folder: str | Path,
    classes: Sequence[str],
    split: str,
    dataset_ids: Sequence[str],
    ids: Sequence[str] | None,
) -> Manifest:
    """Read the manifest of a folder of class maps and compare it with the config's dataset.

    Args:
        folder: The folder.
        classes: Class names of the dataset.
        split: Its split.
        dataset_ids: All its images.
        ids: The images asked for, or None for all.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: The folder or its manifest does not exist.
        ManifestError: It does not fit; says what.
        ValueError: ``ids`` are not all in the dataset.
    """
    found = read_manifest(folder)
    check_manifest(found, folder=folder, stage='maps', classes=classes, split=split)
    if ids is not None:
        missing = sorted(set(ids) - set(dataset_ids))
        if missing:
            raise ValueError(
                f'{len(missing)} of {len(ids)} ids are not in map_dataset, first {missing[:3]}'
            )
        return found
    try:
        check_manifest(found, folder=folder, ids=dataset_ids)
    except ManifestError as error:
        raise ManifestError(
            f'{error}: the maps are of other images than map_dataset; name those wanted with --list'
        ) from error
    return found

"""Turning a folder of class maps, or of anyone's masks, into masks: ``tools/make_masks.py``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_dist_info, get_rank

from mmwsss.datasets.images import image_size
from mmwsss.datasets.mask_labels import mask_label_doubts, other_numbering
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.evaluation.doubts import doubtful_masks
from mmwsss.io import (
    IGNORE_INDEX,
    BatchReport,
    ClassMaps,
    Protocol,
    Record,
    RecordError,
    find_record,
    hash_file,
    hash_text,
    is_mask_file,
    load_class_maps,
    load_mask,
    make_record,
    process_items,
    read_record,
    safe_join,
    save_mask,
    shard,
)
from mmwsss.io.names import walk_files
from mmwsss.io.record import ARGMAX
from mmwsss.refine.background import BackgroundThreshold
from mmwsss.refine.base import require_maps
from mmwsss.refine.chain import RefinerChain, StartedChain
from mmwsss.stages.image_list import Images, images_only
from mmwsss.stages.imported import ForeignFolder
from mmwsss.stages.load import settings_hash
from mmwsss.stages.output import OutputFolder, read_sources
from mmwsss.stages.threshold import with_chosen_threshold
from mmwsss.utils.config import load_config, model_of
from mmwsss.utils.names import check_known, has_background, name_some, names_by_number
from mmwsss.utils.precision import precision_notes

__all__ = ['import_masks', 'make_masks', 'mask_settings', 'refiner_chain']

IdCounts = tuple[np.ndarray, np.ndarray]  # class ids in a mask, and the pixels of each
MASK_CFG_KEYS = ('refiners', 'threshold_source', 'uses_ground_truth', 'precision')


def make_masks(
    cfg: Config,
    maps: str | Path,
    out: str | Path,
    ids: Sequence[str] | Path | None = None,
    workers: int = 0,
    overwrite: bool = False,
    device: str | None = None,
) -> BatchReport:
    """Write a mask ``out/<id>.png`` for each class map, with a record.

    Runs the refiners ``cfg.mask_cfg.refiners`` over ``maps/<id>.npz``. Class list, palette and images
    come from ``cfg.map_dataset``. Masks that are finished are skipped; one that fails is reported and
    the rest goes on. Under a launcher each rank takes its share, and rank 0 writes the record.

    Args:
        cfg: Config with ``map_dataset`` and ``mask_cfg``.
        maps: Folder of class maps, with the record of ``make_maps``.
        out: Folder for the masks.
        ids: Only these images of the dataset, or those that a file lists. None: all of them; the maps
            must be of the same images.
        workers: Processes of each rank; 0 works in this one.
        overwrite: Start again in a folder that holds masks already.
        device: Where refiners with a network work, instead of what their settings say.

    Returns:
        The report of all ranks.

    Raises:
        FileNotFoundError: ``maps`` or its record does not exist.
        KeyError: The config has no ``map_dataset`` or no ``mask_cfg``.
        RecordError: ``maps`` were made for other classes, another split or other labels, or ``out`` holds
            masks made from other maps or with other settings.
        ValueError, TypeError: A refiner's config does not fit, or an id is not in the dataset.
    """
    mask_cfg = mask_settings(cfg)
    images = Images(cfg.map_dataset)
    before = read_record(
        maps,
        kind='maps',
        classes=images.classes,
        split=images.split,
        ids=list(images.paths) if ids is None else None,
    )
    check_background(mask_cfg, before, maps)
    ids = images.choose(ids)
    mask_cfg = with_chosen_threshold(mask_cfg, maps, images, ids, workers)
    chain = refiner_chain(mask_cfg, images.classes, device)
    record = make_record(
        'masks',
        images.classes,
        images.split,
        ids,
        config_text=str(cfg.to_dict()),
        settings=decisive(mask_cfg),
        inputs={'maps': before.sha256(ids=False), **hash_files(chain.input_files())},
        protocol=mask_protocol(before.protocol, chain, mask_cfg, images.split),
    )
    writer = MaskWriter(chain, maps, out, images)
    labels, mapped = images.label_texts(ids), read_sources(maps)
    known = [name for name in ids if 'null' not in (labels[name], mapped.get(name, 'null'))]
    changed = [name for name in known if mapped[name] != labels[name]]
    if changed:
        raise RecordError(
            f'{maps}: the maps of {len(changed)} images were made with other labels than the dataset has '
            f'now: {name_some(changed)}; make these maps again'
        )
    folder = OutputFolder(out, record, labels, overwrite)
    report = write_masks(writer, ids, workers)
    return folder.finish(report, ids, writer.result(report, workers))


def import_masks(
    cfg: Config,
    folder: str | Path,
    out: str | Path,
    ids: Sequence[str] | Path | None = None,
    workers: int = 0,
    overwrite: bool = False,
    keys: str = 'foreground',
    field: str | None = None,
    device: str | None = None,
) -> BatchReport:
    """Bring masks or class maps of another program into a folder of ours, with a record.

    Class list, palette and images come from ``cfg.map_dataset``, or from the training dataset of a
    config without one. Masks are checked (size, class ids) and written as they are; maps go through
    ``cfg.mask_cfg.refiners``. The first readable file decides which of the two the folder holds.
    What :func:`make_masks` says of failures, resuming and ranks, of the other arguments and of errors holds
    here. Files of images that failed may be replaced before the next run; those of finished images may not.
    ``folder`` holds files ``<id>.png``, ``.npy`` or ``.npz``; ``keys`` says what the keys of foreign
    dictionaries mean, ``'foreground'`` or ``'ids'``; ``field`` names the array of files with several.
    """
    if 'map_dataset' in cfg:
        images = Images(cfg.map_dataset)
    elif 'dataset' in cfg.get('train_dataloader', {}):
        images = Images(images_only(cfg.train_dataloader.dataset), 'train_dataloader.dataset')
    else:
        raise KeyError('imported masks need `map_dataset` or `train_dataloader` in the config')
    ids = images.choose(ids)
    before = find_record(folder, classes=images.classes)
    source = ForeignFolder(folder, len(images.classes), keys, field, has_background(images.classes))
    kind = source.kind(ids)
    settings: dict[str, Any] = {'imported': kind, 'field': field}
    protocol = Protocol(images.split, notes=[f'{kind} of another program'])
    chain = RefinerChain()
    if kind == 'maps':
        mask_cfg = mask_settings(cfg)
        if before is not None:
            check_background(mask_cfg, before, folder)

        def read(name: str) -> ClassMaps:
            size = image_size(images.paths[name])
            return require_maps(source.read(name, size), 'a background threshold')

        there = [name for name in ids if name in source.files]
        mask_cfg = with_chosen_threshold(mask_cfg, read, images, there, workers)
        settings = {**settings, 'keys': keys, **decisive(mask_cfg)}
        chain = refiner_chain(mask_cfg, images.classes, device)
        protocol = mask_protocol(protocol, chain, mask_cfg, images.split)
    record = make_record(
        'masks',
        images.classes,
        images.split,
        ids,
        config_text=str(cfg.to_dict()),
        settings=settings,
        inputs=hash_files(chain.input_files()),
        protocol=protocol,
    )
    writer = ImportWriter(chain, source, kind, out, images)
    hashes = source.hashes()
    sources = {name: hashes.get(name, '') for name in ids}
    output = OutputFolder(out, record, sources, overwrite)
    written = write_masks(writer, ids, workers)
    result = writer.result(written, workers)
    report = output.finish(written, ids, result)
    report_import(source, images)
    return report


def report_import(source: ForeignFolder, images: Images) -> None:
    """Say which files were not asked for."""
    unknown = [name for name in source.files if name not in images.paths]
    if unknown and get_rank() == 0:
        print(
            f'{source.folder}: {len(unknown)} of {len(source.files)} files belong to no image of '
            f'the dataset: {name_some(unknown)}',
            file=sys.stderr,
        )


def write_masks(writer: MaskWriter, ids: Sequence[str], workers: int) -> BatchReport:
    """Make this rank's share of the masks: on an accelerator here, the rest in the pool."""
    rank, world_size = get_dist_info()
    return process_items(
        shard(ids, rank, world_size),
        writer,
        writer.is_done,
        'masks',
        workers,
        first=writer.start if writer.chain.uses_accelerator else None,
        on_result=writer.results.__setitem__,
        progress=rank == 0,
    )


def count_ids(labels: np.ndarray) -> IdCounts:
    """The class ids of a mask, ascending, and the number of pixels of each."""
    counts = np.bincount(labels.ravel())
    ids = np.flatnonzero(counts)
    return ids, counts[ids]


def hash_files(paths: Sequence[str]) -> dict[str, str]:
    """Hash the files and folders that refiners read, by position and name, so that they may move."""
    return {f'refiner_file_{i} {Path(path).name}': hash_path(path) for i, path in enumerate(paths)}


def hash_path(path: str) -> str:
    """Hash of a file, of the model in a config, or of the names and bytes of all files of a folder."""
    if path.endswith('.py'):
        return settings_hash(model_of(load_config(path)))
    if not os.path.isdir(path):
        return hash_file(path)
    found = sorted((os.path.relpath(file, path), hash_file(file)) for file in walk_files(path))
    return hash_text(json.dumps(found))


class MaskWriter:
    """Make the mask ``out/<id>.png`` of an image from the class maps ``maps/<id>.npz``.

    ``results`` holds the class ids of each mask and the numbers of their pixels, by id of the image.
    """

    contradicts_labels = False  # masks from maps hold the classes of the label only

    def __init__(
        self, chain: RefinerChain, maps: str | Path, out: str | Path, images: Images
    ) -> None:
        self.chain, self.maps, self.out, self.images = chain, Path(maps), Path(out), images
        self.results: dict[str, IdCounts] = {}

    def is_done(self, name: str) -> bool:
        """Whether the mask is there, whole."""
        return is_mask_file(safe_join(self.out, name, '.png'))

    def __call__(self, name: str, started: StartedChain | None = None) -> IdCounts:
        """Refine the class maps of an image, from what :meth:`start` returned on, and write the mask."""
        image = self.image(name)
        started = self.chain.start(self.read(name), image, name) if started is None else started
        return self.save(name, self.chain.finish(started, image, name))

    def start(self, name: str) -> StartedChain:
        """The part of the work that the accelerator does."""
        return self.chain.start(self.read(name), self.image(name), name)

    def read(self, name: str) -> ClassMaps:
        """Class maps of an image."""
        path = safe_join(self.maps, name, '.npz')
        return load_class_maps(path, len(names_by_number(self.images.classes)))

    def image(self, name: str) -> np.ndarray | None:
        """The image, if the chain needs it."""
        return load_rgb(self.images.paths[name], name) if self.chain.needs_image else None

    def save(self, name: str, labels: np.ndarray) -> IdCounts:
        """Write the mask, and count its classes."""
        save_mask(safe_join(self.out, name, '.png'), labels, self.images.palette)
        return count_ids(labels)

    def counted(self, name: str) -> IdCounts:
        """The counts of a mask that was finished before."""
        path = safe_join(self.out, name, '.png')
        return count_ids(load_mask(path, len(self.images.classes)))

    def result(
        self, report: BatchReport, workers: int
    ) -> Callable[[BatchReport], dict[str, Any]] | None:
        """Gather the counts of all ranks; on rank 0, what the record says of them, which is printed, too."""
        take = self.results.__setitem__
        process_items(
            report.skipped, self.counted, None, 'counting', workers, on_result=take, progress=False
        )
        counts = {
            n: count for share in all_gather_object(self.results) for n, count in share.items()
        }
        return None if get_rank() else lambda joined: {'doubts': self.doubts(counts)}

    def doubts(self, counts: Mapping[str, IdCounts]) -> list[str]:
        """What is doubtful about the masks; printed."""
        classes, labels = self.images.classes, self.images.labels
        shift = not has_background(classes)  # ids of masks are so much below the numbers of labels
        pixels, expected = np.zeros(len(classes) + 1, np.int64), np.zeros(len(classes), bool)
        for name, (ids, numbers) in counts.items():
            pixels[np.where(ids == IGNORE_INDEX, len(classes), ids)] += numbers
            expected[[i - shift for i in labels[name] or ()]] = True
        found = doubtful_masks(pixels, classes, expected)
        if self.contradicts_labels:
            pairs = {
                name: (label, sorted({*(ids[ids != IGNORE_INDEX] + shift).tolist()} - {0}))
                for name, (ids, _) in counts.items()
                if (label := labels[name]) is not None
            }
            found += [text for text in [other_numbering(pairs, classes)] if text]
            found += mask_label_doubts(pairs, names_by_number(classes))
        for text in found:
            print(f'warning: {text}', file=sys.stderr)
        return found


class ImportWriter(MaskWriter):
    """Make the mask of one image from another program's file, of ``'masks'`` or ``'maps'``."""

    contradicts_labels = True

    def __init__(
        self, chain: RefinerChain, source: ForeignFolder, kind: str, out: str | Path, images: Images
    ) -> None:
        super().__init__(chain, source.folder, out, images)
        self.source, self.kind = source, kind

    def __call__(self, name: str, started: StartedChain | None = None) -> IdCounts:
        """Read, check, refine and write."""
        if self.kind == 'maps':
            return super().__call__(name, started)
        return self.save(name, self.read(name))

    def read(self, name: str) -> Any:
        """Read the file of an image and check it against the image and its label."""
        found = self.source.read(name, image_size(self.images.paths[name]))
        if isinstance(found, ClassMaps) != (self.kind == 'maps'):
            raise ValueError(f'holds no {self.kind}, unlike the first file of the folder')
        if isinstance(found, ClassMaps) and self.surplus(name, found.keys):
            raise ValueError(
                f'the maps are of the classes {found.keys.tolist()}, but the label of the image is '
                f'{self.images.labels[name]}; is --keys right?'
            )
        return found

    def surplus(self, name: str, class_ids: np.ndarray) -> list[int]:
        """Class ids, without background and 255, that the image-level label does not have."""
        label = self.images.labels[name]
        if label is None:
            return []
        return sorted(set(class_ids.tolist()) - {0, IGNORE_INDEX, *label})


def mask_settings(cfg: Config) -> dict[str, Any]:
    """Read and check ``cfg.mask_cfg``: its keys are ``MASK_CFG_KEYS``.

    Raises:
        KeyError: The config lacks ``map_dataset``, ``mask_cfg`` or ``mask_cfg.refiners``.
        ValueError: ``mask_cfg`` has an unknown key, or a value of another kind.
    """
    for key in ('map_dataset', 'mask_cfg'):
        if key not in cfg:
            where = cfg.filename or 'the config'
            raise KeyError(f'{where} has no `{key}`, which masks need; localizer configs have it')
    mask_cfg = dict(cfg.mask_cfg)
    for key in mask_cfg:
        check_known('mask_cfg: key', key, MASK_CFG_KEYS)
    if 'refiners' not in mask_cfg:
        raise KeyError('mask_cfg needs `refiners`, a list; [] takes the argmax of the maps')
    for refiner in mask_cfg['refiners']:
        if not isinstance(refiner, dict):
            raise ValueError(f'mask_cfg.refiners must hold dicts, but holds {refiner!r}')
        check_network(refiner.get('config'), cfg)
    chosen = mask_cfg.get('uses_ground_truth', False)
    if not isinstance(chosen, bool):
        raise ValueError(f'mask_cfg.uses_ground_truth must be True or False, but got {chosen!r}')
    source = mask_cfg.get('threshold_source', '')
    if not isinstance(source, str):
        raise ValueError(f'mask_cfg.threshold_source must be a text, but got {source!r}')
    return {'threshold_source': 'config', 'uses_ground_truth': False, **mask_cfg}


def decisive(mask_cfg: dict[str, Any]) -> dict[str, Any]:
    """What of :func:`mask_settings` decides the content: a threshold, not what it was chosen by."""
    return {key: value for key, value in mask_cfg.items() if key != 'threshold_source'}


def check_network(path: str | None, cfg: Config) -> None:
    """Refuse options for the model of a config that a refiner reads anew, from its file."""
    if not (
        path and cfg.filename and os.path.exists(path) and os.path.samefile(path, cfg.filename)
    ):
        return
    # A refiner asks the backbone or IRNet, which have no test_cfg.
    models = [{**model, 'test_cfg': None} for model in map(model_of, (load_config(path), cfg))]
    if settings_hash(models[0]) != settings_hash(models[1]):
        raise ValueError(
            f'{path}: the network of a refiner is built from this file, which options for `model` do not '
            'reach: write them into a config of your own'
        )


def refiner_chain(
    mask_cfg: dict[str, Any], classes: Sequence[str], device: str | None = None
) -> RefinerChain:
    """The chain of a ``mask_cfg`` for images of some classes."""
    precision = mask_cfg.get('precision', 'float32')
    return RefinerChain(mask_cfg['refiners'], device, precision, has_background(classes))


def mask_protocol(
    maps: Protocol, chain: RefinerChain, mask_cfg: dict[str, Any], split: str
) -> Protocol:
    """What a score of the masks will mean, from what one of the maps means.

    Raises:
        ValueError: Several refiners have a background threshold.
    """
    thresholds = [r.threshold for r in chain.refiners if r.threshold is not None]
    if len(thresholds) > 1:
        raise ValueError(
            f'mask_cfg.refiners has {len(thresholds)} background thresholds, expected at most one'
        )
    threshold = thresholds[0] if thresholds else None
    asks = any(refiner.network is not None for refiner in chain.refiners)
    notes = [n for n in precision_notes(mask_cfg) if asks and n not in maps.notes]
    return replace(
        maps,
        split=split,
        refiners=[type(refiner).__name__ for refiner in chain.refiners],
        crf=any(refiner.is_crf for refiner in chain.refiners),
        threshold=threshold,
        threshold_source=ARGMAX if threshold is None else mask_cfg['threshold_source'],
        uses_ground_truth=mask_cfg['uses_ground_truth']
        or any(refiner.uses_ground_truth for refiner in chain.refiners),
        notes=[*maps.notes, *notes],
    )


def check_background(mask_cfg: dict[str, Any], maps: Record, folder: str | Path) -> None:
    """Refuse a threshold for maps that have a background, before every image fails for it."""
    first: dict[str, Any] = next(iter(mask_cfg['refiners']), {})
    kind, replaces = first.get('type', '').rpartition('.')[2], first.get('replace', False)
    is_threshold = kind == BackgroundThreshold.__name__ and not replaces
    if is_threshold and maps.settings.get('has_background'):
        raise ValueError(
            f'mask_cfg.refiners: the class maps in {folder} have a background of their own: leave '
            'BackgroundThreshold out (mask_cfg=dict(refiners=[]) takes their argmax), or let it '
            'replace=True that background'
        )

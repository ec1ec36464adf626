"""PASCAL VOC 2012 + SBD -> the ``train_aug`` layout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from mmwsss.io.damage import parsing
from mmwsss.io.ids import write_ids
from mmwsss.io.mask_io import check_mask, is_mask_file, load_mask, save_mask
from mmwsss.io.names import require_folder, safe_join
from mmwsss.io.pool import BatchReport, process_items
from mmwsss.io.record import hash_file

from ..splits import read_split, warn_count
from ..voc import VOC12WSSSDataset
from .sources import remove_changed

__all__ = ['convert_voc12aug', 'read_sbd_mat']

NUM_CLASSES = 21
_LISTS = Path('ImageSets', 'Segmentation')


def convert_voc12aug(
    voc: str | os.PathLike[str],
    sbd: str | os.PathLike[str],
    workers: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> BatchReport:
    """Write ``SegmentationClassAug/<id>.png`` and ``ImageSets/Segmentation/train_aug.txt``.

    ``train_aug`` is VOC's train list and all SBD images that are not in VOC's val list (10,582).
    Images of VOC's train and val lists keep VOC's own mask, which is finer than SBD's; the others
    get SBD's. Masks that are there already are kept, so the tool may be run again; those whose source
    has changed are made anew. The list is written once every mask is there; its length and those of
    VOC's lists are compared with the known ones.

    Args:
        voc: ``VOCdevkit/VOC2012``.
        sbd: Folder of SBD's ``<id>.mat`` files (``benchmark_RELEASE/dataset/cls``), or of masks
            ``<id>.png``.
        workers: Number of processes; 0 works in this one.
        out: Folder to write into. None: ``voc``, which is then no longer as it came.

    Returns:
        What became of every image.

    Raises:
        FileNotFoundError: A folder or list does not exist.
        ValueError: ``sbd`` holds neither kind of file, or both, or ``SegmentationClassAug`` holds masks
            of unknown origin.
    """
    voc = Path(voc)
    written = voc if out is None else Path(out)
    masks = written / 'SegmentationClassAug'
    train, val = _voc_list(voc, 'train'), _voc_list(voc, 'val')
    suffix, sbd_ids = _sbd_ids(Path(sbd))
    train_aug = sorted(set(train) | (set(sbd_ids) - set(val)))
    own = set(train) | set(val)
    made_from = {
        name: safe_join(voc / 'SegmentationClass', name, '.png')
        if name in own
        else safe_join(Path(sbd), name, suffix)
        for name in [*train_aug, *val]
    }
    hashes = {name: hash_file(path) for name, path in made_from.items() if path.is_file()}
    remove_changed(masks, hashes)
    work = partial(_make_mask, voc=voc, made_from=made_from, masks=masks)
    report = process_items(
        list(made_from),
        work,
        is_done=lambda name: is_mask_file(safe_join(masks, name, '.png')),
        description='masks of train_aug and val',
        workers=workers,
    )
    if not report.failed:
        warn_count('train_aug', len(train_aug), VOC12WSSSDataset.EXPECTED_COUNTS['train_aug'])
        write_ids(written / _LISTS / 'train_aug.txt', train_aug)
    return report


def read_sbd_mat(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the class mask, uint8 (H, W), of one of SBD's ``cls/<id>.mat`` files.

    Raises:
        ValueError: The file is missing, damaged or another kind of file.
    """
    with parsing(f'{path} is not a readable .mat file with GTcls.Segmentation'):
        content = loadmat(path, squeeze_me=True, struct_as_record=False)
        mask = np.asarray(content['GTcls'].Segmentation)
    return check_mask(mask, path, NUM_CLASSES, ignore_index=None)


def _voc_list(voc: Path, split: str) -> list[str]:
    ids = read_split(str(voc / _LISTS / f'{split}.txt'))
    warn_count(f'VOC 2012 {split}', len(ids), VOC12WSSSDataset.EXPECTED_COUNTS[split])
    return ids


def _sbd_ids(sbd: Path) -> tuple[str, list[str]]:
    """Return the kind of files in ``sbd`` and the ids of them."""
    files = [p for p in require_folder('SBD', sbd).iterdir() if not p.name.startswith('.')]
    found = {kind: sorted(p.stem for p in files if p.suffix == kind) for kind in ('.mat', '.png')}
    kinds = [suffix for suffix, ids in found.items() if ids]
    if len(kinds) != 1:
        what = 'both' if kinds else 'neither'
        raise ValueError(f'{sbd} must hold .mat files or .png masks, but holds {what}')
    return kinds[0], found[kinds[0]]


def _make_mask(name: str, voc: Path, made_from: Mapping[str, Path], masks: Path) -> None:
    with Image.open(safe_join(voc / 'JPEGImages', name, '.jpg')) as image:
        size = image.height, image.width
    path = made_from[name]
    mask = read_sbd_mat(path) if path.suffix == '.mat' else load_mask(path, NUM_CLASSES)
    check_mask(mask, path, image_size=size)
    palette = VOC12WSSSDataset.METAINFO['palette']
    save_mask(safe_join(masks, name, '.png'), mask, palette)

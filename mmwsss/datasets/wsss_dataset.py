"""The dataset of all stages: images, their image-level labels, and masks where there are any."""

from __future__ import annotations

import logging
import os.path as osp
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, ClassVar

from mmengine import fileio
from mmengine.logging import print_log
from mmengine.utils import is_abs
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmwsss.functional.checks import check_choice
from mmwsss.io.record import RECORD_NAME, find_record
from mmwsss.utils.names import has_background, name_some, names_by_number

from .classes import resolve_metainfo
from .labels import read_image_labels
from .seeding import item_of_key
from .splits import FileIndex, ids_of_folder, read_split, read_subset, warn_count
from .subsets import choose_fraction

__all__ = ['WSSSDataset']

_UNLABELED = ('keep', 'drop', 'error')
_CHECK_FILES = ('error', 'lazy')
_MAX_COUNTS_SHOWN = 100


@DATASETS.register_module()
class WSSSDataset(BaseSegDataset):
    """Images with image-level labels, and optionally masks.

    Any folder of images with a CSV of class names is such a dataset::

        data_root
        ├── images/a.jpg, b.png ...
        ├── labels.csv          lines "id,class;class"
        └── classes.txt         one class name a line

        WSSSDataset(data_root=..., data_prefix=dict(img_path='images'), classes='classes.txt',
                    ann_file='labels.csv', labels=dict(source='csv', path='labels.csv'))

    Each ``data_info`` has ``img_id``, ``img_path``, ``num_fg_classes`` (K), ``img_label`` (sorted
    class ids 1..K, if ``labels`` is given), ``seg_map_path`` (if there are masks), and mmseg's
    ``label_map``, ``reduce_zero_label``, ``seg_fields``.

    Args:
        ann_file: The split: a text file of image ids, or a CSV or JSON of labels (see
            :func:`~mmwsss.datasets.splits.read_split`). ``''``: all images of the folder.
        labels: ``dict(source=..., path=..., **options)`` for
            :func:`~mmwsss.datasets.labels.read_image_labels`. Relative paths lie in ``data_root``;
            for ``'masks'`` the path defaults to ``data_prefix['seg_map_path']``. None: no labels.
        classes: Class names or the path of a text file; see
            :func:`~mmwsss.datasets.classes.resolve_metainfo`. A part of the classes of a dataset
            that has METAINFO keeps the labels of that part; masks are mapped by ``label_map``.
        background: False: every pixel has one of the K classes, as in tissue; ids of masks are 0..K-1, in the
            order of ``classes``, while labels and class maps number the classes 1..K as ever.
        pseudo_mask_dir: Folder of masks to use instead of ``data_prefix['seg_map_path']``, in the
            class ids of ``classes``; a relative path starts from the *working directory*. Its record
            must name the same classes (no record: a warning), and every image must have its mask.
        subset: Text file of those image ids of the split to use, as
            ``tools/dataset_converters/subset.py`` writes it; a relative path starts from the *working
            directory*. The number of images of the split is then not checked. None: the whole split.
        fraction: Part of the images of every class to use, such as 0.25 or ``'1/4'``; see
            :func:`~mmwsss.datasets.subsets.choose_fraction`. Needs ``labels``. An epoch of
            ``SeededSampler`` stays as long as with all images (``epoch_size``). None: all.
        fraction_seed: Seed of that choice.
        expected_count: Number of images that the split should have; another number is a warning.
            None: the dataset's own number, by the name of ``ann_file``. 0: no check.
        unlabeled: What to do about images without any label: ``'keep'`` keeps them as negatives, with an
            empty label, ``'drop'`` leaves them out, ``'error'`` names them.
        check_files: ``'error'``: image and mask files are looked for when the dataset is built, and
            missing ones are named. ``'lazy'``: loading a missing image fails, by name.
        img_suffix: Ending of the image files. None: per image, one of ``IMAGE_SUFFIXES``.
        metainfo: As in mmseg.
        data_root: Folder that relative paths start from.
        data_prefix: ``img_path`` and optionally ``seg_map_path``, the folders of images and masks.
        reduce_zero_label: Must stay False: id 0 is background; see ``background`` for masks without.
        lazy_init: As in mmengine.
        **kwargs: Further arguments of ``BaseSegDataset``.

    Raises:
        FileNotFoundError: A list, a folder, a label file or (``check_files='error'``) an image or
            mask does not exist.
        ValueError: A list or folder is empty, a class name or image id is wrong, an image has no
            label.
        mmwsss.io.record.RecordError: The pseudo masks were made for other classes.
    """

    EXPECTED_COUNTS: ClassVar[dict[str, int]] = {}
    accepts_item_keys: ClassVar[bool] = True

    def __init__(
        self,
        ann_file: str = '',
        labels: dict[str, Any] | None = None,
        classes: Sequence[str] | str | None = None,
        background: bool = True,
        pseudo_mask_dir: str | None = None,
        subset: str | None = None,
        fraction: float | str | None = None,
        fraction_seed: int = 0,
        expected_count: int | None = None,
        unlabeled: str = 'keep',
        check_files: str = 'error',
        img_suffix: str | None = None,
        metainfo: dict[str, Any] | None = None,
        data_root: str | None = None,
        data_prefix: dict[str, str | None] | None = None,
        reduce_zero_label: bool = False,
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        check_choice('unlabeled', unlabeled, _UNLABELED)
        check_choice('check_files', check_files, _CHECK_FILES)
        check_choice('reduce_zero_label', reduce_zero_label, (False,))  # id 0 is background
        self.labels = dict(labels) if labels else None
        self.expected_count = expected_count
        self.unlabeled = unlabeled
        self.check_files = check_files
        self.pseudo_mask_dir = pseudo_mask_dir
        self.subset = subset
        self.fraction = fraction
        self.fraction_seed = fraction_seed
        self.epoch_size: int | None = None
        self.class_counts: dict[str, int] | None = None
        self.num_unlabeled = 0
        prefix = {key: path for key, path in (data_prefix or {}).items() if path is not None}
        backend_args = kwargs.get('backend_args')
        names_file = classes if isinstance(classes, str) else '/'
        in_root = not (is_abs(prefix.get('img_path', '')) and is_abs(names_file))
        if data_root and in_root and not (lazy_init or fileio.isdir(data_root, backend_args)):
            raise FileNotFoundError(
                f'data_root: the folder does not exist: {data_root} (a relative one starts from the '
                'working directory; --cfg-options data_root=... gives another)'
            )
        super().__init__(
            ann_file=ann_file,
            img_suffix=img_suffix,
            metainfo=resolve_metainfo(
                self.METAINFO, classes, metainfo, data_root, backend_args, background
            ),
            data_root=data_root,
            data_prefix={'img_path': '', **prefix},
            lazy_init=True,
            **kwargs,
        )
        self._complete_label_paths()
        if pseudo_mask_dir:
            self.data_prefix['seg_map_path'] = osp.abspath(pseudo_mask_dir)
        if not lazy_init:
            self.full_init()

    @classmethod
    def class_list(
        cls,
        classes: Sequence[str] | str | None = None,
        metainfo: dict[str, Any] | None = None,
        data_root: str | None = None,
        backend_args: dict[str, Any] | None = None,
        background: bool = True,
        **_: Any,
    ) -> tuple[str, ...]:
        """Class names, background first, of a dataset with such arguments, without building it."""
        info = resolve_metainfo(
            cls.METAINFO, classes, metainfo, data_root, backend_args, background
        )
        return tuple(info['classes'])

    @property
    def num_fg_classes(self) -> int:
        """Number K of foreground classes."""
        return len(names_by_number(self._metainfo['classes'])) - 1

    @property
    def split_name(self) -> str:
        """Name of the split: of ``ann_file`` without suffix, or of the folder of images."""
        return PurePath(self.ann_file or self.data_prefix['img_path']).stem

    def full_init(self) -> None:
        """Load the split once, and log what it holds."""
        if not self._fully_initialized:
            super().full_init()
            if self._indices is not None and self.class_counts is not None:
                self._count_classes(map(self.get_cat_ids, range(len(self))))
            print_log(repr(self), logger='current')

    def __getitem__(self, idx: int) -> Any:
        """Return an item; a key of ``SeededSampler`` also fixes the randomness of its pipeline."""
        return item_of_key(super().__getitem__, idx, len(self))

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the items once. (Indices past the end are keys, so Python needs to be told.)"""
        return (self[idx] for idx in range(len(self)))

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read split and labels, and find the files; see the class."""
        ids = self._load_ids()
        labels = self._load_labels(ids)
        if labels is not None:
            ids = self._handle_unlabeled(ids, labels)
        expected = 0 if self.subset else self.expected_count
        if expected is None:
            expected = self.EXPECTED_COUNTS.get(self.split_name, 0) if self.ann_file else 0
        what = f'{type(self).__name__}, {self.ann_file}: the split {self.split_name!r}'
        warn_count(what, len(ids), expected or len(ids))
        if self.fraction is not None:
            if labels is None:
                raise ValueError('fraction needs labels: it is taken of the images of every class')
            chosen = set(choose_fraction(labels, self.fraction, self.fraction_seed))
            self.epoch_size = len(ids)
            ids = [name for name in ids if name in chosen]
        if labels is not None:
            self._count_classes(labels[name] for name in ids)
        images = FileIndex(self.data_prefix['img_path'], self.img_suffix, self.backend_args)
        folder = self.data_prefix.get('seg_map_path')
        masks = FileIndex(folder, self.seg_map_suffix, self.backend_args) if folder else None
        if self.check_files == 'error':
            self._check_missing('image', images, ids)
        if self.pseudo_mask_dir:
            self._check_mask_record(self.pseudo_mask_dir)
        if masks and (self.pseudo_mask_dir or self.check_files == 'error'):
            self._check_missing('pseudo mask' if self.pseudo_mask_dir else 'mask', masks, ids)
        labels = labels or {}
        return [
            self._data_info(
                name, images.path(name), masks.path(name) if masks else None, labels.get(name)
            )
            for name in ids
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class ids (1..K) of an image, as mmengine's ``ClassBalancedDataset`` asks.

        Raises:
            ValueError: The dataset was built without ``labels``.
        """
        info = self.get_data_info(idx)
        if 'img_label' not in info:
            raise ValueError('the dataset was built without labels')
        return info['img_label']

    def __repr__(self) -> str:
        name = f'{type(self).__name__} {self.split_name!r}'
        if self.subset:
            name += f' (part {PurePath(self.subset).stem!r})'
        if self.fraction is not None:
            name += f' ({self.fraction} of each class)'
        if not self._fully_initialized:
            return f'{name}: not loaded yet'
        text = f'{name}: {len(self)} images, {self.num_fg_classes} foreground classes'
        if self.num_unlabeled:
            kept = 'as negatives' if self.unlabeled == 'keep' else 'left out'
            text += f', {self.num_unlabeled} images without label {kept}'
        if self.labels is not None and self.class_counts is not None:
            source, counts = self.labels['source'], _counts_text(self.class_counts)
            text += f'; images per class ({source}): {counts}'
        return text

    def _complete_label_paths(self) -> None:
        """Make the paths in ``labels`` start from ``data_root``."""
        if self.labels is None:
            return
        for key in ('path', 'category_map', 'columns'):
            value = self.labels.get(key)
            if isinstance(value, str) and self.data_root and not is_abs(value):
                self.labels[key] = osp.join(self.data_root, value)
        if self.labels.get('source') == 'masks':
            self.labels.setdefault('path', self.data_prefix.get('seg_map_path'))
            if not has_background(self._metainfo['classes']):
                self.labels['background'] = False

    def _load_ids(self) -> list[str]:
        if self.ann_file:
            ids = read_split(self.ann_file, self.backend_args)
            return read_subset(self.subset, ids) if self.subset else ids
        if self.subset:
            raise ValueError('subset needs ann_file, the list that it is a part of')
        return ids_of_folder(self.data_prefix['img_path'], self.img_suffix, self.backend_args)

    def _load_labels(self, ids: list[str]) -> dict[str, list[int]] | None:
        if self.labels is None:
            return None
        own = names_by_number(self._metainfo['classes'])
        everything = own if self.label_map is None else names_by_number(self.METAINFO['classes'])
        labels = read_image_labels(self.labels, ids, everything, self.backend_args)
        numbers = {name: i for i, name in enumerate(own) if i}
        for label in labels.values() if own != everything else ():
            label[:] = sorted(numbers[everything[i]] for i in label if everything[i] in numbers)
        return labels

    def _handle_unlabeled(self, ids: list[str], labels: dict[str, list[int]]) -> list[str]:
        without = [name for name in ids if not labels[name]]
        if without and (self.unlabeled == 'error' or len(without) == len(ids)):
            raise ValueError(
                f'{len(without)} of {len(ids)} images of the split {self.split_name!r} have no '
                f"label: {name_some(without)} (unlabeled='drop' leaves some out, 'keep' keeps them)"
            )
        self.num_unlabeled = len(without)
        if self.unlabeled == 'keep':
            return ids
        return [name for name in ids if labels[name]]

    def _count_classes(self, labels: Iterable[list[int]]) -> None:
        counts = Counter(i for label in labels for i in label)
        classes = enumerate(names_by_number(self._metainfo['classes']))
        self.class_counts = {name: counts[i] for i, name in classes if i}

    def _check_mask_record(self, folder: str) -> None:
        """Check that ``pseudo_mask_dir`` was made for these classes."""
        classes = list(self._metainfo['classes'])
        if find_record(folder, kind='masks', classes=classes) is None:
            print_log(
                f'{folder} has no {RECORD_NAME}: its class ids are taken to be those of this dataset',
                logger='current',
                level=logging.WARNING,
            )

    def _check_missing(self, what: str, index: FileIndex, ids: list[str]) -> None:
        missing = index.missing(ids)
        if missing:
            where = self.ann_file or 'the folder of images'
            raise FileNotFoundError(
                f'{len(missing)} of {len(ids)} {what} files named by {where} do not exist in '
                f'{index.folder}: {name_some(missing)}'
            )

    def _data_info(
        self, name: str, image: str, mask: str | None, label: list[int] | None
    ) -> dict[str, Any]:
        info = {
            'img_id': name,
            'img_path': image,
            'num_fg_classes': self.num_fg_classes,
            'label_map': None if self.pseudo_mask_dir else self.label_map,
            'reduce_zero_label': self.reduce_zero_label,
            'seg_fields': [],
        }
        optional: dict[str, Any] = {'img_label': label, 'seg_map_path': mask}
        if not has_background(self._metainfo['classes']):
            optional['has_background'] = False
        return {**info, **{key: value for key, value in optional.items() if value is not None}}


def _counts_text(counts: Mapping[str, int]) -> str:
    if len(counts) <= _MAX_COUNTS_SHOWN:
        return ', '.join(f'{name} {count}' for name, count in counts.items())
    ordered = sorted(counts.values())
    return f'{ordered[0]} to {ordered[-1]}, median {ordered[len(ordered) // 2]}'

"""Groups of images that share a class, for methods that compare images in training."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.registry import FUNCTIONS
from mmengine.structures import BaseDataElement
from mmseg.registry import DATASETS
from scipy.sparse import csr_array

from mmwsss.functional.checks import check_choice

from .seeding import decode_key, seeded_item

__all__ = ['Group', 'PairDataset', 'flatten_groups', 'image_label']

GROUP_SIZES = (1, 2, 3, 4)
# Keys of further views lie apart from all keys of a sampler, which are far below 1 << 104.
VIEW_SHIFT = 104


class Group(NamedTuple):
    """What was drawn for an item: indices of its images, and the class id (1..K) they share."""

    images: tuple[int, ...]
    shared_class: int


@FUNCTIONS.register_module()
def flatten_groups(batch: Sequence[Sequence[dict[str, Any]]]) -> dict[str, list[Any]]:
    """Collate items of :class:`PairDataset` to a flat batch, the views of a group side by side.

    In a config: ``train_dataloader = dict(collate_fn=dict(type='flatten_groups'), ...)``.

    Args:
        batch: N items of g views each.

    Returns:
        What mmengine's ``pseudo_collate`` makes of the N x g views.
    """
    return pseudo_collate(list(itertools.chain.from_iterable(batch)))


@DATASETS.register_module()
class PairDataset:
    """Wraps a dataset with image-level labels: an item is a group of images that share a class.

    Item i draws a class among the labels of the i-th *labelled* image, each with the same probability, and
    then its partners among the other images of that class: without repetition as long as there are
    others, the image itself only where no other has the class.

    With :class:`~mmwsss.datasets.samplers.SeededSampler` a draw and its augmentations follow from (seed,
    epoch, i) alone; with other samplers the draws come from NumPy's global generator.

    An item is a list of g items of the wrapped dataset, whose ``data_samples`` have the metainfo
    ``group_size`` (g), ``group_index`` (i), ``view_index`` (0..g-1) and ``shared_class`` (0-based, as an
    index into ``gt_label``), and with ``SeededSampler`` ``noise_seed``, for random numbers that the network
    draws for this view; without ``data_samples`` the entries are added to the item. ``batch_size``
    counts groups; ``collate_fn=dict(type='flatten_groups')`` makes a flat batch.

    Source: Liu et al., RPNet, 2021: pairs with a class in common; how they are drawn is not stated.

    Args:
        dataset: Config of the dataset, or the dataset: a ``WSSSDataset``, a wrapper of it, or another one
            with labels; see :func:`image_label`.
        group_size: Images in a group, 1 to 4.
        class_balanced: Draw the class first, all with the same probability, and all images of the group
            among its images: those of rare classes come more often, others not at all.
        lazy_init: Load the dataset later, with ``full_init``.

    Raises:
        TypeError: The dataset has no image-level labels.
        ValueError: ``group_size`` is not one of 1 to 4, or no image has a label.
    """

    accepts_item_keys: ClassVar[bool] = True

    def __init__(
        self,
        dataset: Any,
        group_size: int = 2,
        class_balanced: bool = False,
        lazy_init: bool = False,
    ) -> None:
        check_choice('group_size', group_size, GROUP_SIZES)
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.group_size = int(group_size)
        self.class_balanced = bool(class_balanced)
        self._is_loaded = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the wrapped dataset."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Load the wrapped dataset and index its labels, once, and log what they give."""
        if self._is_loaded:
            return
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()
        rows = [dict.fromkeys(image_label(self.dataset, i)) for i in range(len(self.dataset))]
        flat, ends = [*itertools.chain.from_iterable(rows)], np.cumsum([0, *map(len, rows)])
        if not flat:
            raise ValueError(f'no image of {type(self.dataset).__name__} has a label to share')
        # Flat arrays, which the workers of a dataloader share: 2 MB for COCO 2014.
        self._labels = csr_array((np.ones(len(flat), bool), flat, ends))
        self._images = self._labels.tocsc()
        self._labelled = np.flatnonzero(np.diff(self._labels.indptr))
        self._classes = np.flatnonzero(np.diff(self._images.indptr))
        self._is_loaded = True
        print_log(self._summary(), logger='current')

    def __len__(self) -> int:
        """Number of groups in an epoch: that of the images with a label."""
        self.full_init()
        return len(self._labelled)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Annotation of the image that item ``idx`` stands for."""
        self.full_init()
        return self.dataset.get_data_info(int(self._labelled[idx]))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Class ids (1..K) of the image that item ``idx`` stands for."""
        self.full_init()
        return self.labels_of(self._labelled[idx]).tolist()

    def labels_of(self, image: int) -> np.ndarray:
        """Class ids of an image of the wrapped dataset, once each, in the order they were given."""
        return self._labels.indices[slice(*self._labels.indptr[image : image + 2])]

    def images_of(self, class_id: int) -> np.ndarray:
        """Indices of the images of a class in the wrapped dataset, ascending."""
        return self._images.indices[slice(*self._images.indptr[class_id : class_id + 2])]

    def group(self, idx: int) -> Group:
        """Draw the group of an item, without loading it; always the same for a key of ``SeededSampler``."""
        key = decode_key(idx, len(self))
        if key.seed is None:
            seed = np.random.SeedSequence(np.random.randint(1 << 31, size=4))  # noqa: NPY002
        else:
            seed = np.random.SeedSequence(idx, spawn_key=(0,))
        return self._draw(key.position, np.random.default_rng(seed))

    def __getitem__(self, idx: int) -> list[dict[str, Any]]:
        """Load the group of an item: a list of ``group_size`` items of the wrapped dataset."""
        key = decode_key(idx, len(self))
        if not -len(self) <= key.position < len(self):
            raise IndexError(f'index must lie in [0, {len(self)}), but got {idx}')
        group = self.group(idx)
        meta = {
            'group_size': self.group_size,
            'group_index': key.position % len(self),
            'shared_class': group.shared_class - 1,
        }
        views = []
        for j, image in enumerate(group.images):
            view_key = None if key.seed is None else idx + (j << VIEW_SHIFT)
            views.append(self._view(image, view_key, {**meta, 'view_index': j}))
        return views

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Iterate over the items once. (Indices past the end are keys, so Python needs to be told.)"""
        return (self[idx] for idx in range(len(self)))

    def __repr__(self) -> str:
        if not self._is_loaded:
            return f'{type(self).__name__} of {self.group_size}: not loaded yet'
        return f'{self._summary()}; {self.dataset!r}'

    def _summary(self) -> str:
        counts = [len(self.images_of(c)) for c in self._classes.tolist()]
        how = 'classes balanced' if self.class_balanced else 'a class of each image'
        return (
            f'{type(self).__name__} of {self.group_size} ({how}): {len(self)} groups, '
            f'{len(self.dataset) - len(self)} images without label left out, {len(counts)} classes of '
            f'{min(counts)} to {max(counts)} images, {sum(n < self.group_size for n in counts)} of '
            f'them with fewer than {self.group_size}'
        )

    def _draw(self, position: int, generator: np.random.Generator) -> Group:
        if self.class_balanced:
            shared = int(generator.choice(self._classes))
            first = int(generator.choice(self.images_of(shared)))
        else:
            first = int(self._labelled[position])
            shared = int(generator.choice(self.labels_of(first)))
        partners = draw_partners(self.images_of(shared), first, self.group_size - 1, generator)
        return Group((first, *partners), shared)

    def _view(self, image: int, key: int | None, meta: dict[str, int]) -> dict[str, Any]:
        """Load one image of a group and note its place."""
        with contextlib.nullcontext() if key is None else seeded_item(key):
            item = self.dataset[image]
        if key is not None:
            meta = {**meta, 'noise_seed': noise_seed(key)}
        sample = item.get('data_samples')
        if isinstance(sample, BaseDataElement):
            sample.set_metainfo(meta)
            return item
        return {**item, **meta}


def image_label(dataset: Any, image: int) -> list[int]:
    """Class ids (1..K) of an image of any image-level dataset.

    Args:
        dataset: A dataset whose ``get_data_info`` has ``img_label`` (``WSSSDataset`` and wrappers of
            it), or that has ``get_cat_ids``, as mmengine's ``ClassBalancedDataset`` asks for.
        image: Index of the image.

    Raises:
        TypeError: The dataset has neither.
    """
    if hasattr(dataset, 'get_data_info'):
        label = dataset.get_data_info(image).get('img_label')
        if label is not None:
            return list(label)
    try:
        return list(dataset.get_cat_ids(image))
    except (AttributeError, NotImplementedError):
        raise TypeError(
            f'{type(dataset).__name__} has no image-level labels: get_data_info must give '
            'img_label, or get_cat_ids the class ids 1..K'
        ) from None


def draw_partners(
    images: np.ndarray, first: int, count: int, generator: np.random.Generator
) -> list[int]:
    """Draw ``count`` of the ascending ``images`` beside ``first``, each before any is repeated.

    ``first`` is one of them and has no part in the draw unless it is the only one.
    """
    own = int(np.searchsorted(images, first))
    others = len(images) - 1
    if not others:
        return [first] * count
    partners: list[int] = []
    while len(partners) < count:
        places = generator.choice(others, min(others, count - len(partners)), replace=False)
        partners.extend(images[places + (places >= own)].tolist())
    return partners


def noise_seed(key: int) -> int:
    """Seed for random numbers that belong to a view but are drawn in the network, in [0, 2**63)."""
    sequence = np.random.SeedSequence(key, spawn_key=(1,))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))

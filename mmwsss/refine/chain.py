"""Chains of refiners, from class maps to labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmwsss.io import IGNORE_INDEX, ClassMaps
from mmwsss.io.mask_io import compact_labels
from mmwsss.refine.base import (
    BaseRefiner,
    MapsOrLabels,
    check_image,
    check_result,
    require_maps,
)
from mmwsss.registry import REFINERS
from mmwsss.utils.names import check_known

__all__ = ['RefinerChain', 'StartedChain', 'build_refiner', 'labels_from_maps']


@dataclass(frozen=True)
class StartedChain:
    """What a chain made of one image's maps so far; may travel to another process.

    Attributes:
        state: Of the chain, or of the refiner that has started.
        image_size: (H, W) of the image.
        class_ids: Ids that the result may use.
    """

    state: Any
    image_size: tuple[int, int]
    class_ids: frozenset[int]


class RefinerChain:
    """Run refiners one after the other; what comes out are labels.

    If the last refiner returns class maps, each pixel gets the class of its largest score. Labels can
    only be background, the classes of the maps that went in, and 255 (undecided): anything else that a
    refiner returns is an error.

    Example:
        >>> maps = ClassMaps(np.array([3]), np.array([[[0.2, 0.6]]]), (1, 2))
        >>> RefinerChain([dict(type='BackgroundThreshold', threshold=0.4)])(maps)
        array([[0, 3]], dtype=uint8)

    Args:
        refiners: Configs, or refiners. Empty: only the argmax.
        device: Where those work that take a device. None: what their settings say.
        precision: Of the backbones that they ask, see :func:`~mmwsss.utils.precision.run_in`.
        background: False: every pixel has one of the classes of the maps, and the labels are their places in
            the list of classes, which begin at 0: one less than the keys. All pixels of an image without
            class maps are undecided.

    Raises:
        ValueError, TypeError: A config does not fit or is no list, or a refiner needs a background and
            there is none.
    """

    def __init__(
        self,
        refiners: Sequence[dict[str, Any] | BaseRefiner] = (),
        device: str | None = None,
        precision: str = 'float32',
        background: bool = True,
    ) -> None:
        if isinstance(refiners, (Mapping, BaseRefiner)):
            raise TypeError(f'refiners must be a list, but got one alone: {refiners}')
        self.background = background
        for refiner in () if background else refiners:
            check_no_background(refiner)
        self.refiners = [build_refiner(refiner) for refiner in refiners]
        for refiner in self.refiners:
            if device is not None and 'device' in vars(refiner):
                refiner.device = device
            if refiner.network is not None:
                refiner.network.device = device or refiner.network.device
                refiner.network.precision = precision

    @property
    def needs_image(self) -> bool:
        """Whether a refiner looks at the image."""
        return any(refiner.needs_image for refiner in self.refiners)

    @property
    def uses_accelerator(self) -> bool:
        """Whether a refiner works on an accelerator; then :meth:`start` and :meth:`finish` do."""
        return any(refiner.uses_accelerator for refiner in self.refiners)

    def input_files(self) -> list[str]:
        """Files and folders that decide the result, of all refiners."""
        return [path for refiner in self.refiners for path in refiner.input_files()]

    def __call__(
        self, maps: ClassMaps, image: np.ndarray | None = None, image_id: str = ''
    ) -> np.ndarray:
        """Refine the class maps of one image into labels.

        Args:
            maps: The class maps.
            image: RGB uint8 (H, W, 3); may be None unless ``needs_image``.
            image_id: For messages, and to find files of the image.

        Returns:
            (H, W), uint8 or with ids above 255 uint16.

        Raises:
            TypeError, ValueError: A refiner does not fit its input or returns what it must not.
        """
        return self.finish(self.start(maps, image, image_id), image, image_id)

    def start(
        self, maps: ClassMaps, image: np.ndarray | None = None, image_id: str = ''
    ) -> StartedChain:
        """Run all up to the start of the last refiner that uses an accelerator; arguments as above."""
        chain = self._enter(maps, image, image_id)
        return self._run(slice(self._split), chain, image, image_id)

    def finish(
        self, started: StartedChain, image: np.ndarray | None = None, image_id: str = ''
    ) -> np.ndarray:
        """Run the rest, on the CPU: ``chain.finish(chain.start(...), ...)`` is ``chain(...)``."""
        chain = self._run(slice(self._split, None), started, image, image_id)
        return compact_labels(self._labels(chain.state))

    def steps(
        self, maps: ClassMaps, image: np.ndarray | None = None, image_id: str = ''
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Run the refiners one by one, to look at what each does; arguments as for the chain.

        Yields:
            Name of a refiner, such as ``'1. DenseCRF'``, and the labels (H, W) after it. One whose
            maps have no background yet is left out.
        """
        chain = self._enter(maps, image, image_id)
        for i, refiner in enumerate(self.refiners):
            chain = self._run(slice(2 * i, 2 * i + 2), chain, image, image_id)
            if not isinstance(chain.state, ClassMaps) or chain.state.is_complete:
                yield f'{i + 1}. {type(refiner).__name__}', self._labels(chain.state)

    def _enter(self, maps: ClassMaps, image: np.ndarray | None, image_id: str) -> StartedChain:
        if self.needs_image:
            check_image(image, maps.image_size, image_id)
        keys = frozenset(maps.keys.tolist())
        if self.background:
            return StartedChain(maps, maps.image_size, keys | {0})
        if maps.has_background:
            raise ValueError(
                'the class maps have a background map, but the dataset has no background '
                '(background=False)'
            )
        return StartedChain(replace(maps, no_background=True), maps.image_size, keys)

    def _run(
        self, part: slice, chain: StartedChain, image: np.ndarray | None, image_id: str
    ) -> StartedChain:
        """Run a part of the refiners' halves, which are their starts and finishes in turn."""
        if not chain.class_ids:
            return chain  # nothing is known of the image
        halves = [(r, half) for r in self.refiners for half in (r.start, r.finish)]
        for refiner, half in halves[part]:
            state = half(chain.state, image if refiner.needs_image else None, image_id)
            if half == refiner.finish:
                check_result(state, chain.image_size, chain.class_ids, type(refiner).__name__)
            chain = replace(chain, state=state)
        return chain

    def _labels(self, state: MapsOrLabels) -> np.ndarray:
        labels = labels_from_maps(state) if isinstance(state, ClassMaps) else state
        if self.background:
            return labels
        return np.where(labels == IGNORE_INDEX, IGNORE_INDEX, labels - 1)

    @property
    def _split(self) -> int:
        """How many halves go up to the start of the last refiner that uses an accelerator."""
        splits = (2 * i + 1 for i, r in enumerate(self.refiners) if r.uses_accelerator)
        return max(splits, default=0)


def check_no_background(refiner: dict[str, Any] | BaseRefiner) -> None:
    """Refuse a refiner that needs a background, before its own settings are looked at."""
    kind: Any = type(refiner)
    if not isinstance(refiner, BaseRefiner):
        check_known('type of a refiner', refiner['type'], REFINERS.module_dict)
        kind = REFINERS.get(refiner['type'])
    if kind.needs_background:
        raise ValueError(
            f'{kind.__name__} needs a background, which the dataset does not have (background=False): leave '
            'it out (mask_cfg.refiners=[] takes the argmax of the maps)'
        )


def build_refiner(cfg: dict[str, Any] | BaseRefiner) -> BaseRefiner:
    """Build a refiner from its config, whatever the default scope is.

    Args:
        cfg: ``dict(type=..., **arguments)``, or a refiner, which is returned.

    Raises:
        ValueError: The type is not registered, or a value does not fit; names the refiner.
        TypeError: The arguments do not fit.
    """
    if isinstance(cfg, BaseRefiner):
        return cfg
    name = cfg['type']
    check_known('type of a refiner', name, REFINERS.module_dict)
    try:
        refiner: BaseRefiner = REFINERS.build({**cfg, '_scope_': REFINERS.scope})
    except ValueError as error:
        raise ValueError(f'refiner {name}: {error}') from error
    return refiner


def labels_from_maps(maps: ClassMaps) -> np.ndarray:
    """Give each pixel the class of its largest score at image size, the smallest id of equals.

    Args:
        maps: Class maps with a background map, or of data that have no background.

    Returns:
        int64 (H, W); 255 where there is no map at all.

    Raises:
        ValueError: There is no background map to compare with.
    """
    require_maps(maps, 'argmax', 'put a BackgroundThreshold into the chain of refiners')
    if not len(maps.keys):
        return np.full(maps.image_size, IGNORE_INDEX, np.int64)
    labels: np.ndarray = maps.keys[maps.full_size_scores().argmax(0)]
    return labels

"""What a refiner is, and what it may be given and may return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence, Set
from typing import Any, Union

import numpy as np
import torch

from mmwsss.io import IGNORE_INDEX, ClassMaps
from mmwsss.refine.model import FrozenModel

__all__ = ['BaseRefiner', 'MapsOrLabels', 'check_image', 'require_maps']

MapsOrLabels = Union[ClassMaps, np.ndarray]


class BaseRefiner(ABC):
    """Turns the class maps, or the labels, of one image into better ones.

    It keeps nothing between images, so that they may be worked on in any order and in any process, and
    may use the classes of its input and background, no other. On an accelerator a chain works in two
    processes: up to :meth:`start` of its last refiner with an accelerator in one that may use it, and
    from that refiner's :meth:`finish` on in a pool's.

    Attributes:
        needs_image: Whether it looks at the image; if no refiner of a chain does, no image is
            loaded.
        device: Where it works, as torch names it.
        threshold: The constant score of its background, if it has one; scores state it.
        needs_background: Whether it only makes sense where masks have a background.
        is_crf: Whether a dense CRF takes part; scores state that.
        uses_ground_truth: Whether it reads true masks; scores state that.
        network: The trained network that it asks, if it asks one.
    """

    needs_image: bool = False
    needs_background: bool = True
    device: str = 'cpu'
    threshold: float | None = None
    is_crf: bool = False
    uses_ground_truth: bool = False
    network: FrozenModel | None = None

    @property
    def uses_accelerator(self) -> bool:
        """Whether it must work in a process that may use an accelerator."""
        return torch.device(self.device).type != 'cpu'

    @abstractmethod
    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> MapsOrLabels:
        """Refine one image.

        Args:
            maps: Class maps, or integer labels (H, W) of the refiner before; 255 = undecided.
            image: RGB uint8 (H, W, 3); None if ``needs_image`` is False.
            image_id: For messages, and to find files of the image.

        Returns:
            Class maps of the same image, or integer labels (H, W).
        """

    def start(self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = '') -> Any:
        """Do what needs the accelerator; arguments as for calling the refiner.

        Returns:
            What :meth:`finish` goes on with, picklable, on the CPU. Here: the result.
        """
        return self(maps, image, image_id)

    def finish(
        self, started: Any, image: np.ndarray | None = None, image_id: str = ''
    ) -> MapsOrLabels:
        """Make the result from what :meth:`start` returned, on the CPU."""
        result: MapsOrLabels = started
        return result

    def input_files(self) -> Sequence[str]:
        """Files and folders that decide the result, here those of the network; their hashes are kept."""
        return self.network.files if self.network else ()


def check_image(
    image: np.ndarray | None, image_size: tuple[int, ...], image_id: str = ''
) -> np.ndarray:
    """Return the image that a refiner is given if it is what it must be.

    Raises:
        ValueError: It is missing, no RGB uint8 image, or not of the maps' size.
    """
    if image is None or image.dtype != np.uint8 or image.shape != (*image_size, 3):
        got = None if image is None else f'{image.dtype} {image.shape}'
        where = f'{image_id}: ' * bool(image_id)
        raise ValueError(f'{where}image must be RGB uint8 {(*image_size, 3)}, but got {got}')
    return image


def require_maps(maps: MapsOrLabels, refiner: str, background: str | None = None) -> ClassMaps:
    """Return ``maps`` if they are class maps, as ``refiner`` needs.

    Args:
        maps: What it is given.
        refiner: Named in messages.
        background: What to do if there is no background map; None: none is needed.

    Raises:
        TypeError: Labels arrived.
        ValueError: A background map is needed and not there.
    """
    if not isinstance(maps, ClassMaps):
        raise TypeError(f'{refiner} needs ClassMaps, but got labels {maps.shape}')
    if background is not None and not maps.is_complete:
        raise ValueError(
            f'{refiner}: the class maps have no background map (keys {maps.keys.tolist()}): '
            f'{background}'
        )
    return maps


def check_result(
    result: MapsOrLabels, image_size: tuple[int, int], class_ids: Set[int], who: str
) -> None:
    """Check what refiner ``who`` returned: maps or labels of this size and these classes, or 255.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(result, ClassMaps):
        size, ids = result.image_size, set(result.keys.tolist())
    else:
        size, ids = np.shape(result), set(np.unique(result).tolist()) - {IGNORE_INDEX}
    if size != image_size or ids - class_ids:
        raise ValueError(
            f'{who} must return maps or labels {image_size} of the classes {sorted(class_ids)}, '
            f'but returned {size} with {sorted(ids)}'
        )

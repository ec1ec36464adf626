"""IRNet's random walk as a refiner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmwsss.functional.checks import check_range, check_shapes
from mmwsss.functional.irn import grid_stride
from mmwsss.functional.random_walk import propagate
from mmwsss.io import ClassMaps, safe_join
from mmwsss.refine.base import (
    BaseRefiner,
    MapsOrLabels,
    check_image,
    require_maps,
)
from mmwsss.refine.model import FrozenModel
from mmwsss.registry import REFINERS

__all__ = ['RandomWalk']


@REFINERS.register_module()
class RandomWalk(BaseRefiner):
    """Spread class maps by a random walk that stops at class boundaries (IRNet, CVPR 2019).

    Without ``background_threshold`` the background map walks like any other (as SIPE does). With it the
    foreground maps alone walk, are divided by their common maximum and compared with the constant (as
    the paper does). The result is class maps.

    The edge map comes from a trained IRNet (``config`` and ``checkpoint``), or from files
    ``<edge_dir>/<image id>.npy`` with float arrays (h, w) in [0, 1].

    Args:
        config: config of the IRNet.
        checkpoint: its weights.
        edge_dir: folder of edge maps, instead of the two.
        radius: of the walk's steps, pixels of the edge map's grid.
        beta: power of the affinities.
        exp_times: log2 of the number of steps.
        power: of the maps before the walk; None: 1.5 threshold-free, else 1.
        background_threshold: constant score of the background, in [0, 1]; the paper's is 0.25.
        device: where IRNet and the walk run.

    Raises:
        ValueError: both or none of the two sources, or a number out of range.
    """

    def __init__(
        self,
        config: str | None = None,
        checkpoint: str | None = None,
        edge_dir: str | None = None,
        radius: float = 5,
        beta: float = 10,
        exp_times: int = 8,
        power: float | None = None,
        background_threshold: float | None = None,
        device: str = 'cpu',
    ) -> None:
        if config is not None and checkpoint is not None:
            self.network = FrozenModel(config, checkpoint, device, fold=True)
        if (self.network is None) == (edge_dir is None) or (config is None) != (checkpoint is None):
            raise ValueError(
                'RandomWalk needs either config and checkpoint of an IRNet or edge_dir, but got '
                f'config={config!r}, checkpoint={checkpoint!r}, edge_dir={edge_dir!r}'
            )
        if background_threshold is not None:
            check_range('background_threshold', background_threshold, '[0, 1]')
        if power is None:
            power = 1.5 if background_threshold is None else 1.0
        check_range('power', power, '(0, inf)')
        self.edge_dir = edge_dir or ''
        self.walk: dict[str, Any] = {'radius': radius, 'beta': beta, 'exp_times': exp_times}
        self.background_threshold = self.threshold = background_threshold
        self.power = power
        self.device = device
        self.needs_image = self.network is not None

    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> ClassMaps:
        """Refine one image, see :class:`BaseRefiner`.

        Raises:
            TypeError: labels arrived.
            ValueError: no background map in the threshold-free variant, or a bad edge map.
            FileNotFoundError: no edge map of this image.
        """
        need = 'set background_threshold' if self.background_threshold is None else None
        maps = require_maps(maps, 'RandomWalk', need)
        if self.needs_image:
            image = check_image(image, maps.image_size, image_id)
        keep = maps.keys >= (0 if self.background_threshold is None else 1)
        keys, scores = maps.keys[keep], maps.scores[keep]
        if len(keys):
            scores = self._propagate(scores, self.edge_map(image, image_id), maps.image_size)
        else:
            scores = np.zeros((0, *maps.image_size), np.float32)
        if self.background_threshold is not None:
            background = np.full((1, *maps.image_size), self.background_threshold, np.float32)
            keys, scores = np.append(0, keys), np.concatenate([background, scores])
        return ClassMaps(keys, scores, maps.image_size)

    def input_files(self) -> Sequence[str]:
        """The files of the network, or the folder of edge maps."""
        return [self.edge_dir] if self.edge_dir else super().input_files()

    def edge_map(self, image: np.ndarray | None, image_id: str) -> Tensor:
        """Edge map (h, w) of an image."""
        if self.network is None or image is None:
            array = np.load(safe_join(self.edge_dir, image_id, '.npy'), allow_pickle=False)
            check_shapes(edge=(array, 'h w'))
            return torch.from_numpy(array.astype(np.float32)).to(self.device)
        inputs, _ = self.network.inputs(image)
        edge: Tensor = self.network.model.edge_maps(inputs)[0]
        return edge

    def _propagate(
        self, scores: np.ndarray, edge: Tensor, image_size: tuple[int, int]
    ) -> np.ndarray:
        """Maps on any grid -> walked maps at image size, their common maximum 1."""
        start = torch.from_numpy(scores).to(self.device)
        start = _resize(start, edge.shape).clamp(min=0) ** self.power
        walked = _enlarge(propagate(start, edge.float(), **self.walk), image_size)
        result: np.ndarray = (walked / walked.max().clamp(min=1e-12)).cpu().numpy()
        return result


def _enlarge(maps: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Bring maps (K, h, w) to image size, if a stride fits by it and a crop as the released code does."""
    strides = [*map(grid_stride, image_size, maps.shape[1:])]
    grid = [-(-side // stride) for side, stride in zip(image_size, strides)]
    if grid != list(maps.shape[1:]):
        return _resize(maps, image_size)
    size = [cells * stride for cells, stride in zip(grid, strides)]
    return _resize(maps, size)[:, : image_size[0], : image_size[1]]


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(maps[None], size=tuple(size), mode='bilinear', align_corners=False)[0]

"""Class maps and masks of a few images while a model is trained."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS
from torch import nn

from mmwsss.datasets.seeding import seeded_item
from mmwsss.engine.evaluating import evaluating
from mmwsss.io import ClassMaps
from mmwsss.visualization import class_legend, panel_image
from mmwsss.visualization.tiles import ImageParts, picture_of

__all__ = ['MapVisualizationHook']

# What images that cannot be read and refiners that do not fit raise; a model's faults end the training.
KNOWN_ERRORS = (ValueError, TypeError, LookupError, OSError, ImportError)


@HOOKS.register_module()
class MapVisualizationHook(Hook):
    """Draw what the model makes of a few fixed images, again and again during training.

    For a localizer: the image, the map of each class, the mask of the config's refiners, and the true mask
    if the dataset loads it. For a segmenter: the image, its prediction and the true mask. The pictures go
    to the backends of MMEngine's visualizer: ``LocalVisBackend`` writes files to ``vis_data/vis_image``,
    ``TensorboardVisBackend`` images to TensorBoard. Rank 0 draws; no display is needed.

    The images are evenly spaced over the dataset, so that every run shows the same ones. Training is
    not touched: the model returns to its mode, and random numbers go on as if nothing had happened. An
    image that cannot be read is left out with one warning that names it.

    Args:
        interval: Draw after every so many epochs or iterations, and after the last.
        by_epoch: Whether ``interval`` counts epochs; else iterations.
        num_images: Number of images.
        dataset: Config of the dataset they come from. None: ``map_dataset`` of the config, else the
            dataset of validation, else that of the test.
        refiners: Configs of the refiners that make the mask of a localizer. None: those of ``mask_cfg``.
        max_side: Longest side of a picture of one image in pixels; larger images are reduced.

    Raises:
        ValueError: A number is below 1.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1,
        by_epoch: bool = True,
        num_images: int = 4,
        dataset: dict[str, Any] | None = None,
        refiners: Sequence[dict[str, Any]] | None = None,
        max_side: int = 320,
    ) -> None:
        values = {'interval': interval, 'num_images': num_images, 'max_side': max_side}
        for name, value in values.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'{name} must be an integer of at least 1, but got {value!r}')
        self.interval, self.by_epoch, self.num_images = interval, by_epoch, num_images
        self.dataset_cfg, self.refiners, self.max_side = dataset, refiners, max_side
        self.warned = False
        self.unreadable: set[int] = set()

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Build the dataset and choose the images.

        Raises:
            ValueError: The config names no dataset to take images from.
        """
        self.dataset = DATASETS.build(self.dataset_cfg or default_dataset(runner.cfg))
        count = min(self.num_images, len(self.dataset))
        self.positions = np.unique(np.linspace(0, len(self.dataset) - 1, count).round().astype(int))
        if self.refiners is None:
            self.refiners = list((runner.cfg.get('mask_cfg') or {}).get('refiners') or ())

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw when it is time."""
        last = runner.epoch + 1 == runner.max_epochs
        if self.by_epoch and (last or self.every_n_epochs(runner, self.interval)):
            self.draw(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Draw when it is time."""
        last = runner.iter + 1 == runner.max_iters
        if not self.by_epoch and (last or self.every_n_train_iters(runner, self.interval)):
            self.draw(runner, runner.iter + 1)

    @master_only
    def draw(self, runner: Runner, step: int | None = None) -> None:
        """Draw all images and hand them to the visualizer.

        Args:
            runner: The runner.
            step: Number of iterations done; None: ``runner.iter``.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        step = runner.iter if step is None else step
        with evaluating(model), torch.no_grad():
            for position in self.positions.tolist():
                read = self.read(position)
                if read is not None:
                    name, picture = self.picture(model, position, *read)
                    runner.visualizer.add_image(name, picture, step)

    def read(self, position: int) -> tuple[dict[str, Any], ImageParts] | None:
        """An item of the dataset and its image as it is; None, and a warning, if it cannot be read."""
        name = str(position)
        try:
            info = self.dataset.get_data_info(position)
            name = info.get('img_id') or info.get('img_path', name)
            with seeded_item(position):
                item = self.dataset[position]
            size = tuple(item['data_samples'].ori_shape[:2])
            return item, ImageParts(info.get('img_id', str(position)), rgb_of(item, size))
        except KNOWN_ERRORS as error:
            if position not in self.unreadable:
                text = f'MapVisualizationHook leaves out {name}, which cannot be read: {error}'
                print_log(text, logger='current', level=logging.WARNING)
            self.unreadable.add(position)
            return None

    def picture(
        self, model: nn.Module, position: int, item: dict[str, Any], parts: ImageParts
    ) -> tuple[str, np.ndarray]:
        """Name and picture, RGB uint8 (H, W, 3), of what the model makes of an item."""
        sample = model.test_step(pseudo_collate([item]))[0]
        size = tuple(sample.ori_shape[:2])
        if 'gt_sem_seg' in sample and sample.gt_sem_seg.shape[-2:] == size:
            parts.truth = labels_of(sample.gt_sem_seg)
        if 'pred_map_keys' in sample:
            scores, keys = sample.pred_map_scores.cpu().numpy(), sample.pred_map_keys.cpu().numpy()
            parts.maps = ClassMaps(keys, scores, size)
            self.add_mask(parts)
        elif 'pred_sem_seg' in sample:
            parts.prediction = labels_of(sample.pred_sem_seg)
        return f'maps_{position}_{re.sub(r"[^A-Za-z0-9_-]+", "_", parts.name)}', self.panel(parts)

    def add_mask(self, parts: ImageParts) -> None:
        """Refine the maps; a chain that does not fit is a warning, not the end of the training."""
        from mmwsss.refine import RefinerChain

        try:
            chain = RefinerChain(self.refiners)
            parts.mask = chain(parts.maps, parts.image if chain.needs_image else None, parts.name)
        except KNOWN_ERRORS as error:
            if not self.warned:
                text = f'MapVisualizationHook shows no masks: {error}'
                print_log(text, logger='current', level=logging.WARNING)
            self.warned = True

    def panel(self, parts: ImageParts) -> np.ndarray:
        """Lay out an image in the colours of the dataset."""
        classes, palette = (self.dataset.metainfo[key] for key in ('classes', 'palette'))
        tiles = list(picture_of(parts, '', classes, palette, self.max_side).tiles)
        labels = [
            found for found in (parts.mask, parts.prediction, parts.truth) if found is not None
        ]
        seen = sorted({int(i) for found in labels for i in np.unique(found)} - {0})
        legend = class_legend(classes, palette, [i for i in seen if i < len(classes)])
        return panel_image([tiles], legend)


def default_dataset(cfg: Any) -> dict[str, Any]:
    """The dataset of a config to take images from.

    Raises:
        ValueError: There is none.
    """
    loaders = (cfg.get('val_dataloader'), cfg.get('test_dataloader'))
    for found in (
        cfg.get('map_dataset'),
        *(loader and loader.get('dataset') for loader in loaders),
    ):
        if found:
            return found
    raise ValueError(
        'MapVisualizationHook needs images: name a `dataset`, or have map_dataset or val_dataloader in '
        'the config'
    )


def rgb_of(item: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """The image of a dataset item as RGB uint8 (H, W, 3), at its own size."""
    from mmwsss.apis.masks import load_rgb

    image = load_rgb(item['data_samples'].img_path)
    if image.shape[:2] != size:
        raise ValueError(f'{item["data_samples"].img_path} is {image.shape[:2]}, expected {size}')
    return image


def labels_of(pixel_data: Any) -> np.ndarray:
    """Labels (H, W) of mmseg's pixel data."""
    return pixel_data.data.squeeze(0).cpu().numpy()

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
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS

from mmwsss.datasets.seeding import seeded_item
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.engine.evaluating import evaluating
from mmwsss.functional.checks import check_range
from mmwsss.io import ClassMaps
from mmwsss.refine.chain import RefinerChain
from mmwsss.utils.checkpoint import unwrapped
from mmwsss.utils.cli import KNOWN_ERRORS
from mmwsss.utils.names import has_background
from mmwsss.visualization.panels import class_legend, panel_image
from mmwsss.visualization.tiles import ImageParts, evenly_spaced, image_tiles

__all__ = ['MapVisualizationHook']


@HOOKS.register_module()
class MapVisualizationHook(Hook):
    """Draw what the model makes of a few fixed images, again and again during training.

    For a localizer: the image, the map of each class, the mask of the config's refiners, and the true mask
    if the dataset loads it. For a segmenter: the image, its prediction and the true mask. The pictures go
    to the backends of MMEngine's visualizer. Rank 0 draws; no display is needed.

    The images are evenly spaced over the dataset. The model returns to its mode, and random numbers go on
    as if nothing had happened. An image that cannot be read is left out with one warning that names it.

    Args:
        interval: Draw after every so many epochs or iterations, and after the last.
        by_epoch: Whether ``interval`` counts epochs; else iterations.
        num_images: Number of images.
        dataset: Config of the dataset they come from. None: ``map_dataset`` of the config, else the
            dataset of validation, else that of the test.
        refiners: Configs of the refiners that make the mask of a localizer. None: those of ``mask_cfg``.
        max_side: Longest side of a picture of one image in pixels; larger images are reduced.

    Raises:
        ValueError: A number is below 1, or the config names no dataset to take images from.
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
        check_range('interval', interval, '[1, inf]')
        check_range('num_images', num_images, '[1, inf]')
        check_range('max_side', max_side, '[1, inf]')
        self.interval, self.by_epoch, self.num_images = interval, by_epoch, num_images
        self.dataset_cfg, self.max_side = dataset, max_side
        self.refiners: Any = refiners
        self.warned: set[str | int] = set()

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Build the dataset and choose the images."""
        datasets = [self.dataset_cfg] if self.dataset_cfg else image_datasets(runner.cfg)
        if not datasets:
            raise ValueError(
                'MapVisualizationHook needs images: name a `dataset`, or have map_dataset or '
                'val_dataloader in the config'
            )
        self.dataset = DATASETS.build(datasets[0])
        self.positions = evenly_spaced(len(self.dataset), self.num_images)
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
        """Draw all images after ``step`` iterations (``runner.iter``) and hand them to the visualizer."""
        model = unwrapped(runner.model)
        step = runner.iter if step is None else step
        with evaluating(model), torch.no_grad():
            for position in self.positions:
                item, parts = self.read(position)
                if parts is not None:
                    self.look(model, item, parts)
                    name = re.sub(r'[^A-Za-z0-9_-]+', '_', parts.name)
                    picture = self.panel(parts)
                    runner.visualizer.add_image(f'maps_{position}_{name}', picture, step)

    def read(self, position: int) -> tuple[dict[str, Any], ImageParts | None]:
        """An item of the dataset and its image as it is; None, and a warning, if it cannot be read."""
        info: dict[str, Any] = {}
        try:
            info = self.dataset.get_data_info(position)
            with seeded_item(position):
                item = self.dataset[position]
            sample = item['data_samples']
            image = load_rgb(sample.img_path)
            return item, ImageParts(
                info.get('img_id', str(position)), image, background=self.background
            )
        except KNOWN_ERRORS as error:
            name = info.get('img_id') or info.get('img_path', position)
            self.warn(position, f'leaves out {name}, which cannot be read: {error}')
            return {}, None

    @property
    def background(self) -> bool:
        """Whether the classes of the dataset have a background."""
        return has_background(self.dataset.metainfo['classes'])

    def look(self, model: BaseModel, item: dict[str, Any], parts: ImageParts) -> None:
        """Add what the model makes of an item to its parts."""
        sample = model.test_step(pseudo_collate([item]))[0]
        size = tuple(sample.ori_shape[:2])
        if 'gt_sem_seg' in sample and sample.gt_sem_seg.shape[-2:] == size:
            parts.truth = sample.gt_sem_seg.data.squeeze(0).cpu().numpy()
        if 'pred_map_keys' in sample:
            scores, keys = sample.pred_map_scores.cpu().numpy(), sample.pred_map_keys.cpu().numpy()
            parts.maps = ClassMaps(keys, scores, size)
            try:  # a chain that does not fit is not the end of the training
                chain = RefinerChain(self.refiners, background=self.background)
                parts.mask = chain(parts.maps, parts.image, parts.name)
            except KNOWN_ERRORS as error:
                self.warn('masks', f'shows no masks: {error}')
        elif 'pred_sem_seg' in sample:
            parts.prediction = sample.pred_sem_seg.data.squeeze(0).cpu().numpy()

    def warn(self, what: str | int, text: str) -> None:
        """Warn once of each thing."""
        if what not in self.warned:
            print_log(f'MapVisualizationHook {text}', logger='current', level=logging.WARNING)
        self.warned.add(what)

    def panel(self, parts: ImageParts) -> np.ndarray:
        """Lay out an image in the colours of the dataset."""
        classes, palette = (self.dataset.metainfo[key] for key in ('classes', 'palette'))
        tiles = image_tiles(parts, classes, palette, self.max_side)
        legend = class_legend(classes, palette, parts.shown_classes(len(classes)))
        return panel_image([tiles], legend)


def image_datasets(cfg: Any) -> list[dict[str, Any]]:
    """Datasets of a config to take images from: for maps, of validation, of the test."""
    loaders = [cfg.get(key) or {} for key in ('val_dataloader', 'test_dataloader')]
    found = (cfg.get('map_dataset'), *(loader.get('dataset') for loader in loaders))
    return [dataset for dataset in found if dataset]

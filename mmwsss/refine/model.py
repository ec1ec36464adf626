"""Trained networks that refiners ask, loaded once in every process that needs them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.fold_norm import fold_batch_norm
from mmwsss.utils.checkpoint import load_checkpoint_file, load_weights
from mmwsss.utils.config import load_config, model_of
from mmwsss.utils.precision import run_in

__all__ = ['FrozenModel']


class FrozenModel:
    """A config's model with the weights of a checkpoint, in evaluation mode.

    It is loaded when it is first asked for, and never pickled: a refiner that holds one can be sent
    to another process.

    Args:
        config: config file of the training.
        checkpoint: its checkpoint; read without executing what is in it.
        device: where the model runs.
        fold: fold batch norms of the backbone, for callers that look at its outputs only.

    Attributes:
        precision: of the backbone, one of ``float32``, ``float16``, ``bfloat16``; set before it is used.
    """

    def __init__(
        self, config: str, checkpoint: str, device: str = 'cpu', fold: bool = False
    ) -> None:
        self.config, self.checkpoint = self.files = str(config), str(checkpoint)
        self.device, self.fold, self.precision = device, fold, 'float32'
        self._model: BaseModel | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_model': None}

    @property
    def model(self) -> BaseModel:
        """The network.

        Raises:
            FileNotFoundError, ValueError: config or checkpoint is missing or does not fit.
        """
        if self._model is None:
            model_cfg = {**model_of(load_config(self.config)), 'init_cfg': None}
            model_cfg['backbone'] = {**model_cfg['backbone'], 'init_cfg': None}
            model = MODELS.build(model_cfg)
            load_weights(model, load_checkpoint_file(self.checkpoint), self.checkpoint)
            model.eval()
            if self.fold:
                model.backbone = fold_batch_norm(model.backbone)
            run_in(model.backbone, self.precision)
            self._model = model.to(self.device, memory_format=torch.channels_last)
        return self._model

    @torch.no_grad()
    def inputs(self, image: np.ndarray) -> tuple[Tensor, list[SegDataSample]]:
        """Preprocess one RGB uint8 image (H, W, 3) as the model's pipelines would."""
        bgr = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)
        sample = SegDataSample(metainfo={'img_shape': image.shape[:2]})
        batch = self.model.data_preprocessor({'inputs': [bgr], 'data_samples': [sample]})
        return batch['inputs'], batch['data_samples']

"""What our models that are no segmentors have in common."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.checks import check_choice

__all__ = ['ImageModel']


class ImageModel(BaseModel):
    """A model of images that is called in mmseg's modes, each a method of the subclass.

    Args:
        data_preprocessor: Config of the preprocessor; built here, not by MMEngine, so that it is found
            without a default scope.
        init_cfg: MMEngine initialisation.
    """

    def __init__(
        self, data_preprocessor: dict | nn.Module | None, init_cfg: dict | list[dict] | None
    ) -> None:
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[SegDataSample] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[SegDataSample] | Tensor | tuple[Tensor, ...]:
        """Run ``loss`` or ``predict`` on images and samples or, with ``'tensor'``, ``tensors`` on images.

        Args:
            inputs: Normalised images (N, C, H, W).
            data_samples: Samples of the batch.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Raises:
            ValueError: Unknown mode.
        """
        check_choice('mode', mode, ('loss', 'predict', 'tensor'))
        if mode == 'tensor':
            return self.tensors(inputs)
        return getattr(self, mode)(inputs, data_samples)

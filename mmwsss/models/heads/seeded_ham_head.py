"""SegNeXt's decode head with predictions that can be repeated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.models.decode_heads import LightHamHead
from mmseg.registry import MODELS
from torch import Tensor

__all__ = ['SeededLightHamHead']


@MODELS.register_module()
class SeededLightHamHead(LightHamHead):
    """mmseg's ``LightHamHead`` whose random start of the matrix factorisation is fixed in evaluation.

    mmseg's head starts from random bases and gives an image other scores with every call. Here each
    prediction starts from the same bases and depends on the image alone. Training and weights are mmseg's.

    Args:
        test_seed: Seed of the bases in evaluation mode.
        **kwargs: Arguments of mmseg's head.
    """

    def __init__(self, test_seed: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.test_seed = test_seed

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute logits (N, num_classes, h, w) from the backbone's feature maps."""
        if self.training:
            return super().forward(inputs)
        # One image at a time: the bases of a batch would differ by the image's place in it.
        return torch.cat([self._predict(image) for image in zip(*(x.split(1) for x in inputs))])

    def _predict(self, image: Sequence[Tensor]) -> Tensor:
        """Logits (1, num_classes, h, w) of one image."""
        device = image[0].device
        with torch.random.fork_rng(devices=[device] if device.type == 'cuda' else []):
            torch.manual_seed(self.test_seed)
            return super().forward(image)

"""Normalisation that leaves padding at exactly zero."""

from __future__ import annotations

from typing import Any

from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS
from torch import Tensor

__all__ = ['WSSSDataPreProcessor', 'zero_outside']


def zero_outside(image: Tensor, box: tuple[int, int, int, int]) -> None:
    """Zero ``image`` (C, H, W) in place outside of the half-open pixel box (x1, y1, x2, y2)."""
    left, top, right, bottom = box
    image[:, :top] = 0
    image[:, bottom:] = 0
    image[:, :, :left] = 0
    image[:, :, right:] = 0


@MODELS.register_module()
class WSSSDataPreProcessor(SegDataPreProcessor):
    """``SegDataPreProcessor`` that zeroes the padding of a crop *after* normalisation.

    A crop that pastes the image on a larger canvas records the pasted region as ``valid_box`` in the
    sample's metainfo. Black padding would become ``-mean / std`` and look like an object; the recipes of
    the weakly supervised literature pad with zeros after normalising.
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Normalise, stack and clear the padding; see ``SegDataPreProcessor.forward``.

        Raises:
            TypeError: The batch is a list: groups of a ``PairDataset`` that were not made flat.
        """
        if isinstance(data, (list, tuple)):
            raise TypeError(
                'a batch must be a dict, but got a list: the dataloader of a PairDataset needs '
                "collate_fn=dict(type='flatten_groups')"
            )
        batch = super().forward(data, training)
        for image, sample in zip(batch['inputs'], batch['data_samples'] or ()):
            box = sample.get('valid_box')
            if box is not None and training:
                zero_outside(image, tuple(int(edge) for edge in box))
        return batch

"""Normalisation that leaves padding at exactly zero."""

from __future__ import annotations

from typing import Any

from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS

__all__ = ['WSSSDataPreProcessor']


@MODELS.register_module()
class WSSSDataPreProcessor(SegDataPreProcessor):
    """``SegDataPreProcessor`` that zeroes the padding of a crop *after* normalisation.

    A crop that pastes the image on a larger canvas records the pasted region as ``valid_box`` in the
    sample's metainfo. Black padding would become ``-mean / std`` and look like an object.
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
                left, top, right, bottom = (int(edge) for edge in box)
                inside = image[:, top:bottom, left:right].clone()
                image.zero_()[:, top:bottom, left:right] = inside
        return batch

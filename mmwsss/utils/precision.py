"""The precision in which backbones run at inference."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmwsss.utils.names import check_known

__all__ = ['PRECISIONS', 'autocast', 'precision_notes', 'run_in', 'set_precision']

PRECISIONS = ('float32', 'float16', 'bfloat16')


def set_precision(cfg: Config, precision: str | None) -> None:
    """Set ``model.test_cfg.precision`` and ``mask_cfg.precision`` of a config.

    Args:
        cfg: The config of a localizer or a segmenter; changed in place.
        precision: One of ``PRECISIONS``; None: what the config says.
    """
    model = cfg.get('model') or {}
    parents = [(cfg, 'mask_cfg')] * ('mask_cfg' in cfg) + [(model, 'test_cfg')] * bool(model)
    for parent, key in parents if precision else ():
        before = dict(parent.get(key) or {})
        if before.get('precision', 'float32') != precision:
            parent[key] = {**before, 'precision': precision}


def precision_notes(settings: Any) -> list[str]:
    """What a protocol says of the ``precision`` in a ``test_cfg`` or ``mask_cfg``: nothing of float32."""
    precision = (settings or {}).get('precision', 'float32')
    check_known('precision', precision, PRECISIONS)
    return [] if precision == 'float32' else [f'backbone in {precision}']


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Autocast of a precision on a device; off for ``'float32'``."""
    dtype = None if precision == 'float32' else getattr(torch, precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def run_in(backbone: nn.Module, precision: str) -> None:
    """Let a backbone run under autocast and return what it did before, in the type of its input.

    Args:
        backbone: Takes images, returns a tensor or a sequence of tensors; changed in place.
        precision: One of ``PRECISIONS``; with ``'float32'`` nothing is done.
    """
    check_known('precision', precision, PRECISIONS)
    if precision == 'float32':
        return
    forward = backbone.forward

    def lowered(images: Tensor) -> Any:
        with autocast(images.device, precision):
            feats = forward(images)
        if isinstance(feats, Tensor):
            return feats.to(images.dtype)
        return tuple(feat.to(images.dtype) for feat in feats)

    backbone.forward = lowered

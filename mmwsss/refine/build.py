"""Refiners from configs."""

from __future__ import annotations

from typing import Any

from mmwsss.refine.base import BaseRefiner
from mmwsss.registry import REFINERS

__all__ = ['build_refiner']


def build_refiner(cfg: dict[str, Any] | BaseRefiner) -> BaseRefiner:
    """Build a refiner from its config, whatever the default scope is.

    Args:
        cfg: ``dict(type=..., **arguments)``, or a refiner, which is returned.

    Raises:
        ValueError: ``cfg`` has no ``type``, or one that is not registered.
        TypeError: The arguments do not fit, or the type is no refiner.
    """
    if isinstance(cfg, BaseRefiner):
        return cfg
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise ValueError(f'a refiner is dict(type=..., ...), but got {cfg!r}')
    kind = cfg['type']
    if isinstance(kind, str) and kind not in REFINERS:
        known = ', '.join(sorted(REFINERS.module_dict))
        raise ValueError(f'there is no refiner {kind!r}; known are {known}')
    refiner = REFINERS.build({**cfg, '_scope_': REFINERS.scope})
    if not isinstance(refiner, BaseRefiner):
        raise TypeError(f'{kind} is a {type(refiner).__name__}, expected a BaseRefiner')
    return refiner

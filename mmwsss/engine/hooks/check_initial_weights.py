"""Refuse to start when a file of initial weights does not fill the module it is meant for."""

from __future__ import annotations

import contextlib
import copy
import io
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from mmwsss.io.damage import parsing
from mmwsss.utils.checkpoint import deeper_entries, initial_weights, unwrapped
from mmwsss.utils.names import name_some

__all__ = ['CheckInitialWeightsHook']

_SHOWN = 5
# Class -> patterns of weights that files of initial weights never hold. Swin's output norms are mmseg's
# addition; they start as the identity.
_NEVER_IN_FILES = {'SwinTransformer': (r'norm\d\.',)}
# Class -> its list of stages, of which a config may build fewer than a file has.
_STAGES = {
    'EfficientNetLite': 'blocks',
    'MixVisionTransformer': 'layers',
    'SwinTransformer': 'stages',
}


@HOOKS.register_module()
class CheckInitialWeightsHook(Hook):
    """Compare every ``init_cfg=dict(type='Pretrained', ...)`` of a model with its file.

    MMEngine only logs when a file has other names (another naming scheme, a missing ``prefix``) and leaves
    random weights in place. This hook raises instead, before the first iteration, when any weight or
    statistic of the module has no counterpart of the same shape in the file, or when the file is of a deeper
    network (ResNet-101 for a ResNet-50). Whole parts that the module does not have (a classifier, stages)
    are fine.

    Backbones that load files in a way of their own (mmseg's Swin, MiT, ViT: they convert names, resize
    position tables) are asked to do so once more, on a copy filled with NaN: what is NaN afterwards is
    missing.

    Args:
        ignore: Class name of a module -> regular expressions; weights whose name inside the module
            begins like one of them may be missing in the file, or be there of a deeper network. Added to
            the default, the output norms of ``SwinTransformer``.

    Raises:
        ValueError: A pattern is no regular expression.
    """

    def __init__(self, ignore: Mapping[str, Sequence[str]] | None = None) -> None:
        self.ignore = {name: tuple(patterns) for name, patterns in _NEVER_IN_FILES.items()}
        for name, patterns in (ignore or {}).items():
            for pattern in patterns:
                with parsing(f'ignore[{name!r}]: {pattern!r} is no regular expression'):
                    re.compile(pattern)
            self.ignore[name] = (*self.ignore.get(name, ()), *patterns)

    def before_train(self, runner: Runner) -> None:
        """Check the model; the error names file, module and the first wrong entries."""
        for name, module in unwrapped(runner.model).named_modules():
            kind = type(module).__name__
            patterns = self.ignore.get(kind, ())
            for cfg in _pretrained_cfgs(module):
                found = initial_weights(cfg['checkpoint'], cfg.get('prefix'))
                left, names = _compared(module, found)
                deeper = deeper_entries(module, names, [_STAGES.get(kind, '')])
                bad, deeper = (
                    [key for key in keys if not any(re.match(each, key) for each in patterns)]
                    for keys in (left, deeper)
                )
                if bad:
                    where = f'under {cfg["prefix"]!r}, ' if cfg.get('prefix') else ''
                    raise ValueError(
                        f'initial weights {cfg["checkpoint"]!r} do not fit {name or "the model"} '
                        f'({kind}): of {len(module.state_dict())} weights {len(bad)} '
                        'are missing in the file or have another shape there, e.g. '
                        f'{name_some(bad, _SHOWN)}. The file has {len(found)} entries {where}e.g. '
                        f'{name_some(found, _SHOWN) or "none"}.'
                    )
                if deeper:
                    raise ValueError(
                        f'initial weights {cfg["checkpoint"]!r} are of a deeper network than '
                        f'{name or "the model"} ({kind}), which would lack {len(deeper)} of them, e.g. '
                        f'{name_some(deeper, _SHOWN)}'
                    )


def _pretrained_cfgs(module: nn.Module) -> list[dict]:
    cfgs = getattr(module, 'init_cfg', None) or []
    cfgs = [cfgs] if isinstance(cfgs, dict) else cfgs
    return [cfg for cfg in cfgs if cfg.get('type') in ('Pretrained', 'PretrainedInit')]


def _compared(module: nn.Module, found: Mapping[str, Tensor]) -> tuple[list[str], Collection[str]]:
    """Names of the weights that a file does not fill, and its entries as the module names them."""
    # Of a list of configs, other entries would fill the NaNs.
    kind: Any = type(module)
    alone = isinstance(module, BaseModule) and isinstance(module.init_cfg, dict)
    if alone and kind.init_weights is not BaseModule.init_weights:
        left, names = _compared_by_own_loading(module)
        return left, names or found
    wanted = (k for k in module.state_dict().items() if not k[0].endswith('num_batches_tracked'))
    return [k for k, v in wanted if k not in found or found[k].shape != v.shape], found


def _compared_by_own_loading(module: BaseModule) -> tuple[list[str], list[str]]:
    """Names of the weights that the module's own loading does not fill, and of all that it is given."""
    probe, given = copy.deepcopy(module).cpu(), list[str]()
    load = probe.load_state_dict

    def noted(state: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        given.extend(state)
        return load(state, *args, **options)

    probe.load_state_dict = noted
    for child in probe.modules():
        if hasattr(child, 'init_weights') and child is not probe:
            child.init_weights = lambda: None
    probe._dump_init_info = lambda: None
    probe._is_init = False
    state = {k: v for k, v in probe.state_dict().items() if v.is_floating_point()}
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        for value in state.values():
            value.fill_(float('nan'))
        probe.init_weights()
    return [key for key, value in probe.state_dict().items() if value.isnan().any()], given

"""Refuse to start when a file of initial weights does not fill the module it is meant for."""

from __future__ import annotations

from collections.abc import Iterable

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.registry import HOOKS
from torch import Tensor, nn

__all__ = ['CheckInitialWeightsHook']

_SHOWN = 5


@HOOKS.register_module()
class CheckInitialWeightsHook(Hook):
    """Compare every ``init_cfg=dict(type='Pretrained', ...)`` of a model with its file.

    MMEngine loads such files without insisting on anything: a file with other names (another
    naming scheme, a missing ``prefix``) leaves random weights in place and only logs. Training then
    ends several points too low. This hook raises instead, before the first iteration, when any
    weight or statistic of the module has no counterpart of the same shape in the file. Entries of
    the file that the module does not have (a classifier, say) are fine.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the model that is about to be trained.

        Args:
            runner: The runner that is about to train.

        Raises:
            ValueError: A file does not cover its module; the message names both and the first
                missing entries.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for name, module in model.named_modules():
            for cfg in _pretrained_cfgs(module):
                _check_file(name, module, cfg['checkpoint'], cfg.get('prefix'))


def _pretrained_cfgs(module: nn.Module) -> list[dict]:
    cfgs = getattr(module, 'init_cfg', None) or []
    cfgs = [cfgs] if isinstance(cfgs, dict) else cfgs
    return [cfg for cfg in cfgs if cfg.get('type') in ('Pretrained', 'PretrainedInit')]


def _check_file(name: str, module: nn.Module, checkpoint: str, prefix: str | None) -> None:
    found = _read_state(checkpoint, prefix)
    wanted = {
        key: value
        for key, value in module.state_dict().items()
        if not key.endswith('num_batches_tracked')
    }
    bad = [
        key for key, value in wanted.items() if key not in found or found[key].shape != value.shape
    ]
    if bad:
        entries = f'entries under {prefix!r}' if prefix else 'entries'
        raise ValueError(
            f'initial weights {checkpoint!r} do not fit {name or "the model"} '
            f'({type(module).__name__}): of {len(wanted)} weights {len(bad)} are missing in the file '
            f'or have another shape there, e.g. {_some(bad)}. The file has {len(found)} {entries}, '
            f'e.g. {_some(found)}.'
        )


def _some(names: Iterable[str]) -> str:
    return ', '.join(list(names)[:_SHOWN]) or 'none'


def _read_state(checkpoint: str, prefix: str | None) -> dict[str, Tensor]:
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    state = content.get('state_dict', content)
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    if not prefix:
        return state
    prefix = prefix.rstrip('.') + '.'
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}

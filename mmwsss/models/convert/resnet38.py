"""Names of weights: public WideResNet-38 files, and ours.

Public files have the names inside ``WideResNet38``; localizers trained from them add the classifier
``fc8.weight``. Ours are those of ``ImageLevelClassifier``: ``backbone.*`` and ``head.classifier.weight``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from mmwsss.models.backbones.wide_resnet38 import WideResNet38
from mmwsss.models.convert.names import (
    check_names,
    drop_common_prefixes,
    listing,
    name_errors,
)

__all__ = ['mmwsss_to_public_resnet38', 'public_resnet38_to_mmwsss']

_CLASSIFIER = {'fc8.weight': 'head.classifier.weight'}


def public_resnet38_to_mmwsss(
    state: Mapping[str, Tensor], drop: Sequence[str] = ()
) -> dict[str, Tensor]:
    """Rename the weights of a public WideResNet-38, with or without the classifier ``fc8``.

    Args:
        state: Their state dict; prefixes ``net.`` and ``module.`` common to all keys are dropped.
        drop: Layers to leave out, such as ``'linear1000'``: keys that are this name or begin with it
            and a dot. Anything else that is unknown is refused.

    Returns:
        Our state dict.

    Raises:
        ValueError: Keys are left over or missing, or a name in ``drop`` occurs nowhere; they are named.
    """
    state = drop_common_prefixes(state)
    dropped = {key: name for key in state for name in drop if f'{key}.'.startswith(f'{name}.')}
    if absent := [name for name in drop if name not in dropped.values()]:
        raise ValueError(f'drop names {listing(absent)}, but the file has no such layers')
    names = {**{name: f'backbone.{name}' for name in _backbone_names()}, **_CLASSIFIER}
    kept = {key: value for key, value in state.items() if key not in dropped}
    return _rename(kept, names, 'public WideResNet-38 file')


def mmwsss_to_public_resnet38(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename our weights to those of a public WideResNet-38 file.

    Args:
        state: State dict of an ``ImageLevelClassifier`` with ``WideResNet38`` and a ``CAMHead``, or
            the part of it below ``backbone.``.

    Raises:
        ValueError: Keys are left over or missing; they are named.
    """
    names = {f'backbone.{name}': name for name in _backbone_names()}
    names.update({ours: theirs for theirs, ours in _CLASSIFIER.items()})
    return _rename(state, names, 'mmwsss localizer with WideResNet38 and CAMHead')


def _backbone_names() -> list[str]:
    return list(WideResNet38(width=0.01).state_dict())


def _rename(state: Mapping[str, Tensor], names: Mapping[str, str], what: str) -> dict[str, Tensor]:
    errors = name_errors(state, names, optional=[*_CLASSIFIER, *_CLASSIFIER.values()])
    check_names(*errors, what)
    return {names[key]: value for key, value in state.items()}

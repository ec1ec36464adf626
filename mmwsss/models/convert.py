"""Names of weights: the checkpoints that SIPE's authors released, and ours.

Theirs hold a torchvision-style ResNet below ``resnet50.``, copies of the same tensors below
``stage0.`` to ``stage4.`` (module attributes that share the weights; sometimes again below
``backbone.`` and ``newly_added.``), ``side1.weight`` to ``side4.weight`` and ``classifier.weight``.
Ours are those of ``ImageLevelClassifier``: ``backbone.*`` (mmseg's ``ResNet``, same names inside),
``head.side_convs.{0..3}.weight`` and ``head.classifier.weight``.

ImageNet weights need no converter. mmseg's ``ResNet`` uses torchvision's names, so both of these load as
they are (the classifier ``fc.*`` or ``head.*`` is left out by MMEngine, with a message)::

    backbone=dict(type='ResNet', init_cfg=dict(type='Pretrained', checkpoint='resnet50.pth'))
    backbone=dict(type='ResNet', init_cfg=dict(
        type='Pretrained', checkpoint='mmpretrain_resnet50.pth', prefix='backbone.'))

the first for torchvision's files, the second for mmpretrain's. SIPE's ResNet has a 7x7 stem, stride on
the 3x3 convolution (``style='pytorch'``) and ``strides=(1, 2, 2, 1), dilations=(1, 1, 1, 1)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = [
    'ALIASES',
    'drop_common_prefixes',
    'listing',
    'mmwsss_to_released_sipe',
    'released_sipe_to_mmwsss',
    'unwrap_state_dict',
]

#: Groups of copies that a released checkpoint may hold beside the weights themselves.
ALIASES = ('stage', 'backbone', 'newly_added')

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
NEW_LAYERS = ('classifier.weight', *(f'side{i}.weight' for i in range(1, 5)))
WRAPPERS = ('net', 'model', 'state_dict')


def released_sipe_to_mmwsss(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Rename the weights of a released SIPE checkpoint.

    Args:
        state: Their state dict; prefixes ``net.`` and ``module.`` common to all keys are dropped.

    Returns:
        Our state dict for ``ImageLevelClassifier`` with a ``SIPEHead``, and which groups of copies
        (:data:`ALIASES`) the checkpoint held: all that is needed to write it back.

    Raises:
        ValueError: Keys are left over or missing, or two copies of a weight differ; they are named.
    """
    state = drop_common_prefixes(state)
    found: dict[str, tuple[str, Tensor]] = {}
    leftovers, loose = [], {}
    for key, value in state.items():
        if key.startswith('newly_added.'):
            loose[key] = value
            continue
        name = _canonical(key)
        if name is None:
            leftovers.append(key)
        elif name not in found:
            found[name] = (key, value)
        elif not torch.equal(found[name][1], value):
            raise ValueError(f'copies of one weight differ: {found[name][0]!r} and {key!r}')
    _check_loose_copies(loose, found)
    _check_names(found, leftovers, 'released SIPE checkpoint')
    aliases = [a for a in ALIASES if any(re.match(rf'{a}[\d.]', key) for key in state)]
    return {_to_ours(name): value for name, (_, value) in found.items()}, aliases


def mmwsss_to_released_sipe(
    state: Mapping[str, Tensor], aliases: Sequence[str] = ('stage',)
) -> dict[str, Tensor]:
    """Rename our weights to those of a released SIPE checkpoint.

    Args:
        state: State dict of an ``ImageLevelClassifier`` with mmseg's ``ResNet`` (plain stem) and a
            ``SIPEHead`` with four side convolutions.
        aliases: Groups of copies to write beside the weights, see :data:`ALIASES`.

    Returns:
        Their state dict; the copies share memory with the weights.

    Raises:
        ValueError: Keys are left over or missing, or an alias is unknown; they are named.
    """
    unknown = sorted(set(aliases) - set(ALIASES))
    if unknown:
        raise ValueError(f'aliases must be among {ALIASES}, but got {unknown}')
    found, leftovers = {}, []
    for key, value in state.items():
        name = _from_ours(key)
        if name is None:
            leftovers.append(key)
        else:
            found[name] = value
    _check_names(found, leftovers, 'mmwsss SIPE checkpoint')
    released = {f'resnet50.{n}' if n not in NEW_LAYERS else n: v for n, v in found.items()}
    for alias in ALIASES:
        if alias in aliases:
            released.update(_copies(found, alias))
    return released


def unwrap_state_dict(content: Any) -> dict[str, Tensor]:
    """Find the state dict in what a checkpoint file holds.

    Args:
        content: A state dict, or a dict that has one under ``net``, ``model`` or ``state_dict``.

    Raises:
        ValueError: There is none, or not all its values are tensors.
    """
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise ValueError(
            f'expected a state dict, alone or under one of {WRAPPERS}, but got '
            f'{type(content).__name__}'
        )
    wrong = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if wrong:
        raise ValueError(f'expected tensors only, but these entries are not: {listing(wrong)}')
    return dict(content)


def drop_common_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop ``module.`` and ``net.`` if every key has it."""
    for prefix in ('module.', 'net.', 'module.'):
        if state and all(key.startswith(prefix) for key in state):
            state = {key[len(prefix) :]: value for key, value in state.items()}
    return dict(state)


def _canonical(key: str) -> str | None:
    """Name of a released key inside the ResNet, or of a new layer; None if it is unknown."""
    if key in NEW_LAYERS:
        return key
    if key.startswith('resnet50.'):
        return _resnet_name(key[len('resnet50.') :])
    key = re.sub(r'^backbone\.([0-4])\.', r'stage\1.', key)
    stem = re.fullmatch(r'stage0\.([01])\.(.+)', key)
    if stem:
        return _resnet_name(f'{("conv1", "bn1")[int(stem[1])]}.{stem[2]}')
    layer = re.fullmatch(r'stage([1-4])\.0\.(.+)', key)
    return _resnet_name(f'layer{layer[1]}.{layer[2]}') if layer else None


def _resnet_name(name: str) -> str | None:
    return name if re.match(r'(conv1|bn1|layer[1-4])\.', name) else None


def _copies(found: Mapping[str, Tensor], alias: str) -> dict[str, Tensor]:
    """The copies of one group."""
    if alias == 'newly_added':
        return {f'newly_added.{i}.weight': found[name] for i, name in enumerate(NEW_LAYERS)}
    head = 'stage' if alias == 'stage' else 'backbone.'
    copies = {}
    for name, value in found.items():
        if name not in NEW_LAYERS:
            module, rest = name.split('.', 1)
            place = {'conv1': '0.0', 'bn1': '0.1'}.get(module, f'{module[-1]}.0')
            copies[f'{head}{place}.{rest}'] = value
    return copies


def _check_loose_copies(loose: dict[str, Tensor], found: dict[str, tuple[str, Tensor]]) -> None:
    """Each entry of ``newly_added``, whose order is not fixed, must equal one of the new layers."""
    new = [found[name][1] for name in NEW_LAYERS if name in found]
    wrong = [k for k, v in loose.items() if not any(torch.equal(v, other) for other in new)]
    if wrong:
        raise ValueError(
            f'{listing(wrong)} should be copies of {", ".join(NEW_LAYERS)}, but equal none of them'
        )


def _to_ours(name: str) -> str:
    """``side1.weight`` -> ``head.side_convs.0.weight``, ``conv1.weight`` -> ``backbone.conv1.weight``."""
    side = re.fullmatch(r'side([1-4])\.weight', name)
    if side:
        return f'head.side_convs.{int(side[1]) - 1}.weight'
    return f'head.{name}' if name == 'classifier.weight' else f'backbone.{name}'


def _from_ours(key: str) -> str | None:
    """The reverse of :func:`_to_ours`; None if the key is unknown."""
    side = re.fullmatch(r'head\.side_convs\.([0-3])\.weight', key)
    if side:
        return f'side{int(side[1]) + 1}.weight'
    if key == 'head.classifier.weight':
        return 'classifier.weight'
    return _resnet_name(key[len('backbone.') :]) if key.startswith('backbone.') else None


def _check_names(found: Mapping[str, Any], leftovers: list[str], what: str) -> None:
    """Raise unless the names are those of a bottleneck ResNet with the new layers, no more, no less."""
    blocks = tuple(_block_count(found, layer) for layer in range(1, 5))
    depth = next((d for d, counts in BLOCKS.items() if counts == blocks), 50)
    expected = {*_resnet_names(BLOCKS[depth]), *NEW_LAYERS}
    leftovers = leftovers + sorted(set(found) - expected)
    # Files older than torch 0.4.1 have no batch counters, and loading does without.
    missing = [n for n in expected - set(found) if not n.endswith('num_batches_tracked')]
    if leftovers or missing:
        raise ValueError(
            f'this is no {what}: keys left over: {listing(leftovers)}; '
            f'missing: {listing(sorted(missing))} (names inside ResNet-{depth})'
        )


def _block_count(names: Mapping[str, Any], layer: int) -> int:
    found = (re.match(rf'layer{layer}\.(\d+)\.', name) for name in names)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def _resnet_names(blocks: Sequence[int]) -> list[str]:
    """Names of the weights of a torchvision bottleneck ResNet without its classifier."""
    names = ['conv1.weight', *(f'bn1.{n}' for n in NORM)]
    for layer, count in enumerate(blocks, start=1):
        for block in range(count):
            at = f'layer{layer}.{block}'
            for i in range(1, 4):
                names += [f'{at}.conv{i}.weight', *(f'{at}.bn{i}.{n}' for n in NORM)]
            if block == 0:
                names += [f'{at}.downsample.0.weight', *(f'{at}.downsample.1.{n}' for n in NORM)]
    return names


def listing(names: Sequence[str], limit: int = 8) -> str:
    """The first names in quotes, and how many more there are; ``none`` for none."""
    more = f' and {len(names) - limit} more' if len(names) > limit else ''
    return ', '.join(map(repr, names[:limit])) + more if names else 'none'

"""Names of weights: the checkpoints that SIPE's and IRN's authors released, and ours.

All of theirs hold a torchvision-style ResNet below ``resnet50.`` and copies of the same tensors, since module
attributes and lists share the weights:

- SIPE: ``stage0`` (stem) to ``stage4``; ``classifier`` and ``side1`` to ``side4``, again in ``newly_added``;
- IRN's CAM (``resnet50_cam.pth``): ``stage1`` (stem and layer 1) to ``stage4``, or ``stage1`` (stem) to
  ``stage5``; ``classifier``, again in ``newly_added``;
- IRNet (``resnet50_irn.pth``): ``stage1`` (stem) to ``stage5``; ``fc_edge1`` to ``6``, ``fc_dp1`` to ``7``
  and ``mean_shift``, again in ``edge_layers`` and ``dp_layers`` (here called ``newly_added`` too).

The stages may be there once more below ``backbone.{0..}``. Ours are those of ``ImageLevelClassifier`` and
``IRNet``, with mmseg's ``ResNet`` below ``backbone.``, same names inside.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence

import torch
from mmseg.models.backbones import ResNet
from torch import Tensor

from mmwsss.models.convert.names import check_names, drop_common_prefixes, name_errors

__all__ = ['ALIASES', 'mmwsss_to_released_sipe', 'released_sipe_to_mmwsss']

#: Groups of copies beside the weights themselves; those in 5 are of a CAM whose stem is its own stage.
ALIASES = ('stage', 'backbone', 'newly_added', 'stage5', 'backbone5')

DEPTHS = (50, 101, 152)
# Pixel pairs of the training crop, which their training model keeps as buffers; no weights.
PIXEL_PAIRS = re.compile(r'path_indices\d+|disp_target')

# Our name of a weight -> theirs, each with its group of ALIASES, or '' for the weight itself.
Table = dict[str, list[tuple[str, str]]]


def released_sipe_to_mmwsss(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Rename the weights of a released SIPE, IRN CAM or IRNet checkpoint; which one, its names say.

    Args:
        state: Their state dict; prefixes ``net.`` and ``module.`` common to all keys are dropped.

    Returns:
        Our state dict for ``ImageLevelClassifier`` with ``SIPEHead`` or ``CAMHead``, or for ``IRNet``, and
        which groups of copies (:data:`ALIASES`) the checkpoint held: all that is needed to write it
        back. IRNet's tables of pixel pairs are left out, for ours computes them.

    Raises:
        ValueError: Keys are left over or missing, or two copies of a weight differ; they are named.
    """
    state = drop_common_prefixes(state)
    table = _fitting_table(state, ours=False)
    names = {key: (ours, group) for ours, keys in table.items() for group, key in keys}
    sources: dict[str, str] = {}
    for key in filter(names.get, state):  # not the pixel pairs
        source = sources.setdefault(names[key][0], key)
        if not torch.equal(state[source], state[key]):
            raise ValueError(f'copies of one weight differ: {source!r} and {key!r}')
    converted = {ours: state[source] for ours, source in sources.items()}
    groups = {names[key][1] for key in state if key in names}
    return converted, [alias for alias in ALIASES if alias in groups]


def mmwsss_to_released_sipe(
    state: Mapping[str, Tensor], aliases: Sequence[str] = ('stage',)
) -> dict[str, Tensor]:
    """Rename our weights to those of a released SIPE, IRN CAM or IRNet checkpoint.

    Args:
        state: State dict of an ``IRNet``, or of an ``ImageLevelClassifier`` with a ``CAMHead`` or a
            ``SIPEHead`` with four side convolutions, both on mmseg's ``ResNet`` (plain stem).
        aliases: Groups of copies to write beside the weights, see :data:`ALIASES`.

    Returns:
        Their state dict; the copies share memory with the weights.

    Raises:
        ValueError: Keys are left over or missing, or an alias is unknown; they are named.
    """
    table = _fitting_table(state, ours=True, five=bool({'stage5', 'backbone5'} & set(aliases)))
    groups = {group for keys in table.values() for group, _ in keys if group}
    if unknown := sorted(set(aliases) - groups):
        raise ValueError(f'aliases must be among {sorted(groups)}, but got {unknown}')
    released: dict[str, Tensor] = {}
    for group in ('', *(alias for alias in ALIASES if alias in aliases)):
        for ours, value in state.items():
            released.update({key: value for of, key in table[ours] if of == group})
    return released


def _fitting_table(state: Mapping[str, Tensor], ours: bool, five: bool = False) -> Table:
    """The table whose names differ least from the keys of ``state``, which must be all it knows.

    ``five`` prefers the CAM of five stages, which our names do not tell from the one of four.
    """
    keys = [key for key in state if ours or not PIXEL_PAIRS.fullmatch(key)]
    tables = []
    for what, table in sorted(_tables(), key=lambda item: five != ('five' in item[0])):
        known = {key: name for name, keys in table.items() for _, key in keys}
        known = {name: name for name in table} if ours else known
        tables.append((*name_errors(keys, known), what, table))
    leftovers, missing, what, table = min(tables, key=lambda t: len(t[0]) + len(t[1]))
    check_names(leftovers, missing, f'{"mmwsss" if ours else "released"} {what}')
    return table


def _tables() -> Iterator[tuple[str, Table]]:
    """The known checkpoints: what they are, and the names of their weights."""
    sides = {f'head.side_convs.{i}.weight': f'side{i + 1}.weight' for i in range(4)}
    classifier = {'head.classifier.weight': 'classifier.weight'}
    for depth in DEPTHS:
        size = f'checkpoint (names inside ResNet-{depth})'
        yield f'SIPE {size}', _resnet(depth, first=0) | _new_layers({**classifier, **sides})
        yield f'CAM {size}', _resnet(depth, joined=True) | _new_layers(classifier)
        cam5 = _resnet(depth, groups=('stage5', 'backbone5'))
        yield f'five-stage CAM {size}', cam5 | _new_layers(classifier)
        yield f'IRNet {size}', _resnet(depth) | _irnet_branches()


def _resnet(
    depth: int,
    first: int = 1,
    joined: bool = False,
    groups: tuple[str, str] = ('stage', 'backbone'),
) -> Table:
    """Names of a bottleneck ResNet: the first stage's number, and whether it holds layer 1 too."""
    table: Table = {}
    for name in _resnet_names(depth):
        module, rest = name.split('.', 1)
        index = int(module[-1]) - joined if module.startswith('layer') else 0
        place = {'conv1': '0', 'bn1': '1', 'layer1': '4' if joined else '0'}.get(module, '0')
        table[f'backbone.{name}'] = [
            ('', f'resnet50.{name}'),
            (groups[0], f'stage{index + first}.{place}.{rest}'),
            (groups[1], f'backbone.{index}.{place}.{rest}'),
        ]
    return table


@functools.cache
def _resnet_names(depth: int) -> list[str]:
    """Names of the weights of a bottleneck ResNet without its classifier, torchvision's and mmseg's."""
    return list(ResNet(depth, stem_channels=1, base_channels=1).state_dict())


def _new_layers(layers: Mapping[str, str]) -> Table:
    return {
        ours: [('', theirs), ('newly_added', f'newly_added.{i}.weight')]
        for i, (ours, theirs) in enumerate(layers.items())
    }


def _irnet_branches() -> Table:
    """Names of the edge branch (``fc_edge``) and of the displacement branch (``fc_dp``)."""
    unit = ('0.weight', '1.weight', '1.bias')  # 1x1 convolution and GroupNorm
    layers = {f'edge.predict.{n}': ('edge', 6, n) for n in ('weight', 'bias')}
    layers['displacement.predict.weight'] = ('dp', 7, '3.weight')
    for name in unit:
        for i in range(1, 6):
            layers[f'edge.stages.{i - 1}.{name}'] = ('edge', i, name)
            layers[f'displacement.stages.{i - 1}.{name}'] = ('dp', i, name)
        layers[f'displacement.deep.{name}'] = ('dp', 6, name)
        layers[f'displacement.join.{name}'] = ('dp', 7, name)
    table: Table = {
        ours: [('', f'fc_{of}{i}.{name}'), ('newly_added', f'{of}_layers.{i - 1}.{name}')]
        for ours, (of, i, name) in layers.items()
    }
    table['displacement.mean_shift'] = [
        ('', 'mean_shift.running_mean'),
        ('', 'fc_dp7.4.running_mean'),
        ('newly_added', 'dp_layers.6.4.running_mean'),
    ]
    return table

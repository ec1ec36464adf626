"""Loading configs: one way for every tool, with options that fail when they are misspelt."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmwsss.utils.nested import dicts_in

__all__ = ['SHORTCUTS', 'TOOL_KEYS', 'load_config']

# Top-level keys that stand for nested ones, and the name these have there.
SHORTCUTS = {
    'data_root': 'data_root',
    'pseudo_mask_dir': 'pseudo_mask_dir',
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
MISSPELT_RATIO = 0.85


def load_config(path: str | Path, cfg_options: dict[str, Any] | None = None) -> Config:
    """Read a config file, apply command-line options and register what it needs.

    Beside what ``Config.fromfile`` and ``merge_from_dict`` do:

    - an option whose top-level key is neither in the file nor known to a tool is refused, and so is a
      top-level key of the file that is a near miss of a known one;
    - setting one of ``SHORTCUTS``, such as ``data_root`` or ``pseudo_mask_dir``, replaces the nested values
      that the file derived from it, so that ``--cfg-options pseudo_mask_dir=masks/`` reaches the dataset;
    - ``num_classes='auto'`` of a head becomes the number of classes of the dataset.

    Args:
        path: The config file.
        cfg_options: Dotted keys and their new values.

    Returns:
        The merged config, with ``mmwsss`` imported and mmseg's default scope set.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A key is misspelt or unknown; the closest known key is named. Or a base is of a
            package that MMEngine does not know.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'config file {str(path)!r} does not exist')
    try:
        cfg = Config.fromfile(str(path))
    except (AssertionError, KeyError) as error:
        if raised_in(error) != '_get_package_and_cfg_path':
            raise
        raise ValueError(
            f'{path}: a _base_ names a package (PACKAGE::FILE) whose configs MMEngine does not know; '
            'name the file by its path'
        ) from error
    check_spelling(cfg.keys(), path)
    check_options(cfg, cfg_options or {})
    before = {name: cfg.get(name) for name in SHORTCUTS}
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    for name, nested in SHORTCUTS.items():
        if cfg.get(name) != before[name]:
            replaced = replace_nested(cfg, nested, before[name], cfg[name])
            if not replaced:
                raise ValueError(
                    f'--cfg-options {name}={cfg[name]!r}: nothing in {path} takes its '
                    f'{nested!r} from {name}'
                )
    register_everything(cfg)
    from mmwsss.utils.num_classes import fill_num_classes  # needs the datasets registered

    fill_num_classes(cfg)
    return cfg


def raised_in(error: BaseException) -> str:
    """Name of the function that raised an error."""
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_name


def register_everything(cfg: Config) -> None:
    """Import mmseg's components and make its registries the default scope; ours came with the package."""
    from mmseg.utils import register_all_modules

    register_all_modules(init_default_scope=False)
    init_default_scope(cfg.get('default_scope', 'mmseg'))


def known_keys() -> list[str]:
    """Top-level keys that MMEngine's Runner or a tool of ours reads."""
    runner = [name for name in inspect.signature(Runner.__init__).parameters if name != 'self']
    return sorted(
        {*runner, *TOOL_KEYS, *USUAL_KEYS, 'custom_imports', 'auto_scale_lr', 'runner_type'}
    )


def check_spelling(keys: Iterable[str], path: str | Path) -> None:
    """Refuse a top-level key that is almost, but not quite, a known one."""
    known = known_keys()
    for key in keys:
        close = difflib.get_close_matches(key, known, n=1, cutoff=MISSPELT_RATIO)
        if key not in known and close:
            raise ValueError(f'{path}: unknown key {key!r}; did you mean {close[0]!r}?')


def check_options(
    cfg: Config,
    options: dict[str, Any],
    path: str | Path | None = None,
    where: str = '--cfg-options ',
) -> None:
    """Refuse an option whose key the config does not know.

    That is: a new top-level key, a path through a missing key, and, further down, a new key that differs
    little from one beside it (a misspelling; other new keys are arguments that the config left out).

    Args:
        cfg: The config, without the options.
        options: Dotted keys and values; only the keys are looked at.
        path: The config's file, for messages, which then have the key from the top on.
        where: What an option stands behind, for messages.

    Raises:
        ValueError: A key is unknown; the closest known one is named.
    """
    for option in options:
        node: Any = cfg
        parts = option.split('.')
        for depth, part in enumerate(parts):
            top_level_ok = depth == 0 and part in known_keys()
            last_ok = depth == len(parts) - 1 and depth > 0 and not misspells(part, node)
            if not isinstance(node, (dict, Config)):
                break  # an index into a list: MMEngine checks it
            if part not in node and not (top_level_ok or last_ok):
                hint = closest_key(part, node, depth)
                name = 'the config' if path is None else path
                key = part if path is None else '.'.join(parts[: depth + 1])
                raise ValueError(f'{where}{option}: {name} has no key {key!r}{hint}')
            node = node.get(part, {})


def misspells(name: str, node: Any) -> bool:
    """Whether ``name`` is new to a dict and nearly one of its keys."""
    if not isinstance(node, dict) or name in node:
        return False
    return bool(difflib.get_close_matches(name, [str(key) for key in node], n=1, cutoff=0.85))


def closest_key(part: str, node: Any, depth: int) -> str:
    """Say what an unknown part of an option may have meant; empty if nothing is close."""
    candidates = list(node.keys()) + (known_keys() if depth == 0 else [])
    close = difflib.get_close_matches(part, candidates, n=1)
    return f'; did you mean {close[0]!r}?' if close else ''


def replace_nested(cfg: Config, name: str, old: Any, new: Any) -> int:
    """Set every nested ``name`` that still holds ``old`` to ``new``, and count them."""
    replaced = 0
    for value in list(cfg.values()):
        for node in dicts_in(value):
            if name in node and node[name] == old:
                node[name] = new
                replaced += 1
    return replaced

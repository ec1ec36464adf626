"""Reading a pipeline's config: which stages there are, what each needs, and in which order."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsss.apis.pipeline.kinds import KINDS
from mmwsss.utils.config import check_options
from mmwsss.utils.names import check_known

__all__ = ['PipelineSpec', 'Stage', 'read_pipeline', 'references']

PIPELINE_KEYS = ('configs', 'options', 'stages', 'data_root', 'seed', 'check_data')
STAGE_KEYS = ('run', 'config', 'options', 'after')
CHECKS = ('content', 'size')
REFERENCE = re.compile(r'\{(\w+)(:config)?\}')  # {stage}, {stage:config}
OWN_FOLDER = 'work'  # {work} in the arguments of a tool
CLOSE_NAME = 0.65  # how alike names are before one is taken for a misspelling of the other


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline.

    Attributes:
        name: Name of the stage and of its folder.
        kind: What it runs, a key of :data:`~mmwsss.apis.pipeline.kinds.KINDS`.
        config: Path of its config; empty for a stage without one.
        options: Replaced settings of the config; ``{name}`` stands for the output of a stage, and
            ``{name:config}`` for the config, options included, that a training ran with.
        arguments: The kind's own arguments, with the same references.
        reads: Stages whose output it reads.
        needs: Those, and the stages that it only waits for.
    """

    name: str
    kind: str
    config: str = ''
    options: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline as its config describes it.

    Attributes:
        name: Name of the config file without suffix.
        path: The config file.
        stages: In an order in which they can run.
        seed: Seed of all trainings; None: that of their configs.
        check_data: ``'content'``: data files are compared by content; ``'size'``: by name and size.
    """

    name: str
    path: str
    stages: tuple[Stage, ...]
    seed: int | None = None
    check_data: str = 'content'

    def stage(self, name: str) -> Stage:
        """The stage of a name.

        Raises:
            ValueError: There is none.
        """
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise ValueError(f'{self.path} has no stage {name!r}; its stages are {names}')
        return self.stages[names.index(name)]


def read_pipeline(
    path: str | Path, cfg_options: dict[str, Any] | None = None, seed: int | None = None
) -> PipelineSpec:
    """Read a pipeline's config and check it.

    Args:
        path: The config file; see ``docs/pipelines.md``.
        cfg_options: Dotted keys and their values. ``NAME.KEY`` sets ``KEY`` of the config NAME (in all
            stages that use it) or of the stage NAME; a key of the pipeline itself, such as
            ``stages.x.tta``, is set there; any other key is set in every config that has it.
        seed: Seed of all trainings, instead of the config's.

    Raises:
        FileNotFoundError: The file or a config that it names does not exist.
        ValueError: A key, a stage's kind, a reference or the key of an option is unknown, or stages need
            each other.
        TypeError: A stage lacks an argument of its kind.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'pipeline config {str(path)!r} does not exist')
    cfg = Config.fromfile(str(path))
    for key in cfg:
        check_known(f'{path}: key', key, PIPELINE_KEYS)
    own, rest = split_options(cfg_options or {})
    if own:
        cfg.merge_from_dict(own)
    content = cfg.to_dict()
    if content.get('check_data', 'content') not in CHECKS:
        raise ValueError(f'check_data must be one of {CHECKS}, but got {content["check_data"]!r}')
    wanted = {name: dict(stage) for name, stage in content.get('stages', {}).items() if stage}
    if not wanted:
        raise ValueError(f'{path} has no stages')
    options = merged_options(content, rest, wanted, path)
    stages = {
        name: make_stage(name, stage, content, options, path) for name, stage in wanted.items()
    }
    check_stage_options(stages, content, rest, path)
    seed = content.get('seed') if seed is None else seed
    check = content.get('check_data', 'content')
    return PipelineSpec(Path(path).stem, str(path), tuple(in_order(stages)), seed, check)


def split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the pipeline's config itself, and the others."""
    own = {key: value for key, value in options.items() if key.split('.')[0] in PIPELINE_KEYS}
    return own, {key: value for key, value in options.items() if key not in own}


def merged_options(
    content: dict[str, Any],
    given: dict[str, Any],
    stages: dict[str, dict[str, Any]],
    path: str | Path,
) -> dict[str, dict[str, Any]]:
    """The options of each stage: of its config, of the stage, and of the command line."""
    configs = content.get('configs', {})
    targets = {*configs, *stages}
    given = dict(given)
    if content.get('data_root') is not None:
        given['data_root'] = content['data_root']
    options: dict[str, dict[str, Any]] = {name: {} for name in stages}
    named = {name: dict(value or {}) for name, value in content.get('options', {}).items()}
    for name in named:
        check_known(f'{path}: options of', name, targets)
    everywhere: dict[str, Any] = {}
    for key, value in given.items():
        head, _, rest = key.partition('.')
        if rest and head in targets:
            named.setdefault(head, {})[rest] = value
        else:
            everywhere[key] = value
    unused = set(everywhere)
    used = [stage['config'] for stage in stages.values() if stage.get('config')]
    paths = [find_config(configs.get(name, name), path) for name in dict.fromkeys(used)]
    check_common_options(paths, everywhere)
    for name, stage in stages.items():
        config = stage.get('config')
        parts = [named.get(config, {}), stage.get('options') or {}]
        parts += [named.get(name, {})] if name != config else []
        options[name] = {key: value for part in parts for key, value in part.items()}
        if config and everywhere:
            fit = options_that_fit(find_config(configs.get(config, config), path), everywhere)
            options[name] = {**options[name], **fit}
            unused -= set(fit)
    if unused:
        raise ValueError(unused_message(sorted(unused)[0], targets, path))
    return options


def unused_message(key: str, targets: set[str], path: str | Path) -> str:
    """Say that an option reaches nothing, and which stage or config it may have meant."""
    head, known = key.split('.')[0], sorted(targets)
    close = difflib.get_close_matches(head, [*known, *PIPELINE_KEYS], n=1, cutoff=CLOSE_NAME)
    hint = f'; did you mean {close[0]!r}?' if close else f' ({known})'
    return (
        f'--cfg-options {key}: no config of {path} has this key, and {head!r} is no stage or config '
        f'of it{hint}'
    )


def check_stage_options(
    stages: dict[str, Stage], content: dict[str, Any], given: dict[str, Any], path: str | Path
) -> None:
    """Refuse options with keys that the config of their stage does not know.

    Args:
        stages: The stages.
        content: The pipeline's config.
        given: Options of the command line, without those of the pipeline itself.
        path: The pipeline's config file.

    Raises:
        ValueError: Says where the option was given, and names the config and the closest known key.
    """
    loaded: dict[str, Config] = {}
    for name, stage in stages.items():
        for where, options in option_sources(name, content, given, path):
            if not options:
                continue
            if not stage.config:
                raise ValueError(f'{where}{next(iter(options))}: the stage {name!r} has no config')
            if stage.config not in loaded:  # only keys matter, so plugins need not be there yet
                loaded[stage.config] = Config.fromfile(stage.config, import_custom_modules=False)
            check_options(loaded[stage.config], options, stage.config, where)


def option_sources(
    name: str, content: dict[str, Any], given: dict[str, Any], path: str | Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where options of a stage are given, for people, and the options given there."""
    stage = content['stages'][name]
    heads = [stage['config'], name] if stage.get('config') else [name]
    if not stage.get('config') and name in content.get('configs', {}):
        heads = []  # meant for the other stages, which use the config of this name
    for head in dict.fromkeys(heads):
        yield f'{path}: options of {head!r}: ', content.get('options', {}).get(head) or {}
        split = ((*key.partition('.'), value) for key, value in given.items())
        named = {rest: value for first, _, rest, value in split if first == head and rest}
        yield f'--cfg-options {head}.', named
    yield f'{path}: options of the stage {name!r}: ', stage.get('options') or {}


def check_common_options(paths: list[str], options: dict[str, Any]) -> None:
    """Refuse an option for all configs that none of them has, but that one has a similar key for.

    Otherwise a misspelt key would reach those configs that have nothing similar.

    Raises:
        ValueError: Names the config and the similar key.
    """
    nested = [key for key in options if '.' in key]
    configs = {path: Config.fromfile(path, import_custom_modules=False) for path in paths if nested}
    for key in nested:
        if any(has_key(cfg, key) for cfg in configs.values()):
            continue
        for path, cfg in configs.items():
            if has_key(cfg, key.rpartition('.')[0]):
                check_options(cfg, {key: options[key]}, path)


def has_key(node: Any, key: str) -> bool:
    """Whether a config has a dotted key; numbers stand for places in lists."""
    for part in key.split('.'):
        is_list = isinstance(node, (list, tuple))
        inside = range(len(node)) if is_list else node if isinstance(node, (dict, Config)) else ()
        place = int(part) if is_list and part.isdigit() else part
        if place not in inside:
            return False
        node = node[place]
    return True


def options_that_fit(config: str, options: dict[str, Any]) -> dict[str, Any]:
    """Those options that a config has keys for."""
    cfg, fit = Config.fromfile(config), {}
    for key, value in options.items():
        try:
            check_options(cfg, {key: value})
        except ValueError:
            continue
        fit[key] = value
    return fit


def find_config(name: str, pipeline: str | Path) -> str:
    """Path of a config that a pipeline names.

    Relative paths start from the working directory or from a folder above the pipeline's config.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if Path(name).is_file():
        return str(name)
    for folder in Path(pipeline).resolve().parents:
        if (folder / name).is_file():
            return str(folder / name)
    raise FileNotFoundError(f'{pipeline}: config {name!r} does not exist')


def make_stage(
    name: str,
    stage: dict[str, Any],
    content: dict[str, Any],
    options: dict[str, dict[str, Any]],
    path: str | Path,
) -> Stage:
    """Check one entry of ``stages``."""
    where = f'{path}: stage {name!r}'
    if 'run' not in stage:
        raise ValueError(f'{where} needs `run`, one of {list(KINDS)}')
    check_known(f'{where}: run', stage['run'], KINDS)
    kind = KINDS[stage['run']]
    for key in stage:
        check_known(f'{where}: key', key, [*STAGE_KEYS, *kind.arguments, *kind.optional])
    missing = [key for key in kind.arguments if key not in stage]
    missing += ['config'] * (kind.needs_config and not stage.get('config'))
    if missing:
        raise TypeError(f'{where} ({stage["run"]}) needs {missing}')
    config = stage.get('config') or ''
    if config:
        config = find_config(content.get('configs', {}).get(config, config), path)
    arguments = {key: value for key, value in stage.items() if key not in STAGE_KEYS}
    arguments = with_data_root(arguments, content.get('data_root'))
    after = stage.get('after') or ()
    named = references([options[name], arguments])
    reads = tuple(dict.fromkeys(other for other in named if other != OWN_FOLDER))
    needs = tuple(dict.fromkeys([*reads, *([after] if isinstance(after, str) else after)]))
    for other in needs:
        check_known(f'{where}: the stage', other, [n for n, s in content['stages'].items() if s])
    check_config_references(where, [options[name], arguments], content['stages'])
    return Stage(name, stage['run'], config, options[name], arguments, reads, needs)


def check_config_references(where: str, node: Any, stages: dict[str, Any]) -> None:
    """Refuse ``{name:config}`` of a stage that is no training."""
    named = [name for name, config in REFERENCE.findall(str(node)) if config]
    wrong = [name for name in named if stages[name]['run'] != 'train']
    if wrong:
        raise ValueError(f'{where}: {{{wrong[0]}:config}} needs a stage that trains')


def with_data_root(node: Any, data_root: str | None) -> Any:
    """Put the folder of the data in the place of ``{data_root}``."""
    if isinstance(node, str):
        return node if data_root is None else node.replace('{data_root}', str(data_root))
    if isinstance(node, dict):
        return {key: with_data_root(value, data_root) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [with_data_root(value, data_root) for value in node]
    return node


def references(node: Any) -> Iterator[str]:
    """Names of the stages that ``{name}`` refers to anywhere below ``node``."""
    if isinstance(node, str):
        yield from (name for name, _ in REFERENCE.findall(node))
    elif isinstance(node, dict):
        for value in node.values():
            yield from references(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from references(value)


def in_order(stages: dict[str, Stage]) -> Iterator[Stage]:
    """Stages behind all that they need, otherwise in the order given.

    Raises:
        ValueError: Stages need each other.
    """
    left = dict(stages)
    while left:
        ready = next((s for s in left.values() if not set(s.needs) & set(left)), None)
        if ready is None:
            raise ValueError(f'stages need each other: {", ".join(left)}')
        yield left.pop(ready.name)

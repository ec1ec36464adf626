"""What a pipeline's config says: which stages there are, and what each reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsss.pipeline.kinds import KINDS, REFERENCE, Stage
from mmwsss.utils.config import check_options, read_config
from mmwsss.utils.names import check_known, closest_name
from mmwsss.utils.nested import map_texts, texts_in
from mmwsss.utils.resources import find_config

__all__ = ['PipelineSpec', 'read_pipeline']

PIPELINE_KEYS = ('configs', 'options', 'stages', 'data_root', 'seed', 'check_data')
STAGE_KEYS = ('run', 'config', 'options', 'after')
CHECKS = ('content', 'size')
OWN_FOLDER = 'work'  # {work} in the arguments of a tool


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline as its config describes it.

    Attributes:
        name: Name of the config file without suffix.
        path: The config file.
        stages: In an order in which they can run.
        seed: Seed of all trainings; None: that of their configs.
        check_data: ``'content'``: data files are compared by content; ``'size'``: by name and size.
        options: Settings of its configs that the caller replaced.
        texts: Text of its config and of those that it names, with their bases, as MMEngine keeps it.
    """

    name: str
    path: str
    stages: tuple[Stage, ...]
    seed: int | None = None
    check_data: str = 'content'
    options: dict[str, Any] = field(default_factory=dict)
    texts: tuple[str, ...] = ()

    def stage(self, name: str) -> Stage:
        """The stage of a name.

        Raises:
            ValueError: There is none.
        """
        names = [stage.name for stage in self.stages]
        check_known(f'{self.path}: stage', name, names)
        return self.stages[names.index(name)]


def read_pipeline(
    path: str | Path, cfg_options: dict[str, Any] | None = None, seed: int | None = None
) -> PipelineSpec:
    """Read a pipeline's config and check it.

    Args:
        path: The config file, or the name of one of the package; see ``docs/pipelines.md``.
        cfg_options: Dotted keys and their values. ``NAME.KEY`` sets ``KEY`` of the config NAME (in all
            stages that use it) or of the stage NAME; a key of the pipeline itself, such as
            ``data_root`` or ``stages.x.tta``, is set there.
        seed: Seed of all trainings, instead of the config's.

    Raises:
        FileNotFoundError: The file or a config that it names does not exist.
        ValueError: A key, a stage's kind, a reference or the key of an option is unknown, or stages need
            each other.
        TypeError: A stage lacks an argument of its kind.
    """
    file = find_config('pipeline config', path)
    cfg = read_config(file)
    given = cfg_options or {}
    own = {key: value for key, value in given.items() if key.split('.')[0] in PIPELINE_KEYS}
    if own:
        cfg.merge_from_dict(own)
    content = cfg.to_dict()
    options = {key: value for key, value in given.items() if key not in own}
    reader = _Reader(str(file), content, options)
    check = content.get('check_data', 'content')
    check_known('check_data', check, CHECKS)
    seed = content.get('seed') if seed is None else seed
    stages = tuple(in_order({name: reader.stage(name) for name in reader.stages}))
    texts = tuple(read.text for read in (cfg, *reader.loaded.values()))
    said = {k: v for k, v in given.items() if k not in ('data_root', 'seed', 'check_data')}
    return PipelineSpec(file.stem, str(file), stages, seed, check, said, texts)


class _Reader:
    """Reads the stages of one pipeline, with the options of the command line but its own."""

    def __init__(self, path: str, content: dict[str, Any], given: dict[str, Any]) -> None:
        self.path = path
        if 'stages' not in content:
            raise ValueError(f'{path} has no stages: it is no pipeline')
        for key in content:
            check_known(f'{path}: key', key, PIPELINE_KEYS)
        self.data_root = content.get('data_root')
        self.configs = content.get('configs') or {}
        self.stages = {name: dict(s) for name, s in (content.get('stages') or {}).items() if s}
        if not self.stages:
            raise ValueError(f'{path} has no stages')
        self.options = {name: dict(v or {}) for name, v in (content.get('options') or {}).items()}
        targets = [*self.configs, *self.stages]
        for name in self.options:
            check_known(f'{path}: options of', name, targets)
        self.given: dict[str, dict[str, Any]] = {}
        for option, value in given.items():
            name, _, key = option.partition('.')
            if not key or name not in targets:
                raise ValueError(
                    f'--cfg-options {option}: {path} has no key, config or stage {name!r}; '
                    f'{closest_name(name, [*targets, *PIPELINE_KEYS])}; a key of a config is given '
                    f'with its name in front, e.g. {targets[0]}.{key or name}'
                )
            self.given.setdefault(name, {})[key] = value
        self.loaded: dict[str, Config] = {}

    def stage(self, name: str) -> Stage:
        """Check one entry of ``stages``."""
        entry, where = self.stages[name], f'{self.path}: stage {name!r}'
        check_known(f'{where}: run', entry.get('run'), KINDS)
        kind = KINDS[entry['run']]
        for key in entry:
            check_known(
                f'{where}: key', key, [*STAGE_KEYS, *kind.arguments, *kind.one_of, *kind.optional]
            )
        missing = [key for key in kind.arguments if key not in entry]
        missing += ['config'] * (kind.needs_config and not entry.get('config'))
        if missing:
            raise TypeError(f'{where} ({entry["run"]}) needs {missing}')
        if kind.one_of and sum(key in entry for key in kind.one_of) != 1:
            raise TypeError(f'{where} ({entry["run"]}) needs exactly one of {list(kind.one_of)}')
        named = entry.get('config') or ''
        config = self._config(str(self.configs.get(named, named))) if named else ''
        options = self._options(name, named, config, where)
        arguments = {key: value for key, value in entry.items() if key not in STAGE_KEYS}
        if self.data_root is not None:
            root = str(self.data_root)
            arguments = map_texts(arguments, lambda text: text.replace('{data_root}', root))
        reads = self._references([options, arguments], where)
        after = entry.get('after') or ()
        needs = tuple(dict.fromkeys([*reads, *([after] if isinstance(after, str) else after)]))
        for other in needs:
            check_known(f'{where}: the stage', other, self.stages)
        return Stage(name, entry['run'], config, options, arguments, reads, needs)

    def _config(self, name: str) -> str:
        """Path of a config: from the working directory, a folder above the pipeline's, the package."""
        return str(find_config(f'{self.path}: config', name, Path(self.path).resolve().parents))

    def _options(self, name: str, named: str, config: str, where: str) -> dict[str, Any]:
        """The options of a stage: of its config, of its entry, of its name; then those of the caller."""
        own = name != named and (config or name not in self.configs)
        parts = [
            self.options.get(named, {}),
            self.stages[name].get('options') or {},
            self.options.get(name, {}) if own else {},
            self.given.get(named, {}),
            self.given.get(name, {}) if own else {},
        ]
        options = {key: value for part in parts for key, value in part.items()}
        if not config:
            if options:
                raise ValueError(f'{where}: option {next(iter(options))!r}, but it has no config')
            return {}
        if config not in self.loaded:  # only keys matter, so plugins need not be there yet
            self.loaded[config] = read_config(config, import_custom_modules=False)
        check_options(self.loaded[config], options, config, f'{where}: option ')
        if self.data_root is not None and 'data_root' in self.loaded[config]:
            options.setdefault('data_root', self.data_root)
        return options

    def _references(self, node: Any, where: str) -> tuple[str, ...]:
        found = [pair for text in texts_in(node) for pair in REFERENCE.findall(text)]
        for name, wants_config in found:
            if wants_config and self.stages.get(name, {}).get('run') != 'train':
                raise ValueError(f'{where}: {{{name}:config}} needs a stage that trains')
        return tuple(dict.fromkeys(name for name, _ in found if name != OWN_FOLDER))


def in_order(stages: dict[str, Stage]) -> Iterator[Stage]:
    """Stages behind all that they need, otherwise in the order given; ``ValueError`` for a circle."""
    left = dict(stages)
    while left:
        ready = next((s for s in left.values() if not set(s.needs) & set(left)), None)
        if ready is None:
            raise ValueError(f'stages need each other: {", ".join(left)}')
        yield left.pop(ready.name)

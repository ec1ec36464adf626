"""The kinds of stages: which tool each runs, what decides its result, and what it leaves."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from mmengine.config import Config

from mmwsss.io import RECORD_NAME, Record, walk_files, write_ids
from mmwsss.pipeline.inputs import listed_dataset, relevant
from mmwsss.stages.load import without_init
from mmwsss.stages.test import predicts_masks
from mmwsss.utils.checkpoint import guard_checkpoints, latest_checkpoint
from mmwsss.utils.config import load_config
from mmwsss.utils.nested import dicts_in

__all__ = ['KINDS', 'REFERENCE', 'Kind', 'Stage']

REFERENCE = re.compile(r'\{(\w+)(:config)?\}')  # {stage}, {stage:config}
Fill = Callable[[Any], Any]  # puts paths in the place of references


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline.

    Attributes:
        name: Name of the stage and of its folder.
        kind: What it runs, a key of :data:`KINDS`.
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


class Kind(ABC):
    """What the stages of one kind have in common.

    Attributes:
        tool: Path of the tool inside the folder of tools.
        arguments: Arguments that a stage of this kind must have.
        one_of: Arguments of which it must have exactly one.
        optional: Arguments that it may have.
        needs_config: Whether it has a config.
        runs_model: Whether the tool takes ``--cfg-options`` and ``--device``, and the launcher may start
            several processes of it.
        keeps_old: Whether an old result is put aside rather than removed.
        states_protocol: Whether its scores state the protocol of what it reads.
        keys: Top-level keys of the config that it reads.
        data: Those among them that hold datasets.
        suffix: Ending of the files that other stages read.
        fixed_options: Options that every stage of the kind passes.
    """

    tool: ClassVar[str] = ''
    arguments: ClassVar[tuple[str, ...]] = ()
    one_of: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    needs_config: ClassVar[bool] = True
    runs_model: ClassVar[bool] = True
    keeps_old: ClassVar[bool] = False
    states_protocol: ClassVar[bool] = False
    keys: ClassVar[tuple[str, ...]] = ()
    data: ClassVar[tuple[str, ...]] = ()
    suffix: ClassVar[str] = ''
    fixed_options: ClassVar[tuple[str, ...]] = ()

    def settings(self, stage: Stage, cfg: Config) -> dict[str, Any]:
        """The part of the config that decides the result."""
        return relevant(cfg, self.keys)

    def idle(self, stage: Stage, cfg: Config) -> str:
        """Why there is nothing to do, if so."""
        return ''

    @abstractmethod
    def command(self, stage: Stage, cfg: Config, folder: Path, fill: Fill) -> list[str]:
        """Words behind the tool's name, without ``--cfg-options``."""

    def check(self, stage: Stage) -> None:  # noqa: B027
        """Refuse what can be seen before anything runs, such as initial weights that are missing."""

    def prepare(self, stage: Stage, cfg: Config, folder: Path) -> None:  # noqa: B027
        """Write what the tool needs into the stage's folder."""

    def output(self, folder: Path, record: Record) -> Path:
        """What a reference to the stage stands for."""
        return folder

    def output_files(self, folder: Path, record: Record) -> dict[str, Path]:
        """The files that other stages read, by name."""
        return {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob(f'*{self.suffix}')
            if path.is_file() and not path.name.startswith('.') and path.name != RECORD_NAME
        }

    def processes(self, cfg: Config, available: int) -> int | None:
        """How many of the available processes do it; None: it is no work for a launcher."""
        return available if self.runs_model else None

    def folders(self, stage: Stage) -> list[str]:
        """Folders whose files decide the result and that no stage makes."""
        given = [stage.arguments.get(name) for name in self.one_of]
        return [folder for folder in given if folder and not REFERENCE.search(folder)]


class Train(Kind):
    """``tools/train.py``, without validation: the pipeline scores in stages of its own."""

    tool = 'train.py'
    keeps_old = True
    keys = (
        'custom_imports',
        'model',
        'data_preprocessor',
        'train_dataloader',
        'train_cfg',
        'optim_wrapper',
        'param_scheduler',
        'auto_scale_lr',
        'randomness',
        'custom_hooks',
        'load_from',
        'runner_type',
        'sync_bn',
    )
    data = ('train_dataloader', 'custom_hooks')  # EWCHook may have a dataset
    fixed_options = ('val_cfg=None', 'val_dataloader=None', 'val_evaluator=None')

    def settings(self, stage: Stage, cfg: Config) -> dict[str, Any]:
        """All that training reads; how the model is tested does not count."""
        settings = super().settings(stage, cfg)
        settings.get('model', {}).pop('test_cfg', None)
        for key in ('val_interval', 'val_begin', 'dynamic_intervals'):
            settings.get('train_cfg', {}).pop(key, None)
        return settings

    def command(self, stage: Stage, cfg: Config, folder: Path, fill: Fill) -> list[str]:
        """Train in the stage's folder; go on if it holds a checkpoint."""
        words = [stage.config, '--work-dir', str(folder), '--share-batch']
        seed = cfg.get('randomness', {}).get('seed')
        words += ['--seed', str(seed)] if seed is not None else []
        return [*words, '--resume'] if latest_checkpoint(folder) else words

    def check(self, stage: Stage) -> None:
        """The initial weights must be there and readable; the data may come from another stage."""
        options = {k: None if REFERENCE.search(str(v)) else v for k, v in stage.options.items()}
        guard_checkpoints(load_config(stage.config, options, num_classes=False))

    def processes(self, cfg: Config, available: int) -> int:
        """As many as share the batch evenly, so that batch, rate and schedule stay the config's."""
        batch_size = cfg.train_dataloader.batch_size
        return max(n for n in range(1, available + 1) if batch_size % n == 0)

    def output(self, folder: Path, record: Record) -> Path:
        """The last checkpoint."""
        return folder / str(record.result.get('checkpoint', ''))

    def output_files(self, folder: Path, record: Record) -> dict[str, Path]:
        """The last checkpoint."""
        path = self.output(folder, record)
        return {path.name: path} if path.is_file() else {}


class Maps(Kind):
    """``tools/make_maps.py``; ``list`` is a file of image ids, instead of the whole ``map_dataset``."""

    tool = 'make_maps.py'
    arguments = ('checkpoint',)
    optional = ('list',)
    keys = ('custom_imports', 'model', 'map_dataset')
    data = ('map_dataset',)
    suffix = '.npz'

    def settings(self, stage: Stage, cfg: Config) -> dict[str, Any]:
        """Model and dataset; initial weights are replaced by the checkpoint."""
        return dict(without_init(super().settings(stage, cfg)))

    def command(self, stage: Stage, cfg: Config, folder: Path, fill: Fill) -> list[str]:
        """Write the maps of ``map_dataset``."""
        words = [stage.config, fill(stage.arguments['checkpoint']), '--out', str(folder)]
        return words + list_option(stage, fill)


class Masks(Kind):
    """``tools/make_masks.py``: of maps, or of the masks in a folder ``imported``; ``list`` as of maps."""

    tool = 'make_masks.py'
    one_of = ('maps', 'imported')
    optional = ('list',)
    keys = ('custom_imports', 'mask_cfg', 'map_dataset')
    data = ('map_dataset',)
    suffix = '.png'

    def command(self, stage: Stage, cfg: Config, folder: Path, fill: Fill) -> list[str]:
        """Run the refiners of ``mask_cfg`` over maps, or check the masks of others."""
        maps = stage.arguments.get('maps')
        source = ['--maps', fill(maps)] if maps else ['--from', fill(stage.arguments['imported'])]
        return [stage.config, *source, '--out', str(folder), *list_option(stage, fill)]


class Score(Kind):
    """``tools/eval_masks.py``: maps or masks against the true masks of ``val_dataloader``.

    With ``partial=True``, images without a true mask are left out. ``args`` are further words for the
    tool, such as ``--ia``.
    """

    tool = 'eval_masks.py'
    one_of = ('masks', 'maps')
    optional = ('partial', 'args')
    runs_model = False
    states_protocol = True
    data = ('val_dataloader',)
    suffix = '.json'

    def idle(self, stage: Stage, cfg: Config) -> str:
        """Without true masks there is nothing to score against."""
        dataset = truth_dataset(cfg)
        if not (dataset.get('data_prefix') or {}).get('seg_map_path'):
            return 'val_dataloader has no true masks'
        return lacking(dataset) or (
            '' if self.scored(stage, cfg)[1] else 'no image has a true mask'
        )

    def scored(self, stage: Stage, cfg: Config) -> tuple[Any, list[dict[str, Any]]]:
        """The dataset and those of its images that are scored."""
        dataset, infos = listed_dataset(truth_dataset(cfg))
        if stage.arguments.get('partial'):
            infos = [info for info in infos if os.path.isfile(info['seg_map_path'])]
        return dataset, infos

    def prepare(self, stage: Stage, cfg: Config, folder: Path) -> None:
        """Write the list of images."""
        _, infos = self.scored(stage, cfg)
        write_ids(list_file(cfg, folder), (info['img_id'] for info in infos))

    def command(self, stage: Stage, cfg: Config, folder: Path, fill: Fill) -> list[str]:
        """Score a folder."""
        dataset, _ = listed_dataset(truth_dataset(cfg))
        what = 'maps' if 'maps' in stage.arguments else 'masks'
        words = [f'--{what}', fill(stage.arguments[what])]
        words += ['--gt', dataset.data_prefix['seg_map_path']]
        words += ['--list', str(list_file(cfg, folder)), '--out', str(folder)]
        return [*words, *(fill(str(word)) for word in stage.arguments.get('args') or ())]


class Test(Kind):
    """``tools/test.py``; with ``crf=True`` without and with dense CRF."""

    tool = 'test.py'
    arguments = ('checkpoint',)
    optional = ('tta', 'crf')
    keys = ('custom_imports', 'model', 'test_dataloader', 'test_evaluator', 'test_cfg')
    data = ('test_dataloader', 'test_cfg')
    suffix = '.png'

    def idle(self, stage: Stage, cfg: Config) -> str:
        """A config may have nothing to test on."""
        missing = [key for key in ('test_dataloader', 'test_evaluator') if not cfg.get(key)]
        if missing:
            return f'the config has no {missing[0]}'
        return lacking(cfg.test_dataloader.dataset)

    def settings(self, stage: Stage, cfg: Config) -> dict[str, Any]:
        """Model and test set; with several views those too."""
        more = relevant(cfg, ('tta_model', 'tta_pipeline')) if stage.arguments.get('tta') else {}
        return {**without_init(super().settings(stage, cfg)), **more}

    def command(self, stage: Stage, cfg: Config, folder: Path, fill: Fill) -> list[str]:
        """Test a checkpoint; the predictions of a segmenter are kept."""
        words = [stage.config, fill(stage.arguments['checkpoint']), '--work-dir', str(folder)]
        if predicts_masks(cfg):
            words += ['--out', str(folder / 'predictions')]
        return [*words, *(f'--{name}' for name in ('tta', 'crf') if stage.arguments.get(name))]

    def output_files(self, folder: Path, record: Record) -> dict[str, Path]:
        """The predicted masks."""
        return super().output_files(folder / 'predictions', record)


class Tool(Kind):
    """Any other tool, such as a dataset converter, with arguments as they stand.

    ``dry_run=True``: it takes ``--dry-run``, which checks its input.
    """

    arguments = ('tool',)
    optional = ('args', 'files', 'reads', 'dry_run')
    needs_config = False
    runs_model = False

    def command(self, stage: Stage, cfg: Config, folder: Path, fill: Fill) -> list[str]:
        """The arguments; ``{work}`` stands for the stage's own folder."""
        words = stage.arguments.get('args') or ()
        return [fill(str(word).replace('{work}', str(folder))) for word in words]

    def folders(self, stage: Stage) -> list[str]:
        """Those of ``reads``."""
        return list(stage.arguments.get('reads') or ())


KINDS: dict[str, Kind] = {
    'train': Train(),
    'maps': Maps(),
    'masks': Masks(),
    'score': Score(),
    'test': Test(),
    'tool': Tool(),
}


def list_option(stage: Stage, fill: Fill) -> list[str]:
    """The words that hand ``list`` to a tool."""
    path = stage.arguments.get('list')
    return ['--list', fill(path)] if path else []


def files_below(folder: str) -> dict[str, Path]:
    """The files of a folder, by its name and their paths in it; none where there is no folder."""
    root = Path(folder)
    paths = [path for path in walk_files(root) if path.is_file()]
    return {f'{root.name}/{path.relative_to(root)}': path for path in paths}


def truth_paths(dataset: Mapping[str, Any]) -> dict[str, str]:
    """Paths of the list and of the masks of a dataset, those that it has, by what they are."""
    root = dataset.get('data_root') or ''
    parts = {
        'list': dataset.get('ann_file'),
        'folder of masks': (dataset.get('data_prefix') or {}).get('seg_map_path'),
    }
    return {what: os.path.join(root, part) for what, part in parts.items() if part}


def lacking(dataset: Mapping[str, Any]) -> str:
    """Which part of a dataset with masks is not there, for people."""
    for what, path in truth_paths(dataset).items():
        if '://' not in path and not os.path.exists(path):
            return f'there is no {what} {path}'
    return ''


def places(cfg: Config, keys: Iterable[str]) -> set[Path]:
    """Where lists and masks of the datasets below some keys may appear."""
    datasets = dicts_in([cfg.get(key) for key in keys])
    return with_folders(path for node in datasets for path in truth_paths(node).values())


def with_folders(paths: Iterable[str]) -> set[Path]:
    """Paths, and the folders inside."""
    found = {Path(path) for path in paths}
    return found | {inside for path in found for inside in path.rglob('*') if inside.is_dir()}


def truth_dataset(cfg: Config) -> dict[str, Any]:
    """The dataset of ``val_dataloader``; empty if there is none."""
    return (cfg.get('val_dataloader') or {}).get('dataset') or {}


def list_file(cfg: Config, folder: Path) -> Path:
    """List of the scored images; its name is that of the split."""
    return folder / f'{Path(truth_dataset(cfg).get("ann_file") or "all").stem}.txt'

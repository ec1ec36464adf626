"""Running a pipeline: what is done and unchanged is skipped, what was cut goes on."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsss.io import (
    RECORD_NAME,
    FolderLock,
    Record,
    code_version,
    command_line,
    find_record,
    make_record,
    read_record,
    write_record,
)
from mmwsss.io.record import first_difference, plain_values
from mmwsss.pipeline.inputs import (
    FileHashes,
    bases_of_configs,
    check_datasets,
    dataset_files,
    files_in_folders,
    named_files,
    plain,
)
from mmwsss.pipeline.kinds import (
    KINDS,
    REFERENCE,
    Kind,
    Stage,
    files_below,
    places,
    with_folders,
)
from mmwsss.pipeline.launch import Launcher, run_command
from mmwsss.pipeline.spec import PipelineSpec
from mmwsss.pipeline.summary import Summary, short_path, write_summary
from mmwsss.utils.cli import option_words
from mmwsss.utils.config import load_config
from mmwsss.utils.nested import map_texts
from mmwsss.utils.resources import PACKAGE, ROOT
from mmwsss.version import __version__

__all__ = ['Decision', 'Pipeline', 'StageError']

Execute = Callable[..., int]
HASHES = 'files.json'
NO_INPUTS = ('files', 'dry_run')  # arguments of a stage that do not decide its result
LOG = 'log.txt'
FOLDER_LEVELS = 3
# Parts of a config's text that reach beyond it: {{$VARIABLE}}, code.
READS_MORE = re.compile(r'\{\{\s*\$|^\s*(?:import|from)\s|\bopen\(', re.MULTILINE)


class StageError(RuntimeError):
    """A stage's tool did not succeed.

    Args:
        stage: Name of the stage.
        code: Exit code of the tool; negative: the signal that killed it.
        log: The log.
    """

    def __init__(self, stage: str, code: int, log: Path) -> None:
        how = f'was killed by signal {-code}' if code < 0 else f'failed with exit code {code}'
        super().__init__(
            f'stage {stage!r} {how}; the stages behind it were not run. All output is in {log}; the '
            'same command goes on from here'
        )
        self.stage, self.code = stage, code


@dataclass(frozen=True)
class Decision:
    """What to do about a stage, and why.

    Attributes:
        stage: Name of the stage.
        action: ``'run'``; ``'go on'`` where it was cut; ``'again'`` from the start; ``'skip'``.
        reason: Why, for people.
    """

    stage: str
    action: str
    reason: str

    @property
    def runs(self) -> bool:
        """Whether anything is done."""
        return self.action != 'skip'


class Pipeline:
    """Run the stages of a pipeline in a folder.

    Each stage has the folder ``<work_dir>/<stage>`` with the record that its tool writes there; the
    pipeline adds what it asked for (``request``) and how long that took.

    Args:
        spec: The stages.
        work_dir: Folder of everything that the pipeline makes.
        launcher: How tools are started.
        tools: Folder of the tools. None: those of the package.
        say: Prints a line. None: to standard output.
        execute: Runs a command; tests put something quicker here.
        device: Device of the tools that take one. None: each takes the best available.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        work_dir: str | Path,
        launcher: Launcher | None = None,
        tools: str | Path | None = None,
        say: Callable[[str], None] | None = None,
        execute: Execute = run_command,
        device: str | None = None,
    ) -> None:
        self.spec, self.work_dir = spec, Path(work_dir)
        self.launcher = launcher or Launcher()
        self.tools = Path(tools or ROOT / 'tools')
        self.say = say or (lambda line: print(line, file=sys.stdout, flush=True))
        self.execute, self.device = execute, device
        self.log = self.work_dir / LOG
        content = spec.check_data == 'content'
        self.hashes = FileHashes(self.work_dir / HASHES, content)
        self.configs: dict[str, Config] = {}

    def folder(self, stage: str) -> Path:
        """Folder of a stage."""
        return self.work_dir / stage

    def record(self, stage: str) -> Record | None:
        """The record of a stage; None if there is none, or one of something else."""
        record = find_record(self.folder(stage))
        return record if record is not None and record.request else None

    def config(self, stage: Stage) -> Config:
        """A stage's config with its options, references to other stages left as they are."""
        if stage.name not in self.configs:
            cfg = load_config(stage.config, stage.options) if stage.config else Config()
            if self.spec.seed is not None:
                cfg.randomness = {**cfg.get('randomness', {}), 'seed': self.spec.seed}
            self.configs[stage.name] = cfg
        return self.configs[stage.name]

    def output(self, name: str) -> Path:
        """What a reference to a finished stage stands for: its checkpoint or its folder.

        Raises:
            ValueError: The stage is not finished.
        """
        record = self.record(name)
        if record is None or not record.complete:
            raise ValueError(f'stage {name!r} is not done in {self.work_dir}; run it first')
        return self.kind(name).output(self.folder(name), record)

    def output_files(self, name: str) -> dict[str, Path]:
        """The files that other stages read."""
        record = self.record(name)
        return {} if record is None else self.kind(name).output_files(self.folder(name), record)

    def kind(self, name: str) -> Kind:
        """The kind of a stage."""
        return KINDS[self.spec.stage(name).kind]

    def inputs(self, stage: Stage) -> dict[str, Any]:
        """All that decides a stage's result: settings, files, what other stages made, the version."""
        cfg, kind = self.config(stage), KINDS[stage.kind]
        settings = kind.settings(stage, cfg)
        given = {key: value for key, value in stage.arguments.items() if key not in NO_INPUTS}
        for name in stage.needs:
            if name in stage.reads or not self.idle(self.spec.stage(name)):
                self.output(name)  # refuses what is not done
        read = {name: self.record(name) for name in stage.reads if kind.states_protocol}
        return {
            'run': stage.kind,
            'arguments': plain(given),
            'settings': plain_values(settings),
            'data': self.hashes.of(
                dataset_files([cfg.get(key) for key in kind.data]), are_data=True
            ),
            'files': self.hashes.of(
                {
                    **named_files([settings, given]),
                    **bases_of_configs(settings.get('mask_cfg')),
                    **files_in_folders([settings.get('mask_cfg'), settings.get('test_evaluator')]),
                    **{
                        k: v for place in kind.folders(stage) for k, v in files_below(place).items()
                    },
                }
            ),
            'stages': {name: self.hashes.of(self.output_files(name)) for name in stage.reads},
            'protocols': {name: asdict(each.protocol) for name, each in read.items() if each},
            'version': __version__,
        }

    def idle(self, stage: Stage) -> str:
        """Why a stage has nothing to do, if so."""
        return KINDS[stage.kind].idle(stage, self.config(stage)) if stage.config else ''

    def selected(self, first: str | None, last: str | None) -> list[str]:
        """Names of the stages from ``first`` to ``last``.

        Raises:
            ValueError: There is no such stage, or ``last`` comes before ``first``.
        """
        names = [stage.name for stage in self.spec.stages]
        start = names.index(self.spec.stage(first).name) if first else 0
        end = names.index(self.spec.stage(last).name) if last else len(names) - 1
        if end < start:
            raise ValueError(f'stage {last!r} comes before {first!r}')
        return names[start : end + 1]

    def plan(
        self, first: str | None = None, last: str | None = None, force: bool = False
    ) -> list[Decision]:
        """Decide about all stages without running any; makes no folder.

        Args:
            first: Stages before this one are taken as they are. None: all are looked at.
            last: Stages behind this one are left alone.
            force: Run the stages in between even where they are done.
        """
        selected, decisions = self.selected(first, last), list[Decision]()
        for stage in self.spec.stages:
            pending = {decision.stage for decision in decisions if decision.runs}
            decisions.append(self.decide(stage, selected, pending, force))
        return decisions

    def problems(self, decisions: Iterable[Decision]) -> dict[str, str]:
        """Look, without writing, at what the stages that are to run need from outside.

        That is the initial weights of trainings, the data that a tool with ``--dry-run`` checks, and the
        datasets of the stages before the first tool, which may make data.

        Returns:
            What is wrong, by the first stage that needs it; the tool prints the details of its own.
        """
        found, known, looks = dict[str, str](), set[str](), True
        for stage in (self.spec.stage(decision.stage) for decision in decisions if decision.runs):
            kind, looks = KINDS[stage.kind], looks and stage.kind != 'tool'
            try:
                kind.check(stage)
                if looks and stage.config:
                    cfg = self.config(stage)
                    parts = [] if kind.idle(stage, cfg) else [cfg.get(key) for key in kind.data]
                    check_datasets(parts, REFERENCE.search, known)
            except (ValueError, OSError, ImportError) as error:
                if str(error) not in found.values():
                    found[stage.name] = str(error)
            if stage.arguments.get('dry_run'):
                tool, *words = self.command(stage)
                command = self.launcher.command(tool, [*words, '--dry-run'], None)
                code = self.execute(command, Path(os.devnull), self.say, None)
                if code:
                    found[stage.name] = (
                        f'its --dry-run ended with exit code {code}; to see all of it: '
                        f'{command_line([tool, *words, "--dry-run"])}'
                    )
        return found

    def decide(
        self, stage: Stage, selected: Iterable[str], pending: set[str], force: bool
    ) -> Decision:
        """Decide about one stage, given those before it that are going to run."""
        if stage.name not in selected:
            known = ', taken as it is' if self.record(stage.name) is not None else ''
            return Decision(stage.name, 'skip', f'not asked for{known}')
        waits = [name for name in stage.needs if name in pending]
        # A tool that is yet to run may make the true masks.
        is_known = all(self.spec.stage(name).kind != 'tool' for name in pending)
        idle = self.idle(stage) if is_known else ''
        if idle:
            return Decision(stage.name, 'skip', f'nothing to do: {idle}')
        if waits:
            return Decision(stage.name, 'run', f'{", ".join(waits)} runs first')
        record, request = self.record(stage.name), self.inputs(stage)
        if record is None:
            return Decision(stage.name, 'run', 'not run yet')
        if record.request != request:
            return Decision(stage.name, 'again', change(record.request, request))
        if force:
            return Decision(stage.name, 'again', 'forced')
        if not record.complete:
            return Decision(stage.name, 'go on', 'was cut or failed')
        lost = record.outputs - len(self.output_files(stage.name))
        gone = [file for file in stage.arguments.get('files') or () if not Path(file).exists()]
        if lost > 0 or gone:
            return Decision(stage.name, 'go on', f'{max(lost, len(gone))} of its files are gone')
        made = '' if record.code == code_version() else f', made by {record.code}'
        return Decision(stage.name, 'skip', f'done and unchanged{made}')

    def run(
        self, first: str | None = None, last: str | None = None, force: bool = False
    ) -> Summary:
        """Run what has to be run; see :meth:`plan`.

        Returns:
            The content of ``summary.json``, which is written after each stage.

        Raises:
            StageError: A stage failed; those behind it were not run.
            ValueError: Another run is at work in the folder, or a stage before ``first`` is not done.
        """
        selected = self.selected(first, last)
        with FolderLock(self.work_dir) as lock:
            self.hashes.is_kept = True
            for stage in self.spec.stages:
                decision = self.decide(stage, selected, set(), force)
                self.say(self.told(decision)[0])
                if decision.runs:
                    self.work(stage, decision, lock.descriptor)
                    self.summary()
                for line in self.told(decision)[1:]:
                    self.say(line)
            summary = self.summary()
            kept = {stage.name for stage in summary.stages}
            known = [s.name for s in self.spec.stages if self.record(s.name) is not None]
            others = [name for name in known if name not in kept]
            if others:
                self.say(
                    f'not in the summary, made of other files than those here: {", ".join(others)}'
                )
            return summary

    def told(self, decision: Decision) -> list[str]:
        """What a run says about a stage: the decision in the first line, then its scores."""
        names, record = [stage.name for stage in self.spec.stages], self.record(decision.stage)
        where = f'[{names.index(decision.stage) + 1}/{len(names)}] {decision.stage}'
        scores = record.scores if record is not None else ()
        lines = [
            f'      {score.what}: {score.line()}' for score in scores if score.miou is not None
        ]
        return [f'{where}: {decision.action}: {decision.reason}', *lines]

    def looked_at(self) -> set[Path] | None:
        """What decides whether stages are done, beside the command: none of it changed, no decision did.

        To be called behind :meth:`plan`.

        Returns:
            Files, folders whose content counts, and places where something may appear; those of this
            package too. None: a config reads more than itself, such as variables of the environment.
        """
        if any(READS_MORE.search(text) for text in self.spec.texts):
            return None
        lines = {line for text in self.spec.texts for line in text.splitlines()}
        found = {Path(line) for line in lines if os.path.isfile(line)}
        data, folders = set(self.hashes.seen), set[Path]()
        for stage in self.spec.stages:
            found.add(self.folder(stage.name) / RECORD_NAME)
            data.update(self.output_files(stage.name).values())
            given = stage.arguments
            data.update(Path(file) for file in given.get('files') or ())
            kind, cfg = KINDS[stage.kind], self.config(stage)
            data |= with_folders(kind.folders(stage))
            data |= places(cfg, kind.data) if stage.config and kind.idle(stage, cfg) else set()
        for path in data:  # also those that a new sub-folder of images changes
            levels = 1 if path.is_relative_to(self.work_dir) else FOLDER_LEVELS
            folders.update(list(path.parents)[:levels])
        data |= folders - {self.work_dir}
        return found | data | set(PACKAGE.rglob('*.py'))

    def summary(self) -> Summary:
        """Write the summary of what is done; returns it.

        Stages that have read other outputs than those that are there now are left out: their scores are
        of another run.
        """
        done: dict[str, Record] = {}
        for stage in self.spec.stages:
            record = self.record(stage.name)
            read = {} if record is None else record.request.get('stages', {})
            is_same = all(
                name in done and read.get(name) == self.hashes.of(self.output_files(name))
                for name in stage.reads
            )
            if record is not None and is_same:
                done[stage.name] = record
        seeds = [s for s in self.spec.stages if s.kind == 'train']
        seed = self.config(seeds[0]).get('randomness', {}).get('seed') if seeds else None
        return write_summary(self.work_dir, self.spec, done, seed)

    def work(self, stage: Stage, decision: Decision, lock: int | None) -> None:
        """Run a stage's tool between an incomplete and a complete record; times of cut runs add up."""
        folder, cfg, kind = self.folder(stage.name), self.config(stage), KINDS[stage.kind]
        self.clear(stage, decision)
        command, request = self.command(stage), self.inputs(stage)
        before = self.record(stage.name) or make_record(stage.kind)
        start = time.monotonic()
        write_record(folder, replace(before, request=request, complete=False))
        changes: dict[str, Any] = {}
        try:
            kind.prepare(stage, cfg, folder)
            self.call(stage.name, command, self.processes(stage), lock)
            outputs = kind.output_files(folder, read_record(folder))
            changes = {'complete': True, 'outputs': len(outputs)}
        finally:
            seconds = round(before.seconds + time.monotonic() - start, 1)
            typed = command_line(command)
            record = replace(read_record(folder), seconds=seconds, command=typed, **changes)
            write_record(folder, record)
        self.configs.clear()  # they may depend on what was made, such as a list of classes
        self.say(f'      done in {seconds:.1f} s')

    def command(self, stage: Stage) -> list[str]:
        """The tool and its arguments, without interpreter and launcher."""
        kind, cfg = KINDS[stage.kind], self.config(stage)
        tool = stage.arguments['tool'] if stage.kind == 'tool' else kind.tool
        words = kind.command(stage, cfg, self.folder(stage.name), self.fill)
        given = option_words({key: self.fill(value) for key, value in stage.options.items()})
        options = [*kind.fixed_options, *given] if kind.runs_model else []
        path = short_path(self.tools / tool, Path.cwd())
        words += ['--device', self.device] if self.device and kind.runs_model else []
        return [path, *words, *(['--cfg-options', *options] if options else [])]

    def fill(self, node: Any) -> Any:
        """Put paths in the place of references ``{name}`` and ``{name:config}``."""

        def path(match: re.Match[str]) -> str:
            if match[2]:  # MMEngine writes it where it trains
                return str(self.folder(match[1]) / Path(self.spec.stage(match[1]).config).name)
            return str(self.output(match[1]))

        return map_texts(node, lambda text: REFERENCE.sub(path, text))

    def processes(self, stage: Stage) -> int | None:
        """How many processes the launcher starts for a stage; says so if not all."""
        available = self.launcher.processes
        used = KINDS[stage.kind].processes(self.config(stage), available)
        if used is not None and used < available:
            batch_size = self.config(stage).train_dataloader.batch_size
            self.say(
                f'      {used} of {available} processes, which share its batch of {batch_size} evenly'
            )
        return used

    def call(self, stage: str, words: list[str], processes: int | None, lock: int | None) -> None:
        """Run a tool.

        Raises:
            StageError: It failed.
        """
        command = self.launcher.command(words[0], words[1:], processes)
        with self.log.open('a', encoding='utf-8') as stream:
            stream.write(f'\n=== {stage}: {" ".join(command)}\n')
        code = self.execute(command, self.log, self.say, lock)
        if code:
            raise StageError(stage, code, self.log)

    def clear(self, stage: Stage, decision: Decision) -> None:
        """Make way for a stage that starts again.

        What training made is put aside as ``<stage>.old``, the rest is removed.

        Raises:
            ValueError: The folder holds files that no record speaks of.
        """
        folder, known = self.folder(stage.name), self.record(stage.name) is not None
        if not known and folder.is_dir() and any(folder.iterdir()):
            raise ValueError(f'{folder} holds files of unknown origin; choose another folder')
        if decision.action != 'again' or not folder.is_dir():
            return
        if KINDS[stage.kind].keeps_old:
            old = folder.with_name(f'{folder.name}.old')
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
            self.say(f'      what was there is now in {old}')
        else:
            shutil.rmtree(folder)


def change(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Which input differs, for people."""
    for name, have, want in ((key, before.get(key), now[key]) for key in now):
        if have == want:
            continue
        if name == 'data':
            return 'its data files have changed'
        if name == 'files':
            return 'a file that it reads has changed'
        if name == 'stages':
            others = [key for key in want if (have or {}).get(key) != want[key]]
            return f'what it reads from {", ".join(others)} has changed'
        difference = first_difference(have, want, name)
        if difference:
            return f'{difference[0]} was {difference[1]}, is {difference[2]}'
    return 'it was made in another way'

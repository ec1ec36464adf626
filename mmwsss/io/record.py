"""The record of a stage: what it made, from what, how, and what that scored."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
import time
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from mmwsss.io.atomic import write_json
from mmwsss.io.lock import FolderLock, lock_folder
from mmwsss.io.names import require_file
from mmwsss.utils.nested import rebuilt
from mmwsss.version import __version__
from mmwsss_command import find_commands

__all__ = [
    'ARGMAX',
    'BEST_OF_SWEEP',
    'RECORD_NAME',
    'Protocol',
    'Record',
    'RecordError',
    'Recorder',
    'Score',
    'check_record',
    'code_version',
    'command_line',
    'find_record',
    'first_difference',
    'from_json',
    'hash_file',
    'hash_ids',
    'hash_text',
    'make_record',
    'percent',
    'plain_values',
    'read_json',
    'read_record',
    'write_record',
]

RECORD_NAME = 'record.json'
FORMAT = 1
Number = Optional[float]
ARGMAX = 'no threshold (argmax)'
BEST_OF_SWEEP = 'best of a sweep, uses ground truth'
# Fields that say how a stage went, not what it made.
CIRCUMSTANCES = {
    *('protocol', 'scores', 'result', 'request', 'outputs', 'config', 'config_sha256', 'complete'),
    *('failed', 'seconds', 'command', 'code', 'hardware', 'created'),
}


class RecordError(ValueError):
    """A record is unreadable, or does not fit what is asked of its folder."""


def percent(value: Number) -> str:
    """Format a score in 0..1 as percent with two decimals; ``-`` where it is undefined."""
    return '-' if value is None or value != value else f'{100 * value:.2f}'


@dataclass(frozen=True)
class Protocol:
    """What a score means. The fields are noted where they are known; readers never guess them.

    Attributes:
        split: Name of the split or list of images.
        images: Number of images, those that failed left out.
        failed: Number of images that failed.
        scales: Scales of the images at inference.
        flip: Whether mirrored images are averaged.
        refiners: Types of the refiners, in order.
        crf: Whether a dense CRF took part; None where nobody knows.
        threshold: Background threshold; None without one.
        threshold_source: Where it comes from, or :data:`ARGMAX`; empty where there is nothing to
            threshold.
        uses_ground_truth: Whether anything was chosen on the masks that are scored against.
        image_labels: Whether the image-level labels are used at inference; None where nobody knows.
        trained_on: ``'image labels'``, ``'pseudo masks'``, ``'true masks'``, or what a model says of itself.
        initial_weights: Where the weights before training come from.
        notes: What else a reader must know, e.g. whose instances an IA-mIoU is of.
    """

    split: str = ''
    images: int = 0
    failed: int = 0
    scales: list[float] = field(default_factory=list)
    flip: bool = False
    refiners: list[str] = field(default_factory=list)
    crf: Optional[bool] = None  # noqa: UP045  (evaluated on Python 3.9)
    threshold: Number = None
    threshold_source: str = ''
    uses_ground_truth: bool = False
    image_labels: Optional[bool] = None  # noqa: UP045
    trained_on: str = ''
    initial_weights: str = ''
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The protocol in one line, for people."""
        images = f'{self.images} {self.split} images'.replace('  ', ' ')
        if self.failed:
            images += f' ({self.failed} of {self.images + self.failed} failed)'
        views = ', '.join(f'{scale:g}' for scale in self.scales)
        threshold = self.threshold_source
        if self.threshold is not None:
            threshold = f'threshold {self.threshold:g}: {threshold or "origin unknown"}'
        parts = [
            images,
            views and f'scales {views}' + ' with mirrors' * self.flip,
            self.refiners and 'refiners ' + ' > '.join(self.refiners),
            {True: 'CRF', False: 'no CRF', None: ''}[self.crf],
            threshold,
            self.image_labels is False and 'no image labels at inference',
            self.trained_on and f'trained on {self.trained_on}',
            self.initial_weights and f'initial weights {self.initial_weights}',
            *self.notes,
        ]
        if self.uses_ground_truth and self.threshold_source != BEST_OF_SWEEP:
            parts.append('chosen on these masks: uses ground truth')
        return ', '.join(part for part in parts if part)


@dataclass(frozen=True)
class Score:
    """What something scored, and under which protocol.

    Attributes:
        what: What was scored, e.g. ``'masks'`` or ``'maps at best threshold'``.
        protocol: How.
        metrics: Scores by name in 0..1, such as ``mIoU`` and ``IA_S``; None where undefined.
        per_class: IoU in 0..1 by class name; None where undefined.
        curve: mIoU by threshold, as pairs, where thresholds were swept.
    """

    what: str
    protocol: Protocol
    metrics: dict[str, Number] = field(default_factory=dict)
    per_class: dict[str, Number] = field(default_factory=dict)
    curve: list[tuple[float, Number]] = field(default_factory=list)

    @property
    def miou(self) -> Number:
        """Mean IoU in 0..1."""
        return self.metrics.get('mIoU')

    def line(self) -> str:
        """The metrics in percent and the protocol in one line, for people."""
        metrics = ', '.join(f'{key} {percent(value)}' for key, value in self.metrics.items())
        return f'{metrics} ({self.protocol.text()})'


@dataclass(frozen=True)
class Record:
    """What a stage made and how.

    Attributes:
        kind: What made it: ``'train'``, ``'maps'``, ``'masks'``, ``'score'``, ``'test'`` or ``'tool'``.
        classes: Class names, background first.
        split: Name of the split or list, for messages.
        ids_count: Number of image ids asked for.
        ids_sha256: :func:`hash_ids` of them.
        settings: What decides the content (scales, flip, threshold, refiners).
        inputs: Hashes of what was read (checkpoint, record of the stage before).
        protocol: What a score of the output will mean.
        scores: Scores that the stage measured.
        result: Other results as plain values, such as the name of the last checkpoint.
        config: Path of the config.
        config_sha256: Hash of the resolved config text; not compared on resuming.
        request: What a pipeline asked for, kept for it.
        outputs: Number of output files when a pipeline's stage was done.
        seconds: Wall time, interrupted runs included.
        command: Command line.
        code: Version of this package, with the commit where it is known.
        hardware: Cores and processor.
        created: UTC time, ISO 8601.
        complete: False while the stage is at work, and after failures.
        failed: Ids of images that failed.
        format: Version of this layout.
    """

    kind: str
    classes: list[str] = field(default_factory=list)
    split: str = ''
    ids_count: int = 0
    ids_sha256: str = ''
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    protocol: Protocol = field(default_factory=Protocol)
    scores: list[Score] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    config: str = ''
    config_sha256: str = ''
    request: dict[str, Any] = field(default_factory=dict)
    outputs: int = 0
    seconds: float = 0.0
    command: str = ''
    code: str = ''
    hardware: str = ''
    created: str = ''
    complete: bool = True
    failed: list[str] = field(default_factory=list)
    format: int = FORMAT

    def sha256(self, ids: bool = True) -> str:
        """Hash of what decides the content, for ``inputs`` of the stage that reads the output.

        The same output made again hashes the same, and without ``ids`` also one of other images.
        """
        content = dataclasses.asdict(self)
        left = CIRCUMSTANCES if ids else {*CIRCUMSTANCES, 'ids_count', 'ids_sha256'}
        decisive = {key: value for key, value in content.items() if key not in left}
        return hash_text(json.dumps(decisive, sort_keys=True))


def make_record(
    kind: str,
    classes: Sequence[str] = (),
    split: str = '',
    ids: Sequence[str] | None = None,
    *,
    config_text: str = '',
    settings: Mapping[str, Any] | None = None,
    **others: Any,
) -> Record:
    """Build a :class:`Record`, filling in hashes, command, code version, hardware and time.

    Args:
        kind: See :class:`Record`.
        classes: Class names, background first.
        split: Name of the split or list.
        ids: All image ids of the folder; None: they are not known.
        config_text: The resolved config; only its hash is kept.
        settings: What decides the content; tuples become lists, NumPy values become Python's.
        **others: Further fields of the record.
    """
    return Record(
        kind=kind,
        classes=list(classes),
        split=split,
        ids_count=len(ids or ()),
        ids_sha256='' if ids is None else hash_ids(ids),
        config_sha256=hash_text(config_text) if config_text else '',
        settings=plain_values(settings or {}),
        command=command_line(sys.argv),
        code=code_version(),
        hardware=hardware(),
        created=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        **others,
    )


def record_path(folder: str | os.PathLike[str]) -> Path:
    """A folder's record; a path that ends in ``.json`` is taken as it is."""
    path = Path(folder)
    return path if path.suffix == '.json' else path / RECORD_NAME


def write_record(folder: str | os.PathLike[str], record: Record) -> Path:
    """Write a record, whole or not at all, and return its path (see :func:`record_path`)."""
    path = record_path(folder)
    write_json(path, dataclasses.asdict(record))
    return path


def read_record(folder: str | os.PathLike[str], **expected: Any) -> Record:
    """Read a folder's record (see :func:`record_path`) and compare it with what is expected.

    Args:
        folder: The folder, or the file.
        **expected: See :func:`check_record`.

    Raises:
        FileNotFoundError: The folder or its record does not exist.
        RecordError: The file is not a record of this format or does not fit; the message names it.
    """
    path = require_file('record of a tool of ours', record_path(folder))
    content = read_json(path)
    version = content.get('format') if isinstance(content, dict) else type(content).__name__
    if version != FORMAT:
        raise RecordError(f'{path}: expected a record of format {FORMAT}, but got {version!r}')
    record: Record = from_json(Record, content, str(path))
    check_record(record, folder=folder, **expected)
    return record


def find_record(folder: str | os.PathLike[str], **expected: Any) -> Record | None:
    """:func:`read_record`, or None where there is no record."""
    return read_record(folder, **expected) if record_path(folder).is_file() else None


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file.

    Raises:
        RecordError: It is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise RecordError(f'{path} is not JSON: {error}') from error


class Recorder:
    """Keep the record of a stage: incomplete from the start, complete at the end.

    Args:
        folder: See :func:`record_path`. What a pipeline asked for there, and the time that
            interrupted runs took, are kept.
        record: What is about to be made.

    Raises:
        FolderBusyError: Another process is at work in the folder.
        RecordError: The folder has the record of another kind of stage, which would be lost.
    """

    def __init__(self, folder: str | os.PathLike[str], record: Record) -> None:
        self.folder, self.start = folder, time.monotonic()
        is_file = record_path(folder) == Path(folder)
        self.lock: FolderLock | None = None if is_file else lock_folder(folder)
        before = find_record(folder) or record
        if before.kind not in (record.kind, 'tool'):  # a pipeline asks some stages for by 'tool'
            raise RecordError(
                f'{folder} has a record of {before.kind!r}, which one of {record.kind!r} would replace: '
                'choose another folder'
            )
        self.record = dataclasses.replace(
            record, complete=False, request=before.request, seconds=before.seconds
        )
        write_record(folder, self.record)

    def finish(self, complete: bool = True, **changes: Any) -> Record:
        """Write the record with what has become known; returns it."""
        seconds = self.record.seconds + time.monotonic() - self.start
        self.record = dataclasses.replace(
            self.record, complete=complete, seconds=round(seconds, 1), **changes
        )
        write_record(self.folder, self.record)
        if self.lock is not None:
            self.lock.release()
        return self.record


def check_record(
    record: Record,
    *,
    folder: str | os.PathLike[str] = 'the folder',
    ids: Sequence[str] | None = None,
    **expected: Any,
) -> None:
    """Compare a record with what is expected of its folder.

    Args:
        record: The record that was read.
        folder: Named in messages.
        ids: Expected image ids; the order does not count. None: any.
        **expected: Expected values of other fields, such as ``kind``, ``classes`` or ``settings``.

    Raises:
        RecordError: Says which field does not fit, and both values.
    """
    for name, want in expected.items():
        difference = first_difference(getattr(record, name), plain_values(want), name)
        if difference:
            raise _misfit(folder, *difference)
    if ids is not None and (record.ids_count, record.ids_sha256) != (len(ids), hash_ids(ids)):
        have = f'{record.split!r} ({record.ids_count} images, {record.ids_sha256[:12]})'
        want = f'{len(ids)} images, {hash_ids(ids)[:12]}; --list names those wanted'
        raise _misfit(folder, 'ids', have, want)


def hash_text(text: str) -> str:
    """SHA-256 of a text in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


def hash_ids(ids: Iterable[str]) -> str:
    """SHA-256 of the set of image ids, hexadecimal; the order does not count."""
    return hash_text('\n'.join(sorted(ids)))


def hash_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def command_line(words: Sequence[str]) -> str:
    """A command as it may be typed anywhere: a tool by its subcommand, another program by Python.

    Args:
        words: ``sys.argv`` of a process: the tool and its arguments.
    """
    tool, *arguments = words
    if tool.startswith('mmwsss '):
        return shlex.join([*tool.split(), *arguments])
    paths = {path.resolve(): name for name, path in find_commands().items()}
    name = paths.get(Path(tool).resolve())
    return shlex.join(
        [*(['python', tool] if name is None else ['mmwsss', *name.split()]), *arguments]
    )


def code_version() -> str:
    """Version of this package, followed by ``+<commit>`` when it runs from a git checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / '.git').exists():
        return __version__
    command = ['git', '-C', str(root), 'rev-parse', '--short=12', 'HEAD']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f'{__version__}+{done.stdout.strip()}' if done.returncode == 0 else __version__


def hardware() -> str:
    """Number of cores and name of the processor."""
    model = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith('model name')]
        model = lines[0].split(':', 1)[1].strip() if lines else model
    return f'{os.cpu_count()} cores, {model}'


def first_difference(have: Any, want: Any, name: str) -> tuple[str, Any, Any] | None:
    """Return (path, value, expected value) of the first difference, or None."""
    if isinstance(have, dict) and isinstance(want, dict):
        keys = [*want, *(key for key in have if key not in want)]
        pairs = [(f'{name}.{key}', have.get(key), want.get(key)) for key in keys]
    elif isinstance(have, list) and isinstance(want, list) and len(have) == len(want):
        pairs = [(f'{name}[{i}]', a, b) for i, (a, b) in enumerate(zip(have, want))]
    else:
        return None if have == want else (name, _short(have), _short(want))
    differences = (first_difference(a, b, path) for path, a, b in pairs)
    return next((difference for difference in differences if difference), None)


def plain_values(value: Any) -> Any:
    """Bring a value to what JSON gives back; NaN becomes None.

    Raises:
        TypeError: It holds something else than plain values and arrays.
    """
    return rebuilt(value, _plain_value)


def _plain_value(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return plain_values(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and value != value:
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f'a record holds plain values, but got {type(value).__name__} {value!r}')


def from_json(kind: Any, value: Any, where: str) -> Any:
    """Build a value of a type from JSON, checking every part of it.

    Args:
        kind: A dataclass, a generic list, dict, tuple or optional, or a plain type.
        value: What ``json.loads`` gave.
        where: Path of the value, for messages.

    Raises:
        RecordError: Names the part that does not fit, what was expected and what arrived.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or type(value) is kind:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        parts = {k: from_json(hints[k], v, f'{where}: {k}') for k, v in value.items() if k in hints}
        try:
            return typing.cast(type, kind)(**parts)
        except TypeError as error:  # a field without default is missing
            raise RecordError(f'{where}: {error}') from error
    if origin is list and isinstance(value, list):
        return [from_json(arguments[0], item, f'{where}[{i}]') for i, item in enumerate(value)]
    if origin is tuple and isinstance(value, (list, tuple)) and len(value) == len(arguments):
        return tuple(from_json(part, item, where) for part, item in zip(arguments, value))
    if origin is dict and isinstance(value, dict):
        return {k: from_json(arguments[1], v, f'{where}.{k}') for k, v in value.items()}
    if origin is Union:
        return None if value is None else from_json(arguments[0], value, where)
    if kind is float and type(value) is int:
        return float(value)
    raise RecordError(f'{where}: expected {kind}, but got {_short(value)}')


def _misfit(folder: str | os.PathLike[str], name: str, have: Any, want: Any) -> RecordError:
    return RecordError(f'{folder}: {name} does not fit: found {have}, expected {want}')


def _short(value: Any) -> str:
    text = 'nothing' if value is None else json.dumps(value)
    return text if len(text) <= 120 else text[:117] + '...'

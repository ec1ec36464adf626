"""Steps that are done once: a record of each says from which inputs it was made."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmwsss.io import hash_text, write_json

__all__ = ['Steps', 'count_files', 'fingerprint_of', 'is_done', 'read_record', 'work_on']

Say = Callable[[str], None]


def fingerprint_of(inputs: dict[str, Any]) -> str:
    """Hash of the plain values that decide a result."""
    return hash_text(json.dumps(inputs, sort_keys=True, default=str))


def read_record(path: Path) -> dict[str, Any]:
    """The record of a step; empty where there is none or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_done(found: dict[str, Any], fingerprint: str, folder: Path) -> bool:
    """Whether a record is complete, of these inputs, and its files are still there."""
    complete = found.get('complete') is True and found.get('fingerprint') == fingerprint
    return complete and count_files(folder) >= found.get('files', 0)


def count_files(folder: Path) -> int:
    """Number of files below ``folder``."""
    return sum(path.is_file() for path in folder.rglob('*'))


def work_on(
    record: Path,
    folder: Path,
    fingerprint: str,
    work: Callable[[Path], dict[str, Any]],
    note: dict[str, Any] | None = None,
    finish: Callable[[Path, dict[str, Any]], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Do a step between an incomplete and a complete record; the times of cut runs add up.

    Args:
        record: File of the record.
        folder: Folder of the step; made if need be.
        fingerprint: :func:`fingerprint_of` the inputs.
        work: Called with ``folder``; returns the result as plain values.
        note: More to keep in the record.
        finish: Called with ``folder`` and the result; returns more to keep.

    Returns:
        The record.
    """
    found = read_record(record)
    spent = found.get('seconds', 0.0) if found.get('fingerprint') == fingerprint else 0.0
    entry = {**(note or {}), 'fingerprint': fingerprint, 'complete': False, 'seconds': spent}
    folder.mkdir(parents=True, exist_ok=True)
    record.parent.mkdir(parents=True, exist_ok=True)
    write_json(record, entry)
    start = time.monotonic()
    try:
        entry['result'] = work(folder)
        entry.update(finish(folder, entry['result']) if finish else {})
        entry['complete'] = True
        entry['files'] = count_files(folder)
    finally:
        entry['seconds'] = spent + time.monotonic() - start
        write_json(record, entry)
    return entry


class Steps:
    """Run steps once, and remember them.

    Args:
        work_dir: Folder of the demo; each step may fill the folder ``<work_dir>/<name>``.
        total: Number of steps, for messages.
        say: Prints a line.
    """

    def __init__(self, work_dir: Path, total: int, say: Say) -> None:
        self.work_dir, self.total, self.say = work_dir, total, say
        self.number = 0
        self.seconds: dict[str, float] = {}

    def begin(self, title: str) -> None:
        """Say which step comes now."""
        self.number += 1
        self.say(f'[{self.number}/{self.total}] {title}')

    def run(
        self,
        name: str,
        title: str,
        inputs: dict[str, Any],
        work: Callable[[Path], dict[str, Any]],
        lines: Callable[[dict[str, Any]], list[str]] | None = None,
        files: Sequence[Path] = (),
    ) -> dict[str, Any]:
        """Do a step unless it is done.

        Args:
            name: Name of the record and of the step's folder.
            title: What the step does, for people.
            inputs: Plain values that decide the result.
            work: Called with the step's folder; returns the result as plain values. Goes on where it
                was cut if the folder holds something.
            lines: What to print about a result.
            files: Files outside the step's folder that it makes.

        Returns:
            The result, of now or of before.
        """
        self.begin(title)
        folder, record = self.work_dir / name, self.work_dir / 'steps' / f'{name}.json'
        fingerprint = fingerprint_of(inputs)
        found = read_record(record)
        if found.get('fingerprint') not in (None, fingerprint) and folder.is_dir():
            self.say('      made from other inputs before: starting again')
            shutil.rmtree(folder)
        if is_done(found, fingerprint, folder) and all(path.is_file() for path in files):
            self.say('      done before')
        else:
            found = work_on(record, folder, fingerprint, work)
        self.seconds[name] = found['seconds']
        for line in lines(found['result']) if lines else ():
            self.say(f'      {line}')
        return found['result']

"""The folder that a stage fills: its record before, between ranks, and after."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_rank

from mmwsss.io import (
    RECORD_NAME,
    BatchReport,
    Protocol,
    Record,
    Recorder,
    RecordError,
    check_record,
    read_record,
    remove_stale_temporaries,
    write_json,
)
from mmwsss.io.record import from_json
from mmwsss.utils.names import name_some

__all__ = ['OutputFolder', 'training_protocol']

SUFFIXES = {'maps': '.npz', 'masks': '.png'}
SOURCES_NAME = 'sources.json'
OTHERWISE = 'Choose another folder, or pass --overwrite.'


def training_protocol(checkpoint: str | Path) -> Protocol:
    """What the record beside a checkpoint says of its training; nothing where there is no record."""
    folder = Path(checkpoint).parent
    return read_record(folder).protocol if (folder / RECORD_NAME).is_file() else Protocol()


class OutputFolder:
    """A folder of one output per image: goes on in one of the same making, refuses any other.

    Rank 0 decides and writes the record (marked incomplete); every rank raises alike.

    Args:
        out: The folder; created if need be.
        record: What is about to be written.
        overwrite: Remove the outputs of a folder of another making instead of refusing it. A folder
            with files of unknown origin is refused all the same.
        sources: Hash by id of the one file that an output is made from, where there is one. They are
            kept in ``sources.json``; what is there already must come from files of the same hash,
            while the files of images that failed or were not begun may change.

    Raises:
        RecordError: The folder was made with other inputs, settings or sources; names the difference.
    """

    def __init__(
        self,
        out: str | Path,
        record: Record,
        overwrite: bool = False,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self.out, self.record, self.sources = Path(out), record, sources
        problem: list[str | None] = [None]
        if get_rank() == 0:
            try:
                self._prepare(overwrite)
                self.recorder = Recorder(out, record)
            except RecordError as error:
                problem = [str(error)]
        broadcast_object_list(problem)
        if problem[0] is not None:
            raise RecordError(problem[0])

    def finish(self, report: BatchReport, ids: Sequence[str]) -> BatchReport:
        """Join the ranks' reports and let rank 0 close the record.

        Args:
            report: This rank's report.
            ids: All ids, over all ranks.

        Returns:
            The joined report, the same on every rank.
        """
        joined = BatchReport.merge(all_gather_object(report), ids)
        if get_rank() == 0:
            failed = list(joined.failed)
            protocol = dataclasses.replace(
                self.record.protocol, images=len(ids) - len(failed), failed=len(failed)
            )
            self.recorder.finish(complete=not failed, failed=failed, protocol=protocol)
        barrier()
        return joined

    def _prepare(self, overwrite: bool) -> None:
        out, record = self.out, self.record
        out.mkdir(parents=True, exist_ok=True)
        remove_stale_temporaries(out)
        outputs = [path for path in out.rglob('*') if path.suffix == SUFFIXES[record.kind]]
        before = read_record(out) if (out / RECORD_NAME).is_file() else None
        if before is None or not before.has_begun():
            if outputs:
                raise RecordError(
                    f'{out} holds {len(outputs)} files of unknown origin (no {RECORD_NAME}), which '
                    'are not touched; choose another folder'
                )
        elif overwrite and before.kind == record.kind:
            for path in outputs:
                path.unlink()
        elif outputs or before.kind != record.kind or len(before.failed) != before.ids_count:
            self._check_same(before)
            if self.sources is not None:
                finished = [path.relative_to(out).with_suffix('').as_posix() for path in outputs]
                self._check_sources(finished, self.sources)
        if self.sources is not None:
            write_json(out / SOURCES_NAME, self.sources)

    def _check_same(self, before: Record) -> None:
        record = self.record
        try:
            check_record(
                before,
                folder=self.out,
                kind=record.kind,
                split=record.split,
                classes=record.classes,
                settings=record.settings,
                inputs=record.inputs,
            )
        except RecordError as error:
            raise RecordError(f'{error}. {OTHERWISE}') from error
        grows = record.ids_count > before.ids_count
        if not grows and record.ids_sha256 != before.ids_sha256:
            raise RecordError(
                f'{self.out} was made for {before.ids_count} images, but is now asked to hold '
                f'{record.ids_count} others or fewer. {OTHERWISE}'
            )

    def _check_sources(self, finished: Sequence[str], sources: Mapping[str, str]) -> None:
        path = self.out / SOURCES_NAME
        try:
            content = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
        except (ValueError, RecursionError) as error:
            raise RecordError(f'{path} is not JSON: {error}. Pass --overwrite.') from error
        known = from_json(dict[str, str], content, str(path))
        changed = sorted(
            name for name in finished if name not in known or known[name] != sources.get(name)
        )
        if changed:
            raise RecordError(
                f'{self.out}: the files of {len(changed)} of {len(finished)} finished images have '
                f'changed since: {name_some(changed)}. {OTHERWISE}'
            )

"""The folder that a stage fills: its record before, between ranks, and after."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_rank

from mmwsss.io import (
    RECORD_NAME,
    BatchReport,
    Protocol,
    Record,
    Recorder,
    RecordError,
    find_record,
    lock_folder,
    remove_stale_temporaries,
    safe_join,
    write_json,
)
from mmwsss.io.record import first_difference, from_json, read_json
from mmwsss.utils.names import name_some
from mmwsss.utils.precision import precision_notes

__all__ = ['OutputFolder', 'read_sources', 'segmenter_protocol', 'training_protocol']

SUFFIXES = {'maps': '.npz', 'masks': '.png'}
SOURCES_NAME = 'sources.json'


def training_protocol(checkpoint: str | Path) -> Protocol:
    """What the record beside a checkpoint says of its training; nothing where there is no record."""
    record = find_record(Path(checkpoint).parent)
    return Protocol() if record is None else record.protocol


def segmenter_protocol(
    checkpoint: str | Path,
    test_cfg: Mapping[str, Any] | None,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> Protocol:
    """What a score of the masks that a segmenter predicts will mean."""
    before = training_protocol(checkpoint)
    return replace(
        before,
        scales=list(scales),
        flip=flip,
        crf=False,
        image_labels=False,
        notes=[*before.notes, *precision_notes(test_cfg)],
    )


def read_sources(folder: str | Path) -> dict[str, str]:
    """What the outputs in a folder are made from, by id (see :class:`OutputFolder`), if that is known."""
    path = Path(folder, SOURCES_NAME)
    return from_json(dict[str, str], read_json(path), str(path)) if path.is_file() else {}


def outputs_of(folder: Path, suffix: str) -> list[Path]:
    """Files of a folder and its subfolders, but for those of subfolders that have a record of their own."""
    others = {path.parent for path in folder.rglob(RECORD_NAME)} - {folder}
    files = (path for path in folder.rglob('*') if path.suffix == suffix)
    return [path for path in files if others.isdisjoint(path.parents)]


class OutputFolder:
    """A folder of one output per image: goes on in one of the same making, refuses any other.

    Rank 0 decides and writes the record (marked incomplete); every rank raises alike.

    Args:
        out: The folder; created if need be.
        record: What is about to be written.
        sources: What an output is made from, by id: the hash of a file, or a label. They are kept in
            ``sources.json``; what is there already must come from the same, while those of images that
            failed or were not begun may change.
        overwrite: Remove the outputs of a folder of another making instead of refusing it. A folder
            with files of unknown origin is refused all the same, and other files in it stay.

    Raises:
        RecordError: The folder was made with other inputs, settings or sources, whose difference is named;
            or another process is at work in it.
    """

    def __init__(
        self,
        out: str | Path,
        record: Record,
        sources: Mapping[str, str],
        overwrite: bool = False,
    ) -> None:
        self.out, self.record, self.sources = Path(out), record, sources
        problem: list[str | None] = [None]
        if get_rank() == 0:
            try:
                self.lock = lock_folder(out)  # before anything is removed; the recorder shares it
                self._prepare(overwrite)
                self.recorder = Recorder(out, record)
            except ValueError as error:  # also of an id that leaves the folder
                problem = [str(error)]
        broadcast_object_list(problem)
        if problem[0] is not None:
            raise RecordError(problem[0])

    def finish(
        self,
        report: BatchReport,
        ids: Sequence[str],
        result: Callable[[BatchReport], dict[str, Any]] | None = None,
    ) -> BatchReport:
        """Join the ranks' reports and let rank 0 close the record.

        Args:
            report: This rank's report.
            ids: All ids, over all ranks.
            result: Called on rank 0 with the joined report, for the record's ``result``.

        Returns:
            The joined report, the same on every rank.
        """
        joined = BatchReport.merge(all_gather_object(report), ids)
        if get_rank() == 0:
            failed = list(joined.failed)
            protocol = replace(
                self.record.protocol, images=len(ids) - len(failed), failed=len(failed)
            )
            more = {} if result is None else {'result': result(joined)}
            self.recorder.finish(complete=not failed, failed=failed, protocol=protocol, **more)
        barrier()
        return joined

    def _prepare(self, overwrite: bool) -> None:
        out, record = self.out, self.record
        out.mkdir(parents=True, exist_ok=True)
        remove_stale_temporaries(out)
        suffix = SUFFIXES[record.kind]
        before, difference = find_record(out), ''
        known = read_sources(out) if before is not None else {}
        paths = {name: safe_join(out, name, suffix) for name in {**known, **self.sources}}
        finished = {name: path for name, path in paths.items() if path.is_file()}
        if before is None or not before.ids_sha256:  # only asked for by a pipeline, if at all
            if others := outputs_of(out, suffix):
                raise RecordError(
                    f'{out} holds {len(others)} files of unknown origin (no {RECORD_NAME}), which are '
                    'not touched: choose another folder'
                )
        elif overwrite and before.kind == record.kind:
            for path in finished.values():
                path.unlink()
        elif finished or before.kind != record.kind or len(before.failed) != before.ids_count:
            difference = self._difference(before, known, finished)
        if difference:
            raise RecordError(
                f'{out}: {difference}. Choose another folder, or pass --overwrite, which removes '
                'these files.'
            )
        write_json(out / SOURCES_NAME, self.sources)

    def _difference(
        self, before: Record, known: Mapping[str, str], finished: Collection[str]
    ) -> str:
        """How a folder with finished images was made otherwise, for people; empty if it was not."""
        for name in ('kind', 'split', 'classes', 'settings', 'inputs'):
            found = first_difference(getattr(before, name), getattr(self.record, name), name)
            if found and (name == 'inputs' or found[0].endswith('_sha256')):
                what = found[0].partition('.')[2].removesuffix('_sha256')
                return f'its files were made with another {what}'
            if found:
                return f'{found[0]} does not fit: found {found[1]}, expected {found[2]}'
        left = sorted(name for name in finished if name not in self.sources)
        if left:
            return (
                f'{len(left)} of {len(finished)} finished images are not asked for now: {name_some(left)}; '
                'ask for them, too, to add others'
            )
        changed = [name for name in finished if known.get(name) != self.sources[name]]
        if not changed:
            return ''
        return (
            f'what {len(changed)} of {len(finished)} finished images are made from (files, labels) has '
            f'changed since: {name_some(sorted(changed))}'
        )

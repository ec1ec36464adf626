"""What every stage that fills a folder shares: the manifest before, between ranks, and after."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_rank

from mmwsss.io import (
    MANIFEST_NAME,
    BatchReport,
    Manifest,
    ManifestError,
    atomic_path,
    check_manifest,
    read_manifest,
    remove_stale_temporaries,
    write_manifest,
)
from mmwsss.utils.names import name_some

__all__ = ['finish_output', 'open_output']

SUFFIXES = {'maps': '.npz', 'masks': '.png'}
SOURCES_NAME = 'sources.json'


def open_output(
    out: str | Path,
    manifest: Manifest,
    overwrite: bool = False,
    sources: Mapping[str, str] | None = None,
) -> None:
    """Prepare a folder: go on in one of the same making, refuse any other.

    Rank 0 decides and writes the manifest (marked incomplete); every rank raises alike.

    Args:
        out: The folder; created if need be.
        manifest: What is about to be written.
        overwrite: Remove the outputs of a folder of another making instead of refusing it. A folder
            with files of unknown origin is refused all the same.
        sources: Hash by id of the one file that an output is made from, where there is one. They are
            kept in ``sources.json``; what is there already must come from files of the same hash,
            while the files of images that failed or were not begun may change.

    Raises:
        ManifestError: The folder was made with other inputs, settings or sources; names the difference.
    """
    problem: list[str | None] = [None]
    if get_rank() == 0:
        try:
            _prepare(Path(out), manifest, overwrite, sources)
        except ManifestError as error:
            problem = [str(error)]
    broadcast_object_list(problem)
    if problem[0] is not None:
        raise ManifestError(problem[0])


def _prepare(
    out: Path, manifest: Manifest, overwrite: bool, sources: Mapping[str, str] | None
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    remove_stale_temporaries(out)
    outputs = [path for path in out.rglob('*') if path.suffix == SUFFIXES[manifest.stage]]
    if not (out / MANIFEST_NAME).is_file():
        if outputs:
            raise ManifestError(
                f'{out} holds {len(outputs)} files of unknown origin (no {MANIFEST_NAME}), which are '
                'not touched; choose another folder'
            )
    elif overwrite and read_manifest(out).stage == manifest.stage:
        for path in outputs:
            path.unlink()
    elif outputs or not _failed_altogether(read_manifest(out), manifest.stage):
        _check_same(out, manifest)
        if sources is not None:
            finished = [path.relative_to(out).with_suffix('').as_posix() for path in outputs]
            _check_sources(out, finished, sources)
    if sources is not None:
        with atomic_path(out / SOURCES_NAME) as temporary:
            temporary.write_text(json.dumps(sources, indent=2) + '\n', encoding='utf-8')
    write_manifest(out, manifest)


def _failed_altogether(found: Manifest, stage: str) -> bool:
    """Whether a run has ended without a single output, so that there is nothing to keep."""
    return found.stage == stage and len(found.failed) == found.ids_count


def _check_same(out: Path, manifest: Manifest) -> None:
    found = read_manifest(out)
    try:
        check_manifest(
            found,
            folder=out,
            stage=manifest.stage,
            split=manifest.split,
            classes=manifest.classes,
            settings=manifest.settings,
            inputs=manifest.inputs,
        )
    except ManifestError as error:
        raise ManifestError(f'{error}. Choose another folder, or pass --overwrite.') from error
    grows = manifest.ids_count > found.ids_count
    if not grows and manifest.ids_sha256 != found.ids_sha256:
        raise ManifestError(
            f'{out} was made for {found.ids_count} images, but is now asked to hold '
            f'{manifest.ids_count} others or fewer. Choose another folder, or pass --overwrite.'
        )


def _check_sources(out: Path, finished: Sequence[str], sources: Mapping[str, str]) -> None:
    known = _read_sources(out / SOURCES_NAME)
    changed = sorted(
        name for name in finished if name not in known or known[name] != sources.get(name)
    )
    if changed:
        raise ManifestError(
            f'{out}: the files of {len(changed)} of {len(finished)} finished images have changed '
            f'since: {name_some(changed)}. Choose another folder, or pass --overwrite.'
        )


def _read_sources(path: Path) -> dict[str, str]:
    try:
        known = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise ManifestError(f'{path} is not JSON: {error}. Pass --overwrite.') from error
    if not isinstance(known, dict):
        raise ManifestError(f'{path}: expected hashes by id, but got a {type(known).__name__}')
    return known


def finish_output(
    out: str | Path, manifest: Manifest, report: BatchReport, ids: Sequence[str]
) -> BatchReport:
    """Join the ranks' reports and let rank 0 close the manifest.

    Args:
        out: The folder.
        manifest: The one of :func:`open_output`.
        report: This rank's report.
        ids: All ids, over all ranks.

    Returns:
        The joined report, the same on every rank.
    """
    joined = BatchReport.merge(all_gather_object(report), ids)
    if get_rank() == 0:
        failed = list(joined.failed)
        write_manifest(out, dataclasses.replace(manifest, complete=not failed, failed=failed))
    barrier()
    return joined

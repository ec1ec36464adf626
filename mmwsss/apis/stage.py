"""What every stage that fills a folder shares: the manifest before, between ranks, and after."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_rank

from mmwsss.masks import (
    MANIFEST_NAME,
    BatchReport,
    Manifest,
    ManifestError,
    check_manifest,
    read_manifest,
    remove_stale_temporaries,
    write_manifest,
)

__all__ = ['finish_output', 'open_output']

SUFFIXES = {'maps': '.npz', 'masks': '.png'}


def open_output(out: str | Path, manifest: Manifest, overwrite: bool = False) -> None:
    """Prepare a folder: go on in one of the same making, refuse any other.

    Rank 0 decides and writes the manifest (marked incomplete); every rank raises alike.

    Args:
        out: The folder; created if need be.
        manifest: What is about to be written.
        overwrite: Remove the outputs of a folder of another making instead of refusing it. A folder
            with files of unknown origin is refused all the same.

    Raises:
        ManifestError: The folder was made with other inputs or settings; names the difference.
    """
    problem: list[str | None] = [None]
    if get_rank() == 0:
        try:
            _prepare(Path(out), manifest, overwrite)
        except ManifestError as error:
            problem = [str(error)]
    broadcast_object_list(problem)
    if problem[0] is not None:
        raise ManifestError(problem[0])


def _prepare(out: Path, manifest: Manifest, overwrite: bool) -> None:
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
    else:
        _check_same(out, manifest)
    write_manifest(out, manifest)


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

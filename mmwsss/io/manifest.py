"""Manifests: how a folder of class maps or masks was made."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from mmwsss.io.atomic import atomic_path

__all__ = [
    'MANIFEST_NAME',
    'Manifest',
    'ManifestError',
    'check_manifest',
    'code_version',
    'first_difference',
    'hash_file',
    'hash_ids',
    'hash_text',
    'make_manifest',
    'read_manifest',
    'write_manifest',
]

MANIFEST_NAME = 'manifest.json'
FORMAT = 1
STAGES = ('maps', 'masks')


class ManifestError(ValueError):
    """A folder's manifest is unreadable or does not fit what is asked of the folder."""


@dataclass(frozen=True)
class Manifest:
    """What a folder holds and how it was made.

    Attributes:
        stage: ``'maps'`` or ``'masks'``.
        classes: Class names, background first.
        split: Name of the split or list, for messages.
        ids_count: Number of image ids asked for.
        ids_sha256: :func:`hash_ids` of them.
        config_sha256: Hash of the resolved config text; a record, not compared on resuming.
        settings: What decides the content (scales, flip, threshold and its source, refiners).
        inputs: Hashes of what was read (checkpoint, manifest of the stage before).
        code_version: Version of this package, with the commit where it is known.
        created: UTC time, ISO 8601.
        complete: False while the folder is being written, and after failures.
        failed: Ids that could not be made.
        format: Version of this layout.
    """

    stage: str
    classes: list[str]
    split: str
    ids_count: int
    ids_sha256: str
    config_sha256: str = ''
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    code_version: str = ''
    created: str = ''
    complete: bool = True
    failed: list[str] = field(default_factory=list)
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ManifestError(f'stage must be one of {STAGES}, but got {self.stage!r}')

    def sha256(self) -> str:
        """Hash of what decides the content, for ``inputs`` of the stage that reads the folder.

        The same maps made again hash the same: time, code version and the config's text are left
        out.
        """
        ignored = {'config_sha256', 'code_version', 'created', 'complete', 'failed'}
        content = {key: value for key, value in asdict(self).items() if key not in ignored}
        return hash_text(_canonical(content))


def make_manifest(
    stage: str,
    classes: Sequence[str],
    split: str,
    ids: Sequence[str],
    *,
    config_text: str = '',
    settings: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
    complete: bool = True,
    failed: Iterable[str] = (),
) -> Manifest:
    """Build a :class:`Manifest`, filling in hashes, code version and time.

    Args:
        stage: ``'maps'`` or ``'masks'``.
        classes: Class names, background first.
        split: Name of the split or list.
        ids: All image ids of the folder.
        config_text: The resolved config; only its hash is kept.
        settings: What decides the content; tuples become lists, NumPy values become Python's.
        inputs: Hashes of what was read.
        complete: False while the folder is being written.
        failed: Ids that could not be made.
    """
    return Manifest(
        stage=stage,
        classes=list(classes),
        split=split,
        ids_count=len(ids),
        ids_sha256=hash_ids(ids),
        config_sha256=hash_text(config_text) if config_text else '',
        settings=_plain(dict(settings or {})),
        inputs=_plain(dict(inputs or {})),
        code_version=code_version(),
        created=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        complete=complete,
        failed=list(failed),
    )


def write_manifest(folder: str | os.PathLike[str], manifest: Manifest) -> Path:
    """Write ``manifest`` to ``folder/manifest.json``, whole or not at all, and return the path."""
    path = Path(folder, MANIFEST_NAME)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(asdict(manifest), indent=2) + '\n', encoding='utf-8')
    return path


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Read ``folder/manifest.json``.

    Raises:
        FileNotFoundError: The folder or its manifest does not exist.
        ManifestError: The file is not a manifest of this format; the message names it.
    """
    path = Path(folder, MANIFEST_NAME)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} not found: the folder must be one that make_maps.py or make_masks.py wrote'
        )
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f'{path} is not JSON: {error}') from error
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        found = content.get('format') if isinstance(content, dict) else type(content).__name__
        raise ManifestError(f'{path}: expected a manifest of format {FORMAT}, but got {found!r}')
    known = {item.name for item in fields(Manifest)}
    try:
        return Manifest(**{key: value for key, value in content.items() if key in known})
    except (TypeError, ManifestError) as error:
        raise ManifestError(f'{path} is not a manifest: {error}') from error


def check_manifest(
    found: Manifest,
    *,
    folder: str | os.PathLike[str] = 'the folder',
    stage: str | None = None,
    classes: Sequence[str] | None = None,
    split: str | None = None,
    ids: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> None:
    """Compare a manifest with what is expected of its folder; None means "any".

    Args:
        found: The manifest that was read.
        folder: Named in messages.
        stage: Expected stage.
        classes: Expected class names, background first; the order counts.
        split: Expected split name.
        ids: Expected image ids; the order does not count.
        settings: Expected settings, compared key by key.
        inputs: Expected input hashes.

    Raises:
        ManifestError: Says which field does not fit, and both values.
    """
    pairs = [('stage', found.stage, stage), ('split', found.split, split)]
    for name, have, want in pairs:
        if want is not None and have != want:
            raise _misfit(folder, name, have, want)
    if classes is not None:
        _check_classes(folder, found.classes, list(classes))
    if ids is not None and (found.ids_count, found.ids_sha256) != (len(ids), hash_ids(ids)):
        have = f'{found.split!r} ({found.ids_count} images, {found.ids_sha256[:12]})'
        raise _misfit(folder, 'ids', have, f'{len(ids)} images, {hash_ids(ids)[:12]}')
    for name, have, want in [
        ('settings', found.settings, settings),
        ('inputs', found.inputs, inputs),
    ]:
        difference = None if want is None else first_difference(have, _plain(dict(want)), name)
        if difference:
            raise _misfit(folder, *difference)


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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'file not found: {path}')
    digest = hashlib.sha256()
    with path.open('rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def code_version() -> str:
    """Version of this package, followed by ``+<commit>`` when it runs from a git checkout."""
    import mmwsss

    version = getattr(mmwsss, '__version__', 'unknown')
    root = Path(__file__).resolve().parents[2]
    if not (root / '.git').exists():
        return version
    command = ['git', '-C', str(root), 'rev-parse', '--short=12', 'HEAD']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return version
    return f'{version}+{done.stdout.strip()}' if done.returncode == 0 else version


def _misfit(folder: str | os.PathLike[str], name: str, have: Any, want: Any) -> ManifestError:
    return ManifestError(f'{folder}: {name} does not fit: found {have}, expected {want}')


def _check_classes(folder: str | os.PathLike[str], have: list[str], want: list[str]) -> None:
    if have == want:
        return
    if len(have) != len(want):
        raise _misfit(folder, 'classes', f'{len(have)} ({have})', f'{len(want)} ({want})')
    i = next(i for i, (a, b) in enumerate(zip(have, want)) if a != b)
    raise _misfit(folder, 'classes', f'{have[i]!r} as class {i}', f'{want[i]!r} as class {i}')


def first_difference(have: Any, want: Any, name: str) -> tuple[str, Any, Any] | None:
    """Return (path, found value, expected value) of the first difference, or None."""
    if isinstance(have, dict) and isinstance(want, dict):
        keys = [*want, *(key for key in have if key not in want)]
        pairs = [(f'{name}.{key}', have.get(key), want.get(key)) for key in keys]
    elif isinstance(have, list) and isinstance(want, list) and len(have) == len(want):
        pairs = [(f'{name}[{i}]', a, b) for i, (a, b) in enumerate(zip(have, want))]
    else:
        return None if have == want else (name, _short(have), _short(want))
    differences = (first_difference(a, b, path) for path, a, b in pairs)
    return next((difference for difference in differences if difference), None)


def _short(value: Any) -> str:
    text = 'nothing' if value is None else json.dumps(value)
    return text if len(text) <= 120 else text[:117] + '...'


def _canonical(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    """Bring a value to what JSON gives back."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f'a manifest holds plain values, but got {type(value).__name__} {value!r}')

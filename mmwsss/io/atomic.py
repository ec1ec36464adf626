"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import re
import socket
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ['atomic_path', 'remove_stale_temporaries', 'write_json', 'write_lines', 'write_text']

_PREFIX = '.tmp-'
_TEMPORARY = re.compile(r'^\.tmp-(?P<host>[^~]*)~(?P<pid>\d+)~[0-9a-f]+')


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; rename it to ``path`` when the block succeeds.

    Readers see the old file, or the new one, never a part of it. The temporary name carries host,
    process id and a random part, so that processes and machines writing into one folder never
    meet; it keeps the suffix of ``path``, from which many writers derive the format. Missing parent
    folders are made.

    Raises:
        FileNotFoundError: The block ended without writing the temporary file.
        OSError: The file cannot be written, as on a full disk; names ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f'{_PREFIX}{_host()}~{os.getpid()}~{uuid.uuid4().hex[:12]}{path.suffix}'
    temporary = path.with_name(name)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text in UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_lines(path: str | os.PathLike[str], lines: Iterable[str]) -> None:
    """Write one line each, in UTF-8, whole or not at all."""
    write_text(path, ''.join(f'{line}\n' for line in lines))


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write JSON, whole or not at all; NaN is an error, not an invalid file."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + '\n')


def remove_stale_temporaries(folder: str | os.PathLike[str]) -> int:
    """Remove temporary files which processes that were killed left under ``folder``.

    Only files of this machine whose process no longer runs are removed. Returns their number.
    """
    removed = 0
    for path in Path(folder).rglob(f'{_PREFIX}*'):
        match = _TEMPORARY.match(path.name)
        if match and match['host'] == _host() and not _is_running(int(match['pid'])):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _host() -> str:
    return re.sub(r'[^\w.-]', '_', socket.gethostname())[:64]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError, OverflowError) as error:
        return not isinstance(error, ProcessLookupError)
    return True

"""One run at a time in a folder."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from weakref import WeakValueDictionary

try:
    import fcntl
except ImportError:  # not on this system: two runs in one folder are then the user's business
    fcntl = None  # type: ignore[assignment]

__all__ = ['FolderBusyError', 'FolderLock', 'lock_folder']

LOCK_NAME = '.lock'
BUSY = (errno.EAGAIN, errno.EACCES)
SECONDS_BETWEEN_TRIES = 0.5
# Loaders of a run that was killed notice it after five seconds, and hold its lock until then.
PATIENCE = 6.0


class FolderBusyError(ValueError):
    """Another run is at work in a folder."""


class FolderLock:
    """A lock on a folder, held until it is given up, at the latest with this object and its process.

    A process that this one starts and hands ``descriptor`` on to holds it, too.

    Args:
        folder: The folder; created if need be.
        patience: Seconds to wait for another run.

    Attributes:
        descriptor: Of the open lock file; None where the system or the file system has no locks.

    Raises:
        FolderBusyError: Another run is at work there.
    """

    def __init__(self, folder: str | os.PathLike[str], patience: float = 0.0) -> None:
        self.path, self.owner = Path(folder, LOCK_NAME), os.getpid()
        self.descriptor: int | None = None
        if fcntl is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + patience
        while self.descriptor is None:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if error.errno not in BUSY:
                    return
                if time.monotonic() >= until:
                    raise FolderBusyError(
                        f'another run, or a tool that it started, is still at work in {folder}: wait '
                        'for it, or choose another folder'
                    ) from error
                time.sleep(SECONDS_BETWEEN_TRIES)
            else:
                if os.fstat(descriptor).st_nlink:
                    self.descriptor = descriptor
                else:  # the run before has just removed it
                    os.close(descriptor)

    def release(self) -> None:
        """Let the next run in, whatever processes of this one are left."""
        if self.descriptor is not None and os.getpid() == self.owner:
            self.path.unlink(missing_ok=True)
            self.close()

    def close(self) -> None:
        """Give the lock up in this process; one that has the ``descriptor`` goes on holding it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


_held: WeakValueDictionary[Path, FolderLock] = WeakValueDictionary()


def lock_folder(folder: str | os.PathLike[str]) -> FolderLock:
    """Lock a folder against other processes: in this one, all who ask share the lock."""
    key = Path(folder).resolve()
    lock = _held.get(key)
    if lock is None or (lock.descriptor is None and fcntl is not None):
        _held[key] = lock = FolderLock(folder, PATIENCE)
    return lock

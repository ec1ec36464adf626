"""MMEngine's local files, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

from mmwsss.io.atomic import atomic_path

__all__ = ['WholeFileBackend']


class WholeFileBackend(LocalBackend):
    """The backend ``'whole'``: a checkpoint that a full disk or a kill cuts off is not there, nor empty.

    For ``CheckpointHook(backend_args=dict(backend='whole'))``.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:  # noqa: UP007  (as mmengine has it)
        """Write bytes; ``OSError`` names the file."""
        with atomic_path(filepath) as temporary:
            temporary.write_bytes(obj)


register_backend('whole', WholeFileBackend, force=True)

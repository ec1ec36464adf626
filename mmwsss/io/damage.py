"""One error for damaged files, whatever a parser makes of their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ['parsing']


@contextmanager
def parsing(what: str) -> Iterator[None]:
    """Turn exceptions of the block into a ``ValueError`` that begins with ``what``; a missing file stays one.

    On damaged bytes the parsers of NumPy, Pillow and ``zipfile`` raise nearly anything: ``SyntaxError``,
    ``struct.error``, ``NotImplementedError``, ``MemoryError`` for a size that the file only claims.

    Args:
        what: The file, and what it was expected to be.

    Raises:
        ValueError: Anything was raised in the block.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        text = str(error) or type(error).__name__
        raise ValueError(text if text.startswith(what) else f'{what}: {text}') from error

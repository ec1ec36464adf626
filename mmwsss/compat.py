"""What the package needs from its surroundings, checked once at import.

OpenMMLab comes in two distributions with the same import names: the maintained ``onedl-*`` packages
and the original ones. Nothing here asks for a distribution by name; only import names and the
versions the modules state about themselves count.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = [
    'allow_safe_resume',
    'check_dependencies',
    'parse_version',
    'quiet_imports',
]


# Importable modules, the oldest version that works and how to get it.
REQUIREMENTS = (
    ('torch', '2.6.0', 'pip install torch'),
    ('mmengine', '0.10.0', 'pip install onedl-mmengine  (or: mmengine)'),
    ('mmcv', '2.0.0', 'pip install onedl-mmcv  (or: mmcv)'),
    ('mmseg', '1.2.0', 'pip install onedl-mmsegmentation  (or: mmsegmentation)'),
)


def parse_version(version: str) -> tuple[int, ...]:
    """Turn ``'2.13.0+cpu'`` into ``(2, 13, 0)``; anything after the leading numbers is dropped."""
    match = re.match(r'\d+(?:\.\d+)*', version)
    return tuple(int(part) for part in match.group().split('.')) if match else ()


# What OpenMMLab says while it is imported, about optional parts that nothing of ours uses.
IMPORT_CHATTER = 'Could not import OneDL'


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Leave out what mmcv and mmseg say about optional parts while they are imported."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
        warnings.filterwarnings('ignore', message='Fail to import')
        try:
            yield
        finally:
            rest = [line for line in printed.getvalue().splitlines() if line != IMPORT_CHATTER]
    if rest:
        print('\n'.join(rest))


def check_dependencies(requirements: Iterable[tuple[str, str, str]] = REQUIREMENTS) -> None:
    """Import every requirement and report all that is wrong in one message.

    Raises:
        ImportError: A module is missing or too old; the message lists each with the install line.
    """
    problems = []
    for module, minimum, install in requirements:
        try:
            with quiet_imports():
                found = str(getattr(importlib.import_module(module), '__version__', ''))
        except Exception as error:  # asserts on versions; libraries that fail to load
            problems.append(f'{module}: cannot be imported ({error}); {install}')
            continue
        if parse_version(found) < parse_version(minimum):
            have = found or 'no version'
            problems.append(f'{module}: needs >= {minimum}, found {have}; {install}')
    if problems:
        listing = '\n  - '.join(problems)
        raise ImportError(f'mmwsss cannot start:\n  - {listing}')


def allow_safe_resume() -> None:
    """Let ``torch.load(weights_only=True)`` read the checkpoints that MMEngine writes.

    A training checkpoint holds the message hub's ``HistoryBuffer`` objects: NumPy arrays and
    references to the class's own statistics methods, which the original mmengine does not allow-list.
    Listed are data containers and, in place of ``getattr``, a look-up of exactly those methods; loading
    stays in weights-only mode.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    rebuild: list[Any] = [np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]]
    # Checkpoints from the other NumPy generation name the module differently.
    modules = ('numpy.core.multiarray', 'numpy._core.multiarray')
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_history_method, 'builtins.getattr'),
            np.ndarray,
            np.dtype,
            *((each, f'{module}.{each.__name__}') for module in modules for each in rebuild),
            *(
                type(np.dtype(kind))
                for kind in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', '?')
            ),
        ]
    )


def _history_method(owner: Any, name: str) -> Any:
    """What ``getattr`` may do in a checkpoint: name a statistics method of ``HistoryBuffer``."""
    import pickle

    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'a checkpoint may not look up {name!r} of {owner!r}')
    return getattr(owner, name)

"""Packages that find their modules by themselves."""

from __future__ import annotations

import importlib
import pkgutil
import sys

__all__ = ['export_modules']


def export_modules(package: str) -> list[str]:
    """Import the modules of a package and make the names of their ``__all__`` its own.

    A class in a new file is registered, and importable from the package, without being listed anywhere.
    Modules of the package import from each other by module, since the package has no names yet.

    Args:
        package: ``__name__``, in the package's ``__init__.py``.

    Returns:
        The names in order, to be the package's ``__all__``.
    """
    parent = sys.modules[package]
    names: dict[str, object] = {}
    for info in pkgutil.iter_modules(parent.__path__, f'{package}.'):
        module = importlib.import_module(info.name)
        names.update((name, getattr(module, name)) for name in getattr(module, '__all__', ()))
    vars(parent).update(names)
    return sorted(names)

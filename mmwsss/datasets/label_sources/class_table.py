"""Class names to class ids, with messages that help to find the typing error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmwsss.io.mask_io import IGNORE_INDEX
from mmwsss.utils.names import check_known, name_some

__all__ = ['ClassTable']


class ClassTable:
    """The foreground classes of a dataset.

    Args:
        classes: Class names, ``'background'`` first, so that a name's position is its class id.

    Raises:
        ValueError: The first name is not ``'background'``, no other name follows, or a name repeats.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        if len(self.classes) < 2 or self.classes[0] != 'background':
            names = name_some(self.classes)
            raise ValueError(
                f"classes must hold 'background' first and another name, not {names!r}"
            )
        self._ids = {name: i for i, name in enumerate(self.classes) if i > 0}
        if len(self._ids) != len(self.classes) - 1:
            repeated = sorted({name for name in self.classes if self.classes.count(name) > 1})
            raise ValueError(f'classes must differ, but these repeat: {name_some(repeated)}')

    @property
    def names(self) -> tuple[str, ...]:
        """The foreground classes that images can have: without the entry at 255 of a long list."""
        return (*self.classes[1:IGNORE_INDEX], *self.classes[IGNORE_INDEX + 1 :])

    def id_of(self, name: str, where: str) -> int:
        """Return the class id (1..K) of a foreground class; an unknown one is an error at ``where``."""
        if name not in self._ids:
            check_known(f'{where}: foreground class', name, self.classes[1:])
        return self._ids[name]

    def ids_of(self, names: Iterable[str], where: str) -> list[int]:
        """Return the sorted class ids of ``names``, each once; see :meth:`id_of`."""
        return sorted({self.id_of(name, where) for name in names})

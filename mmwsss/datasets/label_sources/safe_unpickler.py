"""Read a pickled dictionary of plain numeric arrays without executing anything in it.

The file is run through a ``pickle.Unpickler`` whose only importable names are stand-ins defined
here: they note what an array is made of and build it with ``np.frombuffer``. No function that the
file names is ever called, and no NumPy object is built from its bytes by NumPy's own unpickling.
Torch tensors in it become arrays; their numbers are read by torch's weights-only loading.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from numpy.lib import format as npy_format

__all__ = ['UnsafePickleError', 'load_npy', 'loads_plain']

_PLAIN_CODE = re.compile(r'[biuf]\d{1,2}|\?')
_MAX_ELEMENTS = 1 << 31


class UnsafePickleError(ValueError):
    """A pickle asks for something else than plain numbers, strings, dictionaries and arrays."""


def load_npy(content: bytes) -> np.ndarray | dict[Any, np.ndarray]:
    """Read the content of an ``.npy`` file: a plain array, or a pickled dictionary of arrays.

    Raises:
        UnsafePickleError: See :func:`loads_plain`.
        ValueError: The file is damaged or holds something else.
    """
    stream = io.BytesIO(content)
    old = npy_format.read_magic(stream) == (1, 0)
    read = npy_format.read_array_header_1_0 if old else npy_format.read_array_header_2_0
    if not read(stream)[2].hasobject:
        return np.load(io.BytesIO(content), allow_pickle=False)
    value = loads_plain(stream.read())
    if not isinstance(value, dict):
        raise ValueError(f'expected an array or a dictionary, but got a {type(value).__name__}')
    return {
        key.decode('utf-8') if isinstance(key, bytes) else key: np.asarray(item)
        for key, item in value.items()
    }


def loads_plain(content: bytes) -> Any:
    """Unpickle plain Python values, NumPy arrays and torch tensors of bool, integer and float.

    Files written by Python 2 are understood; their byte strings stay ``bytes``.

    Args:
        content: The pickle.

    Returns:
        The value. A 0-dimensional object array, as ``np.save`` makes of a dictionary, is
        replaced by what it holds, a tensor by an array.

    Raises:
        UnsafePickleError: The pickle names any other class or function; the message says which.
        ValueError: The pickle is damaged.
    """
    try:
        return _resolved(_PlainUnpickler(io.BytesIO(content), encoding='bytes').load())
    except (UnsafePickleError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ValueError(f'damaged pickle: {type(error).__name__}: {error}') from error


class _Dtype:
    """Stands in for ``numpy.dtype`` of one plain number type."""

    __slots__ = ('_order', 'code')

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = _text(code)
        self._order: Any = '='

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
            raise UnsafePickleError('refused: an array of a compound type')
        self._order = _text(state[1])

    def resolve(self) -> np.dtype:
        if not _PLAIN_CODE.fullmatch(self.code) or self._order not in ('<', '>', '=', '|'):
            raise UnsafePickleError(f'refused: an array of type {self.code!r}')
        return np.dtype(self.code).newbyteorder(self._order)


class _Array:
    """Stands in for ``numpy.ndarray``."""

    __slots__ = ('value',)

    def __init__(self) -> None:
        self.value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype) or dtype.code not in ('O', 'O8', 'O4'):
            self.value = _build(data, dtype, shape, 'F' if fortran else 'C')
        elif shape == () and isinstance(data, list) and len(data) == 1:
            self.value = data[0]
        else:
            raise UnsafePickleError(f'refused: an array of objects of shape {shape}')


class _Callable:
    """A stand-in function that a pickle can call and not change."""

    __slots__ = ('_function',)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise UnsafePickleError('refused: a pickle that changes a function')


def _build(data: Any, dtype: Any, shape: Any, order: Literal['C', 'F'] = 'C') -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise UnsafePickleError('refused: an array whose type is not a dtype')
    if isinstance(data, str):  # bytes that Python 2 or protocol 2 wrote as text
        data = data.encode('latin1')
    shape = tuple(int(n) for n in shape)
    if any(not 0 <= n <= _MAX_ELEMENTS for n in shape):
        raise ValueError(f'array shape {shape}')
    return np.frombuffer(data, dtype=dtype.resolve()).reshape(shape, order=order).copy()


def _scalar(dtype: Any, data: Any) -> Any:
    return _build(data, dtype, (1,))[0].item()


class _Storage:
    """Stands in for the memory of a torch tensor."""

    __slots__ = ('content',)

    def __init__(self, content: Any) -> None:
        self.content = content


def _tensor(storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> np.ndarray:
    if not isinstance(storage, _Storage) or not isinstance(storage.content, bytes):
        raise UnsafePickleError('refused: a tensor without plain memory')
    memory = torch.load(io.BytesIO(storage.content), map_location='cpu', weights_only=True)
    if not isinstance(memory, torch.storage.TypedStorage):
        raise UnsafePickleError(f'refused: a {type(memory).__name__} as memory of a tensor')
    flat = torch.empty(0, dtype=memory.dtype).set_(memory._untyped_storage)
    # as_strided refuses to look beyond the memory
    return flat.as_strided(tuple(shape), tuple(stride), int(offset)).numpy().copy()


def _encode(text: str, encoding: str = 'latin1') -> bytes:
    if _text(encoding) not in ('latin1', 'latin-1', 'iso-8859-1'):
        raise UnsafePickleError(f'refused: text encoded as {encoding!r}')
    return text.encode('latin1')


def _text(value: Any) -> str:
    return value.decode('ascii') if isinstance(value, bytes) else str(value)


def _resolved(value: Any) -> Any:
    """Replace array stand-ins by arrays; refuse any other leftover object."""
    if isinstance(value, _Array):
        return _resolved(value.value)
    if isinstance(value, dict):
        return {_resolved(key): _resolved(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolved(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str, bytes, np.ndarray)):
        return value
    raise UnsafePickleError(f'refused: an object of type {type(value).__name__.strip("_")}')


# The stand-in of each name that NumPy's and torch's own pickles use.
_ALLOWED: dict[tuple[str, str], _Callable] = {
    ('numpy', 'ndarray'): _Callable(lambda *args: _Array()),
    ('numpy', 'dtype'): _Callable(_Dtype),
    ('_codecs', 'encode'): _Callable(_encode),
    ('torch._utils', '_rebuild_tensor_v2'): _Callable(_tensor),
    ('torch.storage', '_load_from_bytes'): _Callable(_Storage),
    ('collections', 'OrderedDict'): _Callable(lambda: None),  # a tensor's hooks: none
}
for _core in ('numpy.core', 'numpy._core'):
    _ALLOWED[f'{_core}.multiarray', '_reconstruct'] = _Callable(lambda *args: _Array())
    _ALLOWED[f'{_core}.multiarray', 'scalar'] = _Callable(_scalar)
    _ALLOWED[f'{_core}.numeric', '_frombuffer'] = _Callable(_build)


class _PlainUnpickler(pickle.Unpickler):
    """An unpickler that imports nothing."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise UnsafePickleError(
                f'refused: the file asks for {module}.{name}; only dictionaries, strings, numbers '
                'and plain numeric arrays are read'
            )
        return _ALLOWED[module, name]

import io
import os
import pickle
import subprocess
from collections import OrderedDict

import numpy as np
import pytest
import torch

from mmwsss.datasets.label_sources.safe_unpickler import UnsafePickleError, loads_plain


class Attack:
    """Unpickling this runs a command."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_values_come_back_equal(protocol):
    value = {
        'a': np.arange(6, dtype=np.float32).reshape(2, 3),
        'fortran': np.asfortranarray(np.arange(6).reshape(2, 3)),
        3: np.int64(5),
        'list': [1, 2.5, None, True, 'x', b'y'],
    }
    got = loads_plain(pickle.dumps(value, protocol=protocol))
    np.testing.assert_array_equal(got['a'], value['a'])
    assert got['a'].dtype == np.float32
    np.testing.assert_array_equal(got['fortran'], value['fortran'])
    assert got[3] == 5
    assert got['list'] == value['list']


@pytest.mark.parametrize('protocol', range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_tensors_become_arrays(protocol):
    base = torch.arange(24.0).view(2, 3, 4)
    value = {'cam': base[:, 1:, ::2], 'keys': torch.tensor([3, 7]), 'half': base.half()[0]}
    got = loads_plain(pickle.dumps(np.array(value, dtype=object), protocol=protocol))
    for key, tensor in value.items():
        assert isinstance(got[key], np.ndarray)
        assert got[key].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(got[key], tensor.numpy())


def test_memory_of_a_tensor_is_not_unpickled(tmp_path):
    marker = tmp_path / 'marker'
    memory = io.BytesIO()
    torch.save(Attack(os.system, f'touch {marker}'), memory, _use_new_zipfile_serialization=False)
    attack = Attack(
        torch._utils._rebuild_tensor_v2,
        Attack(torch.storage._load_from_bytes, memory.getvalue()),
        *(0, (2,), (1,), False, OrderedDict()),
    )
    with pytest.raises(ValueError, match='Weights only load failed'):
        loads_plain(pickle.dumps({'cam': attack}))
    assert not marker.exists()


def test_tensor_beyond_its_memory_is_refused():
    storage = torch.arange(4)
    attack = Attack(
        torch._utils._rebuild_tensor_v2,
        Attack(*storage.__reduce_ex__(2)[1][0].__reduce__()[:1],
               storage.__reduce_ex__(2)[1][0].__reduce__()[1][0]),
        *(2, (9,), (1,), False, OrderedDict()),
    )  # fmt: skip
    with pytest.raises(ValueError, match='damaged pickle'):
        loads_plain(pickle.dumps(attack))


@pytest.mark.parametrize('name', ['os.system', 'subprocess.call', 'eval', 'numpy.load', 'getattr'])
def test_nothing_is_executed(tmp_path, name):
    marker = tmp_path / 'marker'
    attack = {
        'os.system': Attack(os.system, f'touch {marker}'),
        'subprocess.call': Attack(subprocess.call, ['touch', str(marker)]),
        'eval': Attack(eval, f"open('{marker}', 'w')"),
        'numpy.load': Attack(np.load, str(marker)),
        'getattr': Attack(getattr, marker, 'touch'),
    }[name]
    with pytest.raises(UnsafePickleError, match='refused: the file asks for'):
        loads_plain(pickle.dumps({'a': attack}))
    assert not marker.exists()


def test_object_inside_an_array_is_refused():
    inner = np.empty((), dtype=object)
    inner[()] = Attack(os.getcwd)
    with pytest.raises(UnsafePickleError, match=r'refused: the file asks for \w+\.getcwd'):
        loads_plain(pickle.dumps(inner))


def test_compound_types_are_refused():
    array = np.zeros(2, dtype=[('x', 'i4'), ('y', 'O')])
    with pytest.raises(UnsafePickleError, match='compound type'):
        loads_plain(pickle.dumps(array))


@pytest.mark.parametrize(
    'array', [np.array(['a']), np.array(['2020-01-01'], 'datetime64[D]'), 1j * np.ones(2)]
)
def test_types_that_are_not_plain_numbers_are_refused(array):
    with pytest.raises(UnsafePickleError, match='refused: an array of'):
        loads_plain(pickle.dumps(array))


@pytest.mark.parametrize(
    'content',
    [
        # BUILD on numpy's functions: sets attributes of whatever find_class gave
        b'\x80\x04\x8c\x05numpy\x8c\x05dtype\x93}b.',
        b'\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93N}\x8c\x01xK\x01s\x86b.',
    ],
)
def test_stand_ins_cannot_be_changed(content):
    with pytest.raises(UnsafePickleError, match='changes a function'):
        loads_plain(content)


@pytest.mark.parametrize('content', [b'', b'garbage', b'\x80\x04N', b'\x80\x04\x8c\x05numpy\x93.'])
def test_damaged_pickles(content):
    with pytest.raises(ValueError, match='damaged pickle'):
        loads_plain(content)


def test_array_data_must_fill_the_shape():
    good = pickle.dumps(np.arange(4, dtype=np.uint8), protocol=2)
    assert b'K\x04\x85' in good  # the shape (4,)
    with pytest.raises(ValueError, match='damaged pickle: ValueError: cannot reshape'):
        loads_plain(good.replace(b'K\x04\x85', b'K\x09\x85'))


def test_sets_are_refused():
    with pytest.raises(UnsafePickleError, match='an object of type set'):
        loads_plain(pickle.dumps({'a': {1, 2}}, protocol=4))


def test_python_2_files_are_read():
    # {'a': numpy.array([1, 0], 'u1')} as Python 2 wrote it: byte strings in place of text
    content = (
        b'\x80\x02}q\x00U\x01aq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03'
        b'K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07(K\x01K\x02\x85q\x08cnumpy\ndtype\nq\tU\x02u1q\n'
        b'K\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01|q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb'
        b'\x89U\x02\x01\x00q\x0ftq\x10bs.'
    )
    got = loads_plain(content)
    assert list(got) == [b'a']
    np.testing.assert_array_equal(got[b'a'], [1, 0])

from fractions import Fraction

import numpy as np
import pytest

from mmwsss.datasets.classes import without_255
from mmwsss.datasets.label_sources import ClassTable, read_npy

TABLE = ClassTable(['background', 'cat', 'dog', 'cow'])


def save(tmp_path, value, name='cls_labels.npy'):
    path = tmp_path / name
    np.save(path, value, allow_pickle=True)
    return str(path)


@pytest.mark.parametrize('dtype', [np.float32, np.uint8, np.int64, bool, '>f8'])
def test_dictionary_of_vectors(tmp_path, dtype):
    vectors = {'a': np.array([1, 0, 1], dtype), 'b': np.zeros(3, dtype)}
    assert read_npy(['b', 'a'], TABLE, path=save(tmp_path, vectors)) == {'a': [1, 3], 'b': []}


def test_vectors_of_many_classes_leave_out_255(tmp_path):
    table = ClassTable(without_255(('background', *(f'class {i}' for i in range(300)))))
    vector = np.zeros(300, np.uint8)
    vector[[0, 253, 254, 299]] = 1
    path = save(tmp_path, {'a': vector})
    (label,) = read_npy(['a'], table, path=path).values()
    assert label == [1, 254, 256, 301]
    assert [table.classes[i] for i in label] == ['class 0', 'class 253', 'class 254', 'class 299']
    path = save(tmp_path, {'a': np.zeros(301)})
    with pytest.raises(ValueError, match='expected 300 entries'):
        read_npy(['a'], table, path=path)


def test_integer_ids_of_voc_and_coco(tmp_path):
    vectors = {2007000032: np.array([0, 1, 0]), 9: np.array([0, 0, 1])}
    ids = ['2007_000032', 'COCO_train2014_000000000009']
    got = read_npy(ids, TABLE, path=save(tmp_path, vectors))
    assert got == {ids[0]: [2], ids[1]: [3]}
    with pytest.raises(ValueError, match="id 9 may be that of 'cat_9' or of 'dog_9'"):
        read_npy(['cat_9', 'dog_9'], TABLE, path=save(tmp_path, vectors))


def test_npz_of_plain_arrays(tmp_path):
    path = tmp_path / 'labels.npz'
    np.savez(path, ids=np.array(['a', 'b']), labels=np.array([[1, 1, 0], [0, 0, 1]]))
    assert read_npy(['a', 'b'], TABLE, path=str(path)) == {'a': [1, 2], 'b': [3]}


def test_npz_with_pickled_ids_is_refused(tmp_path):
    path = tmp_path / 'labels.npz'
    np.savez(path, ids=np.array(['a', None], dtype=object), labels=np.zeros((2, 3)))
    with pytest.raises(ValueError, match='Object arrays cannot be loaded'):
        read_npy(['a'], TABLE, path=str(path))


def test_other_objects_are_refused_by_name(tmp_path):
    path = save(tmp_path, {'a': Fraction(1, 2)})
    with pytest.raises(ValueError, match=r'cls_labels\.npy: refused: .*fractions\.Fraction'):
        read_npy(['a'], TABLE, path=path)


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (np.zeros((2, 3)), r'got an array \(2, 3\) without ids'),
        ([1, 'a', None], 'array of objects of shape'),
        ({'a': np.zeros(2)}, r"id 'a': expected 3 entries 0 or 1, .* but got \(2,\)"),
        ({'a': np.array([0, 2, 0])}, r"id 'a': expected 3 entries .* but got \(3,\) \[0, 2, 0\]"),
        ({'b': np.zeros(3)}, 'lacks 1 of 1 images: a'),
    ],
)
def test_other_contents_are_explained(tmp_path, value, message):
    value = np.array(value, dtype=object) if isinstance(value, list) else value
    with pytest.raises(ValueError, match=message):
        read_npy(['a'], TABLE, path=save(tmp_path, value))


def test_truncated_file(tmp_path):
    path = tmp_path / 'cls_labels.npy'
    save(tmp_path, {'a': np.ones(3)})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r'cls_labels\.npy: damaged pickle'):
        read_npy(['a'], TABLE, path=str(path))

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from mmwsss.io import ClassMaps, is_class_map_file, load_class_maps, save_class_maps


def some_maps(keys=(0, 3), height=4, width=5) -> ClassMaps:
    rng = np.random.default_rng(0)
    scores = rng.random((len(keys), height, width), dtype=np.float32)
    return ClassMaps(np.array(keys, dtype=int), scores, (8, 10))


def test_round_trip_is_float16_exact(tmp_path):
    maps = some_maps()
    path = tmp_path / 'sub' / 'a.npz'
    save_class_maps(path, maps)
    found = load_class_maps(path, num_classes=4)
    assert found.keys.tolist() == [0, 3]
    assert (found.keys.dtype, found.scores.dtype) == (np.int64, np.float32)
    assert found.image_size == (8, 10)
    np.testing.assert_array_equal(found.scores, maps.scores.astype(np.float16).astype(np.float32))
    with np.load(path, allow_pickle=False) as archive:
        assert sorted(archive.files) == ['image_size', 'keys', 'scores']
        assert archive['scores'].dtype == np.float16
    assert is_class_map_file(path)


def test_same_maps_give_the_same_bytes(tmp_path):
    for name in 'ab':
        save_class_maps(tmp_path / f'{name}.npz', some_maps())
    assert (tmp_path / 'a.npz').read_bytes() == (tmp_path / 'b.npz').read_bytes()


@pytest.mark.parametrize(('keys', 'expected'), [((0, 3), True), ((1,), False), ((), False)])
def test_has_background(tmp_path, keys, expected):
    save_class_maps(tmp_path / 'a.npz', some_maps(keys))
    assert load_class_maps(tmp_path / 'a.npz').has_background is expected


def test_full_size_scores_interpolates_bilinearly():
    maps = ClassMaps(np.array([1]), np.array([[[0.0, 1.0]]], np.float32), (2, 4))
    expected = [[[0, 0.25, 0.75, 1], [0, 0.25, 0.75, 1]]]
    np.testing.assert_allclose(maps.full_size_scores(), expected, atol=1e-7)
    assert some_maps(()).full_size_scores().shape == (0, 8, 10)
    same = ClassMaps(np.array([1]), np.ones((1, 2, 4), np.float32), (2, 4))
    np.testing.assert_array_equal(same.full_size_scores(), same.scores)


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'keys': [3, 0]}, 'strictly increasing'),
        ({'keys': [3, 3]}, 'strictly increasing'),
        ({'keys': [-1, 3]}, '>= 0'),
        ({'keys': [0.0, 3.0]}, 'integer keys'),
        ({'keys': [0, 1, 2]}, r'int64 \(3,\), float64 \(2, 4, 5\)'),
        ({'scores': np.zeros((2, 0, 5))}, 'h, w >= 1'),
        ({'scores': np.zeros((2, 4))}, r'float64 \(2, 4\)'),
        ({'scores': np.full((2, 4, 5), np.nan)}, 'scores must be finite'),
        ({'scores': np.zeros((2, 4, 5), int)}, 'floating-point scores'),
        ({'image_size': (8,)}, r'two integers >= 1'),
        ({'image_size': (8, 0)}, '>= 1'),
        ({'image_size': (8.5, 2.0)}, 'two integers'),
    ],
)
def test_malformed_fields(tmp_path, fields, message):
    good = {'keys': np.array([0, 3]), 'scores': np.zeros((2, 4, 5)), 'image_size': (8, 10)}
    bad = {key: np.asarray(value) for key, value in {**good, **fields}.items()}
    with pytest.raises(ValueError, match=message):
        ClassMaps(**bad)
    path = tmp_path / 'bad.npz'
    np.savez(path, **bad)
    with pytest.raises(ValueError, match=message) as error:
        load_class_maps(path)
    assert str(path) in str(error.value)


def test_save_refuses_what_float16_cannot_hold(tmp_path):
    maps = ClassMaps(np.array([1]), np.full((1, 2, 2), 70000.0), (2, 2))
    with pytest.raises(ValueError, match=r'a\.npz: scores must fit float16, but reach 70000'):
        save_class_maps(tmp_path / 'a.npz', maps)
    assert list(tmp_path.iterdir()) == []


def test_key_outside_the_class_list(tmp_path):
    save_class_maps(tmp_path / 'a.npz', some_maps())
    with pytest.raises(ValueError, match=r'a\.npz holds class ids \[0, 3\], expected ids 0 \.\. 2'):
        load_class_maps(tmp_path / 'a.npz', num_classes=3)


def damaged(kind: str, good: bytes) -> bytes:
    corrupt = bytearray(good)
    corrupt[len(good) // 3] ^= 0xFF
    return {
        'empty': b'',
        'text': b'hello',
        'truncated': good[: len(good) // 2],
        'one byte short': good[:-1],
        'flipped bits': bytes(corrupt),
    }[kind]


@pytest.mark.parametrize('kind', ['empty', 'text', 'truncated', 'one byte short', 'flipped bits'])
def test_damaged_files_are_named(tmp_path, kind):
    path = tmp_path / 'a.npz'
    save_class_maps(path, some_maps(height=40, width=50))
    path.write_bytes(damaged(kind, path.read_bytes()))
    with pytest.raises(ValueError, match='not a readable class map') as error:
        load_class_maps(path)
    assert str(path) in str(error.value)
    if kind != 'flipped bits':  # the cheap check does not read the scores
        assert not is_class_map_file(path)


def test_missing_field_and_pickled_object(tmp_path):
    np.savez(tmp_path / 'a.npz', keys=np.array([1]))
    assert not is_class_map_file(tmp_path / 'a.npz')
    with pytest.raises(ValueError, match=r'readable class map .*scores is not a file'):
        load_class_maps(tmp_path / 'a.npz')
    objects = np.array([{'a': 1}], dtype=object)
    np.savez(tmp_path / 'b.npz', keys=objects, scores=np.zeros((1, 1, 1)), image_size=[1, 1])
    with pytest.raises(ValueError, match=r'b\.npz is not a readable.*allow_pickle=False'):
        load_class_maps(tmp_path / 'b.npz')


def test_array_and_foreign_archive_are_not_class_maps(tmp_path):
    with (tmp_path / 'a.npz').open('wb') as file:
        np.save(file, np.zeros(3))
    with zipfile.ZipFile(tmp_path / 'b.npz', 'w') as archive:
        archive.writestr('readme.txt', 'hello')
    for name in ('a.npz', 'b.npz'):
        with pytest.raises(ValueError, match=name):
            load_class_maps(tmp_path / name)
        assert not is_class_map_file(tmp_path / name)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'class map not found: .*nothing\.npz'):
        load_class_maps(tmp_path / 'nothing.npz')
    assert not is_class_map_file(tmp_path / 'nothing.npz')

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image

from mmwsss.io import ClassMaps, save_class_maps, save_mask
from mmwsss.stages.imported import ForeignFolder, read_foreign

SIZE = (6, 8)
LABELS = np.array([[0, 3], [255, 5]], np.uint8).repeat(3, axis=0).repeat(4, axis=1)
MAPS = np.random.default_rng(0).random((2, *SIZE), dtype=np.float32)


def write_labels(path, kind: str) -> str:
    if kind == 'palette':
        save_mask(path / 'a.png', LABELS)
    elif kind == 'grey':
        Image.fromarray(LABELS).save(path / 'a.png')
    elif kind == 'npy':
        np.save(path / 'a.npy', LABELS.astype(np.int64))
    elif kind == 'npz':
        np.savez(path / 'a.npz', labels=LABELS)
    elif kind == 'named':
        np.savez(path / 'a.npz', mask=LABELS, other=np.zeros(3))
    else:
        np.save(path / 'a.npy', {'keys': np.array([0, 3, 5]), 'rw_pred': LABELS})
    return next(path.iterdir())


@pytest.mark.parametrize('kind', ['palette', 'grey', 'npy', 'npz', 'named', 'rw_pred'])
def test_labels_of_all_formats(tmp_path, kind):
    path = write_labels(tmp_path, kind)
    field = 'mask' if kind == 'named' else None
    got = read_foreign(path, 6, SIZE, field=field)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, LABELS)
    with pytest.raises(ValueError, match=r'a\.np|a\.png') as error:
        read_foreign(path, 5, SIZE, field=field)
    assert 'holds class ids outside the list: 5; expected 0 .. 4 and 255' in str(error.value)
    with pytest.raises(ValueError, match='the mask is 6 x 8'):
        read_foreign(path, 6, (6, 9), field=field)


@pytest.mark.parametrize('tensors', [False, True])
def test_irn_dictionaries(tmp_path, tensors):
    content = {'keys': np.array([4, 1]), 'cam': MAPS[:, ::2, ::2], 'high_res': MAPS}
    if tensors:
        content = {name: torch.from_numpy(array.copy()) for name, array in content.items()}
    np.save(tmp_path / 'a.npy', content)
    maps = read_foreign(tmp_path / 'a.npy', 6, SIZE)
    assert (maps.keys.tolist(), maps.image_size) == ([2, 5], SIZE)
    np.testing.assert_array_equal(maps.scores, MAPS[::-1])
    coarse = read_foreign(tmp_path / 'a.npy', 6, SIZE, keys='ids', field='cam')
    assert coarse.keys.tolist() == [1, 4]
    np.testing.assert_array_equal(coarse.scores, MAPS[::-1, ::2, ::2])


def test_foreground_keys_leave_out_255(tmp_path):
    maps = np.random.default_rng(0).random((4, *SIZE), dtype=np.float32)
    np.savez(tmp_path / 'a.npz', keys=np.array([299, 0, 254, 253]), cam=maps)
    found = read_foreign(tmp_path / 'a.npz', 302, SIZE)  # 300 classes and an unused entry
    assert found.keys.tolist() == [1, 254, 256, 301]
    np.testing.assert_array_equal(found.scores, maps[[1, 3, 2, 0]])
    with pytest.raises(ValueError, match=r'stand for class ids \[301, 1, 256, 254\], expected'):
        read_foreign(tmp_path / 'a.npz', 301, SIZE)
    np.savez(tmp_path / 'b.npz', keys=np.array([254, 255]), cam=maps[:2])
    with pytest.raises(ValueError, match=r'different integers in 0 \.\. 301 without 255'):
        read_foreign(tmp_path / 'b.npz', 302, SIZE, keys='ids')
    np.save(tmp_path / 'mask.npy', LABELS.astype(np.int64) + 250)
    with pytest.raises(ValueError, match='505'):
        read_foreign(tmp_path / 'mask.npy', 302, SIZE)
    np.save(tmp_path / 'mask.npy', np.where(LABELS == 3, 301, LABELS.astype(np.int64)))
    mask = read_foreign(tmp_path / 'mask.npy', 302, SIZE)
    assert (mask.dtype, int(mask.max())) == (np.uint16, 301)


def test_first_of_one_map_more_than_keys_is_the_background(tmp_path):
    np.savez(tmp_path / 'a.npz', keys=np.array([2]), cam=MAPS)
    maps = read_foreign(tmp_path / 'a.npz', 6, SIZE)
    assert maps.keys.tolist() == [0, 3]
    np.testing.assert_array_equal(maps.scores, MAPS)


def test_own_class_maps(tmp_path):
    save_class_maps(tmp_path / 'a.npz', ClassMaps(np.array([2, 3]), MAPS, (12, 16)))
    maps = read_foreign(tmp_path / 'a.npz', 6, (12, 16))
    assert maps.keys.tolist() == [2, 3]
    with pytest.raises(ValueError, match=r'for a \(12, 16\) image do not have the size'):
        read_foreign(tmp_path / 'a.npz', 6, (12, 17))


class Attack:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'keys': [0, 9], 'cam': MAPS}, r'stand for class ids \[1, 10\], expected .* 0 \.\. 5'),
        ({'keys': [1, 1], 'cam': MAPS}, 'expected different integers'),
        ({'keys': [1], 'cam': MAPS[[0, 1, 1]]}, 'one more for the background'),
        ({'keys': [1, 2], 'cam': MAPS[:, :3]}, 'or the proportions of the image'),
        ({'keys': [0.5, 2], 'cam': MAPS}, 'expected different integers'),
        ({'cam': MAPS}, 'labels must be integers'),
        ({'keys': [1, 2], 'a': MAPS, 'b': MAPS}, 'several arrays.*--field'),
        ({'keys': [1, 2], 'cam': MAPS * np.nan}, 'scores must be finite'),
        ([1, 2], 'must be integers|expected an array or a dictionary'),
        (MAPS[0], 'labels must be integers'),
        (np.full(SIZE, -1), r'labels must be integers .* in 0\.\.255'),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, content, message):
    path = tmp_path / 'a.npy'
    np.save(path, np.array(content, dtype=object) if isinstance(content, dict) else content)
    with pytest.raises(ValueError, match=message) as error:
        read_foreign(path, 6, SIZE)
    assert str(path) in str(error.value)


def test_nothing_is_executed(tmp_path):
    np.save(tmp_path / 'a.npy', {'keys': Attack(tmp_path / 'made')})
    with pytest.raises(ValueError, match=r'a\.npy: refused: the file asks for \w+\.mkdir'):
        read_foreign(tmp_path / 'a.npy', 6)
    assert not (tmp_path / 'made').exists()


@pytest.mark.parametrize('suffix', ['.png', '.npy', '.npz'])
def test_damaged_files_are_named(tmp_path, suffix):
    path = write_labels(tmp_path, {'.png': 'palette', '.npy': 'npy', '.npz': 'npz'}[suffix])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=rf'a\{suffix}'):
        read_foreign(path, 6)
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=rf'a\{suffix}'):
        read_foreign(path, 6)


def test_a_file_damaged_in_the_middle_stops_no_other(tmp_path):
    """What zlib and zipfile raise then is neither an OSError nor a ValueError."""
    np.savez_compressed(tmp_path / 'a.npz', LABELS)
    whole = (tmp_path / 'a.npz').read_bytes()
    method = whole.index(b'PK\x01\x02') + 10
    data = whole.index(b'arr_0.npy') + len('arr_0.npy') + 20  # behind the name and the sizes
    save_mask(tmp_path / 'b.png', LABELS)
    for place, value in ((method, b'\x63'), (data, b'\xff' * 8)):
        damaged = whole[:place] + value + whole[place + len(value) :]
        (tmp_path / 'a.npz').write_bytes(damaged)
        with pytest.raises(ValueError, match=r'a\.npz: '):
            read_foreign(tmp_path / 'a.npz', 6)
        assert ForeignFolder(tmp_path, 6).kind(['a', 'b']) == 'masks'
    (tmp_path / 'a.npz').write_bytes(b'')
    with (tmp_path / 'a.npz').open('wb') as file:
        np.save(file, LABELS)  # .npy under the name of .npz
    assert ForeignFolder(tmp_path, 6).kind(['a', 'b']) == 'masks'


def test_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='imported masks must be a folder'):
        ForeignFolder(tmp_path / 'none', 6)
    with pytest.raises(
        ValueError, match=r'has no file \.png, .* of the 1 images, but others: none'
    ):
        ForeignFolder(tmp_path, 6).kind(['a'])
    save_mask(tmp_path / 'sub' / 'a.png', LABELS)
    (tmp_path / 'sub' / 'b.png').write_bytes(b'no mask')
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'c.png').symlink_to(tmp_path / 'nowhere.png')
    save_mask(tmp_path / 'd.png', LABELS)
    (tmp_path / 'd.png').rename(tmp_path / 'd.PNG')
    folder = ForeignFolder(tmp_path, 6)
    np.testing.assert_array_equal(folder.read('d'), LABELS)
    (tmp_path / 'd.PNG').unlink()
    folder = ForeignFolder(tmp_path, 6)
    assert sorted(folder.files) == ['sub/a', 'sub/b']
    assert folder.kind(['x', 'sub/b', 'sub/a']) == 'masks'
    with pytest.raises(
        ValueError, match=r'none of 1 files can be read; the first: .*b\.png is not a'
    ):
        folder.kind(['sub/b'])
    with pytest.raises(ValueError, match=r'has no file .* of the 1 images, but others: '):
        folder.kind(['c'])
    before = folder.hashes()
    assert ForeignFolder(tmp_path, 6).hashes() == before
    (tmp_path / 'sub' / 'b.png').write_bytes(b'no mask either')
    after = ForeignFolder(tmp_path, 6).hashes()
    assert [name for name in before if after[name] != before[name]] == ['sub/b']
    np.save(tmp_path / 'sub' / 'a.npy', LABELS)
    with pytest.raises(ValueError, match=r'holds a\.npy and a\.png'):
        ForeignFolder(tmp_path, 6)


@pytest.mark.parametrize(
    ('content', 'keys', 'ids'),
    [
        ({2: MAPS[0], 4: MAPS[1]}, 'foreground', [3, 5]),
        ({0: MAPS[0], 4: MAPS[1]}, 'ids', [0, 4]),
        ({np.int64(1): MAPS[0], np.int64(3): MAPS[1]}, 'ids', [1, 3]),
        ({1: torch.from_numpy(MAPS[0]), 3: torch.from_numpy(MAPS[1])}, 'ids', [1, 3]),
        ({3: MAPS[1], 1: MAPS[0]}, 'ids', [1, 3]),
    ],
)
def test_dictionaries_of_maps(tmp_path, content, keys, ids):
    np.save(tmp_path / 'a.npy', content)
    maps = read_foreign(tmp_path / 'a.npy', 6, SIZE, keys=keys)
    assert maps.keys.tolist() == ids
    np.testing.assert_array_equal(maps.scores, MAPS)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({1: MAPS[0], 9: MAPS[1]}, 'is --keys right'),
        ({-1: MAPS[0]}, 'is --keys right'),
        ({1: MAPS[0], 2: MAPS[1][:3]}, 'same shape'),
        ({1: MAPS}, r'a\.npy'),
    ],
)
def test_wrong_dictionaries_of_maps_are_named(tmp_path, content, message):
    np.save(tmp_path / 'a.npy', content)
    with pytest.raises(ValueError, match=message):
        read_foreign(tmp_path / 'a.npy', 6, SIZE, keys='ids')

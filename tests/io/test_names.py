from __future__ import annotations

from itertools import chain

import pytest

from mmwsss.io import read_id_list, safe_join, shard


def test_safe_join_joins(tmp_path):
    assert safe_join(tmp_path, '2007_000032', '.png') == tmp_path / '2007_000032.png'
    assert safe_join(tmp_path, 'a/b.c', '.npz') == tmp_path / 'a' / 'b.c.npz'


@pytest.mark.parametrize(
    'name',
    [
        '../x',
        'a/../../x',
        'a/..',
        '..',
        '.',
        '/etc/x',
        'a//b',
        'C:\\x',
        '\\x',
        '..\\x',
        'a\\..\\x',
        '',
        '  ',
        'a/',
        'a\0b',
    ],
)
def test_safe_join_refuses_to_leave(tmp_path, name):
    with pytest.raises(ValueError, match='must be a relative path that stays inside'):
        safe_join(tmp_path, name, '.png')


def test_read_id_list(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_bytes('\ufeffa\r\n\r\n b/c \r\nd\r\n'.encode())
    assert read_id_list(path) == ['a', 'b/c', 'd']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'\n  \n', 'names no image'),
        (b'a\nb\na\n', r"1 ids more than once, e.g. \['a'\]"),
        (b'\xff\xfe\x00', 'not a text file'),
    ],
)
def test_read_id_list_errors_name_the_file(tmp_path, content, message):
    path = tmp_path / 'train.txt'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_id_list(path)
    assert str(path) in str(error.value)


def test_read_id_list_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nothing\.txt'):
        read_id_list(tmp_path / 'nothing.txt')


@pytest.mark.parametrize('world_size', [1, 2, 3, 7, 30])
def test_shards_cover_the_list_once(world_size):
    ids = [str(i) for i in range(20)]
    shares = [shard(ids, rank, world_size) for rank in range(world_size)]
    assert sorted(chain(*shares), key=int) == ids
    assert max(map(len, shares)) - min(map(len, shares)) <= 1

from __future__ import annotations

from itertools import chain

import pytest

from mmwsss.io import find_ids, read_lines, safe_join, shard, walk_files


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


def test_read_lines(tmp_path):
    (tmp_path / 'classes.txt').write_bytes('\ufeffpotted plant\r\n\r\n x 1 \r\n'.encode())
    assert read_lines(tmp_path / 'classes.txt') == ['potted plant', 'x 1']
    (tmp_path / 'classes.txt').write_text('\n')
    with pytest.raises(ValueError, match=r'classes\.txt is empty'):
        read_lines(tmp_path / 'classes.txt')


@pytest.mark.parametrize('world_size', [1, 2, 3, 7, 30])
def test_shards_cover_the_list_once(world_size):
    ids = [str(i) for i in range(20)]
    shares = [shard(ids, rank, world_size) for rank in range(world_size)]
    assert sorted(chain(*shares), key=int) == ids
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_files_behind_links_are_found_and_circles_end(tmp_path):
    (tmp_path / 'far' / 'deep').mkdir(parents=True)
    (tmp_path / 'far' / 'deep' / 'b.png').touch()
    root = tmp_path / 'root'
    (root / 'own').mkdir(parents=True)
    (root / 'own' / 'a.png').touch()
    (root / 'one').symlink_to(tmp_path / 'far')
    (root / 'two').symlink_to(tmp_path / 'far')
    (root / 'gone.png').symlink_to(tmp_path / 'nowhere.png')
    (tmp_path / 'far' / 'back').symlink_to(root)
    found = {path.relative_to(root).as_posix() for path in walk_files(root)}
    first = {'own/a.png', 'one/deep/b.png', 'two/deep/b.png', 'gone.png'}
    assert found == first
    assert find_ids(root, ('.png',)) == ['gone', 'one/deep/b', 'own/a', 'two/deep/b']

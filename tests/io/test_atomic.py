from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest
import torch
from mmengine.runner import save_checkpoint

import mmwsss.io
from mmwsss.io import atomic_path, remove_stale_temporaries, write_json


def test_file_appears_with_the_usual_rights_and_nothing_else(tmp_path):
    with atomic_path(tmp_path / 'a' / 'x.txt') as temporary:
        assert temporary.parent == tmp_path / 'a'
        assert temporary.suffix == '.txt'
        temporary.write_text('new')
        assert not (tmp_path / 'a' / 'x.txt').exists()
    assert (tmp_path / 'a' / 'x.txt').read_text() == 'new'
    assert os.listdir(tmp_path / 'a') == ['x.txt']
    plain = tmp_path / 'plain'
    plain.write_text('')
    assert (tmp_path / 'a' / 'x.txt').stat().st_mode == plain.stat().st_mode


def write_and_fail(path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text('half')
        raise RuntimeError('stop')


def test_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / 'x.txt'
    path.write_text('old')
    with pytest.raises(RuntimeError, match='stop'):
        write_and_fail(path)
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['x.txt']


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'No such file.*x'), atomic_path(tmp_path / 'x'):
        pass


def test_two_writers_of_one_file_have_different_temporaries(tmp_path):
    with atomic_path(tmp_path / 'x') as first, atomic_path(tmp_path / 'x') as second:
        assert first != second
        first.write_text('1')
        second.write_text('2')
    assert (tmp_path / 'x').read_text() == '1'  # the outer block ends last


def test_stale_temporaries_of_a_killed_process_are_removed(tmp_path):
    code = (
        'import os, sys; sys.path.insert(0, sys.argv[2]); from atomic import atomic_path\n'
        'with atomic_path(sys.argv[1]) as t:\n    t.write_text("half"); os._exit(9)'
    )
    modules = os.path.dirname(mmwsss.io.__file__)  # the package takes seconds to import
    path = str(tmp_path / 'sub' / 'x.png')
    done = subprocess.run([sys.executable, '-c', code, path, modules])
    assert done.returncode == 9
    assert len(os.listdir(tmp_path / 'sub')) == 1
    with atomic_path(tmp_path / 'mine.png') as mine:
        mine.write_text('x')
        assert remove_stale_temporaries(tmp_path) == 1
        assert mine.exists()
    assert os.listdir(tmp_path / 'sub') == []
    assert remove_stale_temporaries(tmp_path / 'nowhere') == 0


def test_write_json(tmp_path):
    write_json(tmp_path / 'new' / 'x.json', {'a': None})
    assert json.loads((tmp_path / 'new' / 'x.json').read_text()) == {'a': None}
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_json(tmp_path / 'y.json', {'a': float('nan')})
    assert not (tmp_path / 'y.json').exists()


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs a full device')
def test_a_full_disk_leaves_nothing_and_names_the_file(tmp_path):
    def write(path):
        with atomic_path(path) as temporary:
            temporary.symlink_to('/dev/full')
            temporary.write_text('x')

    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"):
        write(tmp_path / 'a.txt')
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_is_whole_or_not_there(tmp_path, monkeypatch):
    place = tmp_path / 'run' / 'a.pth'
    save_checkpoint({'a': 1}, str(place), backend_args=dict(backend='whole'))
    assert torch.load(place, weights_only=True) == {'a': 1}

    def cut(path, content):
        with open(path, 'wb') as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr('pathlib.Path.write_bytes', cut)
    with pytest.raises(OSError, match=r"No space left on device: '.*b\.pth'"):
        save_checkpoint(
            {'a': 1}, str(tmp_path / 'run' / 'b.pth'), backend_args=dict(backend='whole')
        )
    assert os.listdir(tmp_path / 'run') == ['a.pth']

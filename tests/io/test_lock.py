from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from mmwsss.io import (
    BatchReport,
    FolderBusyError,
    FolderLock,
    Recorder,
    RecordError,
    lock_folder,
    make_record,
)
from mmwsss.stages.output import OutputFolder

# A process of its own that locks a folder and waits for a line.
HOLDER = """
import fcntl, sys
file = open(sys.argv[1] + '/.lock', 'w')
fcntl.flock(file, fcntl.LOCK_EX)
print('locked', flush=True)
input()
"""


@pytest.fixture
def other_run(tmp_path):
    """Another process at work in the folder."""
    words = [sys.executable, '-c', HOLDER, str(tmp_path)]
    with subprocess.Popen(words, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == 'locked\n'
        yield process
        process.kill()


def test_a_second_run_is_refused_before_it_touches_anything(other_run, tmp_path, monkeypatch):
    monkeypatch.setattr('mmwsss.io.lock.PATIENCE', 0.2)
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.raises(FolderBusyError, match=r'still at work in .*: wait for it, or choose'):
        Recorder(tmp_path, make_record('train'))
    with pytest.raises(RecordError, match='still at work'):
        OutputFolder(tmp_path, make_record('masks'), {}, overwrite=True)
    assert (tmp_path / 'a.png').exists()
    Recorder(tmp_path / 'score.json', make_record('score')).finish()  # a file, no folder
    other_run.communicate('\n')
    Recorder(tmp_path, make_record('train')).finish()
    assert not (tmp_path / '.lock').exists()


def test_one_process_may_begin_again_and_lets_go_at_the_end(tmp_path):
    cut = Recorder(tmp_path, make_record('masks'))
    again = OutputFolder(tmp_path, make_record('masks', ids=['a']), {'a': ''})
    assert cut.lock is again.recorder.lock is lock_folder(tmp_path)
    with pytest.raises(FolderBusyError):
        FolderLock(tmp_path)
    again.finish(BatchReport(done=['a']), ['a'])
    assert lock_folder(tmp_path).descriptor is not None
    with FolderLock(tmp_path):
        pass


def test_where_there_are_no_locks_runs_go_on(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr('fcntl.flock', no_locks)
    assert FolderLock(tmp_path).descriptor is None


def test_a_file_that_the_run_before_removes_is_no_lock(tmp_path, monkeypatch):
    flock, removed = fcntl.flock, []

    def late(descriptor, operation):
        if not removed:
            removed.append((tmp_path / '.lock').unlink())
        flock(descriptor, operation)

    monkeypatch.setattr('fcntl.flock', late)
    with FolderLock(tmp_path) as lock:
        assert os.path.samestat(os.fstat(lock.descriptor), os.stat(tmp_path / '.lock'))


def test_a_tool_keeps_the_lock_of_who_started_it(tmp_path):
    with FolderLock(tmp_path) as lock:
        words = [sys.executable, '-c', 'input()']
        tool = subprocess.Popen(words, stdin=-1, pass_fds=(lock.descriptor,))
    with pytest.raises(FolderBusyError):
        FolderLock(tmp_path)
    tool.communicate(b'\n')
    FolderLock(tmp_path, patience=10).close()


def test_a_run_that_is_over_waits_for_none_of_its_processes(tmp_path):
    lock = FolderLock(tmp_path)
    words = [sys.executable, '-c', 'input()']
    with subprocess.Popen(words, stdin=-1, pass_fds=(lock.descriptor,)) as tool:
        lock.release()
        FolderLock(tmp_path).release()
        tool.communicate(b'\n')

from __future__ import annotations

from tests.tools.run import run_here


def test_a_folder_of_something_else_is_one_readable_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tmp_path / 'data'
    data.mkdir()
    (data / 'holiday.jpg').write_bytes(b'')
    done = run_here('demo.py', '--data-root', 'data', '--work-dir', 'work')
    assert done.returncode == 2
    assert done.stdout.startswith('[1/13] data: run: not run yet')
    assert 'error: data is not empty' in done.stdout
    assert done.stderr.splitlines()[-1].startswith("error: stage 'data' failed with exit code 2")
    assert 'Traceback' not in done.stderr
    assert (data / 'holiday.jpg').exists()

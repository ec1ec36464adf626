from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_tool(*args: str, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / 'tools' / 'demo.py'), *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_a_folder_of_something_else_is_one_readable_line(tmp_path):
    data = tmp_path / 'data'
    data.mkdir()
    (data / 'holiday.jpg').write_bytes(b'')
    done = run_tool('--data-root', 'data', '--work-dir', 'work', cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.startswith('[1/13] data: run: not run yet')
    assert 'error: data is not empty' in done.stdout
    assert done.stderr.splitlines()[-1].startswith("error: stage 'data' failed with exit code 2")
    assert 'Traceback' not in done.stderr
    assert (data / 'holiday.jpg').exists()

"""Run a tool as its command line does: in this process, or as two ranks."""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

__all__ = ['TOOLS', 'free_port', 'run_here', 'run_ranks']

TOOLS = Path(__file__).parents[2] / 'tools'


def run_here(tool: str | Path, *args: object) -> subprocess.CompletedProcess[str]:
    """Run ``tools/<tool>`` in this process, which saves the seconds of starting another."""
    words = [str(TOOLS / tool), *map(str, args)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, 'argv', words),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_path(words[0], run_name='__main__')
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def run_ranks(tool: str | Path, *args: object, ranks: int = 2) -> None:
    """Run ``tools/<tool>`` in several processes, as a launcher starts them; all must succeed."""
    shared = {
        **os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '', 'WORLD_SIZE': str(ranks),
        'LOCAL_WORLD_SIZE': str(ranks), 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free_port()),
    }  # fmt: skip
    words = [sys.executable, str(TOOLS / tool), *map(str, args), '--launcher', 'pytorch']
    processes = [
        subprocess.Popen(
            words,
            env={**shared, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(ranks)
    ]
    try:
        outputs = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs):
        assert process.returncode == 0, output[-3000:]

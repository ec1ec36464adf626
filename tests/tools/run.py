"""Run a tool as its command line does: in this process, or as two ranks."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
from multiprocessing.connection import wait
from pathlib import Path
from unittest import mock

from mmengine.utils import ManagerMixin

__all__ = ['TOOLS', 'run_here', 'run_ranks']

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


def run_ranks(tool: str | Path, *args: object, ranks: int = 2, **env: str) -> list[int]:
    """Run ``tools/<tool>`` in several processes with the environment that torchrun gives them.

    They are forks of this process, which saves the seconds of importing torch in each. As under torchrun, the
    others are ended when one fails.

    Returns:
        Their exit codes; negative: killed by that signal.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    shared = {
        'CUDA_VISIBLE_DEVICES': '', 'WORLD_SIZE': str(ranks), 'LOCAL_WORLD_SIZE': str(ranks),
        'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port), **env,
    }  # fmt: skip
    words = (tool, *args, '--launcher', 'pytorch')
    context = multiprocessing.get_context('fork')
    processes = [
        context.Process(target=_rank, args=(words, {**shared, 'RANK': rank, 'LOCAL_RANK': rank}))
        for rank in map(str, range(ranks))
    ]
    for process in processes:
        process.start()
    running = {process.sentinel: process for process in processes}
    while running:
        ended = [running.pop(sentinel) for sentinel in wait(list(running), timeout=300)]
        if not ended or any(process.exitcode for process in ended):
            for process in running.values():
                process.terminate()
            break
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def _rank(words: tuple[object, ...], env: dict[str, str]) -> None:
    """What one of the processes does."""
    os.environ.update(env)
    kinds = [ManagerMixin]  # loggers and such: a new process has none
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
        kind._instance_dict.clear()
    done = run_here(*words)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep='\n', file=sys.stderr)
    sys.exit(done.returncode)

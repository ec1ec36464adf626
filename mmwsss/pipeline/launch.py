"""Starting a stage's tool: as one process, under torchrun or slurm, in a log."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmwsss.utils.names import check_known

__all__ = ['Launcher', 'run_command']

LAUNCHERS = ('none', 'pytorch', 'slurm')
SECONDS_BETWEEN_LINES = 20.0
LINES_OF_AN_ERROR = 15
SHOWN_LENGTH = 160
WARNING = 'warning: '  # such lines of tools are shown at once
Say = Callable[[str], None]


@dataclass(frozen=True)
class Launcher:
    """How tools are started.

    Attributes:
        kind: ``'none'``, ``'pytorch'`` (torchrun on this machine) or ``'slurm'`` (``srun``).
        processes: Number of processes, over all machines.
        python: The interpreter.

    Raises:
        ValueError: Unknown kind, or several processes without launcher.
    """

    kind: str = 'none'
    processes: int = 1
    python: str = sys.executable

    def __post_init__(self) -> None:
        check_known('launcher', self.kind, LAUNCHERS)
        if self.processes < 1 or (self.kind == 'none' and self.processes > 1):
            raise ValueError(
                f'processes must be at least 1, and more need a launcher, pytorch or slurm, but got '
                f'{self.processes} with launcher {self.kind!r}'
            )

    def command(self, tool: str, words: list[str], processes: int | None) -> list[str]:
        """The whole command line.

        Args:
            tool: Path of the tool.
            words: Its arguments.
            processes: How many to start; None: one without launcher.
        """
        if processes is None or self.kind == 'none':
            return [self.python, tool, *words]
        if self.kind == 'pytorch':
            start = [self.python, '-m', 'torch.distributed.run', '--standalone']
            start.append(f'--nproc-per-node={processes}')
            return [*start, tool, *words, '--launcher', 'pytorch']
        start = ['srun', f'--ntasks={processes}', '--kill-on-bad-exit=1']
        start += shlex.split(os.environ.get('SRUN_ARGS', ''))
        return [*start, self.python, tool, *words, '--launcher', 'slurm']


def run_command(command: list[str], log: Path, say: Say, keep_open: int | None = None) -> int:
    """Run a command with its output in a log; every now and then its last line is shown.

    Args:
        command: The command line.
        log: Appended to.
        say: Prints a line.
        keep_open: File descriptor that the command inherits.

    Returns:
        The exit code; negative: killed by that signal. On a failure those of the last lines are shown
        that were not shown before.
    """
    last: deque[str] = deque(maxlen=LINES_OF_AN_ERROR)
    shown = time.monotonic()
    kept = () if keep_open is None else (keep_open,)
    with log.open('a', encoding='utf-8') as stream:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding='utf-8',
            errors='replace',
            pass_fds=kept,
        )
        try:
            for line in process.stdout or ():
                stream.write(line)
                stream.flush()
                text = line.strip()
                waited = time.monotonic() - shown > SECONDS_BETWEEN_LINES
                is_due = text and (waited or text.startswith(WARNING))
                if is_due:
                    shown = time.monotonic()
                    say(f'      {text[:SHOWN_LENGTH]}')
                if text and not (is_due and len(text) <= SHOWN_LENGTH):  # not told as a whole yet
                    last.append(line.rstrip())
            code = process.wait()
        except BaseException:
            end_process(process)
            raise
    if code:
        for line in last:
            say(f'      | {line}')
    return code


def end_process(process: subprocess.Popen[str]) -> None:
    """Ask a process to end, and insist after a while."""
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

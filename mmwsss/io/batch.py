"""Work over a list of images: progress, named failures, a bounded pool of processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ['BatchReport', 'make_pool', 'process_items']

logger = logging.getLogger(__name__)

Outcome = tuple[str, Any, 'str | None']  # id, result, error text


@dataclass
class BatchReport:
    """What became of every image.

    Attributes:
        done: Ids that were worked on with success, in order.
        skipped: Ids whose output was there already, in order.
        failed: Error text by id, in order.
        seconds: Wall time.
    """

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0, or 1 when an image failed."""
        return 1 if self.failed else 0

    def summary(self) -> str:
        """Return the counts, followed by one line per failed image with its error."""
        speed = f', {len(self.done) / self.seconds:.2f} images/s' if self.seconds > 0 else ''
        lines = [
            f'{len(self.done)} done, {len(self.skipped)} skipped (finished before), '
            f'{len(self.failed)} failed in {self.seconds:.1f} s{speed}'
        ]
        lines += [f'  failed: {name}: {error}' for name, error in self.failed.items()]
        return '\n'.join(lines)

    @classmethod
    def merge(cls, reports: Iterable[BatchReport], ids: Sequence[str]) -> BatchReport:
        """Join the reports of several ranks, in the order of ``ids``; the time is the longest."""
        reports = list(reports)
        done = {name for report in reports for name in report.done}
        skipped = {name for report in reports for name in report.skipped}
        failed = {name: text for report in reports for name, text in report.failed.items()}
        return cls(
            done=[name for name in ids if name in done],
            skipped=[name for name in ids if name in skipped],
            failed={name: failed[name] for name in ids if name in failed},
            seconds=max((report.seconds for report in reports), default=0.0),
        )


def process_items(
    ids: Sequence[str],
    work: Callable[..., Any],
    is_done: Callable[[str], bool] | None = None,
    description: str = 'images',
    workers: int = 0,
    *,
    first: Callable[[str], Any] | None = None,
    on_result: Callable[[str, Any], None] | None = None,
    progress: bool = True,
    log_interval: float = 10.0,
    start_method: str | None = None,
) -> BatchReport:
    """Call ``work(id)`` for every id that is not done; one image's failure stops no other.

    With ``first``, ``work(id, first(id))``: ``first`` runs in this process, where an accelerator may
    be used, up to ``2 * workers`` images ahead of the processes that run ``work``.

    Results come back in the order of ``ids``. At most ``2 * workers`` images are under way, so
    that memory stays bounded. A worker that dies (out of memory, a crash in a library) costs only
    the image that killed it: those under way with it are tried again one by one.

    Args:
        ids: Image ids, all different.
        work: Called with one id, and with what ``first`` gave if there is one. With ``workers``
            > 0 it is sent to the processes and must not use an accelerator.
        is_done: Whether the output of an id is there already. None: nothing is.
        description: Label of the progress bar.
        workers: Number of processes; 0 works in this one. Each uses one thread.
        first: Called in this process with one id, in order. Its value must be picklable and its
            error counts as the image's.
        on_result: Called in this process with the id and the value of ``work``, in order; its
            error counts as the image's.
        progress: Show progress: a bar on a terminal, otherwise one line every ``log_interval``
            seconds. Errors are always shown.
        log_interval: Seconds between lines.
        start_method: Of ``multiprocessing``. None: ``'fork'`` where there is one (``work`` need
            not be picklable), else the platform's default.

    Returns:
        The report. Ctrl-C cancels what has not begun, waits for what has and re-raises
        KeyboardInterrupt.

    Raises:
        ValueError: ``workers`` is negative or ``ids`` holds an id twice.
    """
    if workers < 0:
        raise ValueError(f'workers must be >= 0, but got {workers}')
    if len(set(ids)) != len(ids):
        raise ValueError(f'ids must differ, but {len(ids) - len(set(ids))} of them are repeated')
    report, start = BatchReport(), time.monotonic()
    todo = _skip_done(ids, is_done, report)
    if workers and todo:
        outcomes = _run_pool(todo, work, first, min(workers, len(todo)), start_method)
    else:
        outcomes = (_run_here(work, first, name) for name in todo)
    try:
        with _progress_display(description, len(todo), progress, log_interval) as display:
            for name, value, error in outcomes:
                if error is None and on_result is not None:
                    error = _attempt(lambda _: on_result(name, value), name)[2]  # noqa: B023
                if error is None:
                    report.done.append(name)
                else:
                    report.failed[name] = error
                    display.error(f'{name}: {error}')
                display.advance()
    finally:
        if hasattr(outcomes, 'close'):
            outcomes.close()
        report.failed = {name: report.failed[name] for name in ids if name in report.failed}
        report.seconds = time.monotonic() - start
    return report


def _skip_done(
    ids: Sequence[str], is_done: Callable[[str], bool] | None, report: BatchReport
) -> list[str]:
    """Sort ids into ``report.skipped``, ``report.failed`` (bad names) and the returned rest."""
    todo = []
    for name in ids:
        _, done, error = (name, False, None) if is_done is None else _attempt(is_done, name)
        if error is not None:
            report.failed[name] = error
        elif done:
            report.skipped.append(name)
        else:
            todo.append(name)
    return todo


def _run_here(work: Callable[..., Any], first: Callable[[str], Any] | None, name: str) -> Outcome:
    return _attempt(work if first is None else lambda key: work(key, first(key)), name)


def _attempt(work: Callable[..., Any], name: str, *given: Any) -> Outcome:
    try:
        return name, work(name, *given), None
    except Exception as error:
        logger.debug('%s failed', name, exc_info=True)
        text = ' '.join(str(error).split())
        return name, None, f'{type(error).__name__}: {text}' if text else type(error).__name__


# --- pool -----------------------------------------------------------------------------------------

_WORK: Callable[..., Any] | None = None


@dataclass
class _Job:
    """An image under way: what ``work`` is called with, and its future or error."""

    name: str
    given: tuple[Any, ...] = ()
    future: Future[Outcome] | None = None
    error: str | None = None


def _start_worker(work: Callable[..., Any], parent: int) -> None:
    """Prepare a worker: one thread, Ctrl-C left to the parent, no life after the parent."""
    global _WORK
    _WORK = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)
    if 'cv2' in sys.modules:
        sys.modules['cv2'].setNumThreads(0)


def _die_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _call_work(name: str, *given: Any) -> Outcome:
    return _attempt(_WORK, name, *given)


def make_pool(
    work: Callable[..., Any], workers: int, start_method: str | None = None
) -> ProcessPoolExecutor:
    """Start a pool of one-thread processes that end with this one and leave Ctrl-C to it.

    They run already when it is returned: later this process may hold threads or an accelerator.

    Args:
        work: Handed to each process; ``process_items`` calls it there.
        workers: Number of processes.
        start_method: See :func:`process_items`.
    """
    if start_method is None and 'fork' in multiprocessing.get_all_start_methods():
        start_method = 'fork'
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context(start_method),
        initializer=_start_worker,
        initargs=(work, os.getpid()),
    )
    pool.submit(int)
    return pool


def _run_pool(
    ids: Sequence[str],
    work: Callable[..., Any],
    first: Callable[[str], Any] | None,
    workers: int,
    start_method: str | None,
) -> Iterator[Outcome]:
    """Yield the outcomes in order, keeping at most ``2 * workers`` ids under way."""
    waiting, under_way = deque(ids), deque()
    pool = make_pool(work, workers, start_method)
    try:
        while waiting or under_way:
            try:
                while waiting and len(under_way) < 2 * workers:
                    under_way.append(_prepare(first, waiting.popleft()))
                    _submit(pool, under_way[-1])
                outcome = _outcome(under_way[0])
            except BrokenProcessPool:
                pool.shutdown()
                for job in under_way:
                    yield _recover(job, work, start_method)
                under_way.clear()
                pool = make_pool(work, workers, start_method)
                continue
            under_way.popleft()
            yield outcome
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(first: Callable[[str], Any] | None, name: str) -> _Job:
    if first is None:
        return _Job(name)
    _, value, error = _attempt(first, name)
    return _Job(name, (value,), error=error)


def _submit(pool: ProcessPoolExecutor, job: _Job) -> None:
    if job.error is None:
        job.future = pool.submit(_call_work, job.name, *job.given)


def _outcome(job: _Job) -> Outcome:
    """Wait for a future; what cannot travel between processes is the image's error."""
    if job.error is not None:
        return job.name, None, job.error
    try:
        return job.future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:
        return job.name, None, f'{type(error).__name__}: {error}'


def _recover(job: _Job, work: Callable[..., Any], start_method: str | None) -> Outcome:
    """Take the outcome if the pool broke after it, else try once more in a process of its own."""
    future = job.future
    finished = future is not None and future.done() and not future.cancelled()
    if job.error is not None or (finished and future.exception() is None):
        return _outcome(job)
    with make_pool(work, 1, start_method) as pool:
        try:
            _submit(pool, job)
            return _outcome(job)
        except BrokenProcessPool:
            return (
                job.name,
                None,
                'the worker process died (out of memory, or a crash in a library)',
            )


# --- progress -------------------------------------------------------------------------------------


class _SpeedColumn(ProgressColumn):
    """Images per second since the start."""

    def render(self, task: Task) -> Text:
        """Return the text for one task."""
        speed = task.finished_speed or task.speed
        return Text('' if speed is None else f'{speed:.2f} images/s', style='progress.data.speed')


class _Display:
    """Errors and nothing else."""

    def __init__(self, description: str) -> None:
        self.description = description

    def advance(self) -> None:
        """Count one image."""

    def error(self, message: str) -> None:
        """Show one image's error."""
        print(f'{self.description}: {message}', file=sys.stderr, flush=True)


class _LineDisplay(_Display):
    """A line every few seconds, for logs."""

    def __init__(self, description: str, total: int, interval: float) -> None:
        super().__init__(description)
        self.total, self.interval, self.count = total, interval, 0
        self.start = self.last = time.monotonic()

    def advance(self) -> None:
        self.count += 1
        now = time.monotonic()
        if now - self.last < self.interval and self.count < self.total:
            return
        self.last = now
        speed = self.count / max(now - self.start, 1e-9)
        left = time.strftime('%H:%M:%S', time.gmtime((self.total - self.count) / speed))
        print(
            f'{self.description}: {self.count}/{self.total}, {speed:.2f} images/s, {left} left',
            file=sys.stderr,
            flush=True,
        )


class _BarDisplay(_Display):
    """A bar on a terminal."""

    def __init__(self, description: str, total: int, bar: Progress) -> None:
        super().__init__(description)
        self.bar, self.task = bar, bar.add_task(description, total=total)

    def advance(self) -> None:
        self.bar.advance(self.task)

    def error(self, message: str) -> None:
        self.bar.console.print(f'{self.description}: {message}', style='red', markup=False)


@contextmanager
def _progress_display(
    description: str, total: int, progress: bool, log_interval: float
) -> Iterator[_Display]:
    console = Console(stderr=True)
    if not progress or not total:
        yield _Display(description)
    elif not console.is_terminal:
        yield _LineDisplay(description, total, log_interval)
    else:
        columns = (
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            _SpeedColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, speed_estimate_period=60) as bar:
            yield _BarDisplay(description, total, bar)

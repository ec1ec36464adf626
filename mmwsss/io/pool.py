"""Work over a list of images, in order: one pool of workers, progress, named failures."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ['BatchReport', 'Outcome', 'WorkerPool', 'process_items']

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10
DIED = 'the worker process died (out of memory, or a crash in a library)'


class Outcome(NamedTuple):
    """What became of one image: the value of the work, or the text of its error."""

    name: str
    value: Any = None
    error: str | None = None


class WorkerPool:
    """Call ``work(name, *arguments)`` in workers; what comes out has the order of what went in.

    At most ``2 * workers`` calls are under way, so that memory stays bounded. A worker process that
    dies (out of memory, a crash in a library) costs only the image that killed it: those under way with
    it are tried again, each in a process of its own. A process uses one thread, leaves Ctrl-C to this
    process and ends with it.

    Args:
        work: Must not use an accelerator in processes.
        workers: Number of workers; 0 works at once, in this process and thread.
        threads: Whether the workers are threads; else they are processes, forked where the system can
            (else ``work`` must be picklable).

    Raises:
        ValueError: ``workers`` is negative.
    """

    def __init__(
        self, work: Callable[..., Any], workers: int = 0, *, threads: bool = False
    ) -> None:
        if workers < 0:
            raise ValueError(f'workers must be >= 0, but got {workers}')
        self.work, self.workers, self.threads = work, workers, threads
        self._executor: Executor | None = None
        self._jobs: deque[_Job] = deque()

    def __enter__(self) -> WorkerPool:
        if self.workers:
            self._running()  # from now on: later this process may hold threads or an accelerator
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def put(self, name: str, *arguments: Any, error: str | None = None) -> list[Outcome]:
        """Hand in a call, or the error that prevents it, and return the outcomes that make room for it."""
        if error is not None:
            self._jobs.append(_Job(name, (), _finished(Outcome(name, None, error))))
        elif self.workers:
            self._jobs.append(_Job(name, arguments, self._submit(name, arguments)))
        else:
            self._jobs.append(_Job(name, (), _finished(_attempt(self.work, name, *arguments))))
        return [self._take() for _ in range(len(self._jobs) - max(2 * self.workers, 1) + 1)]

    def drain(self) -> Iterator[Outcome]:
        """Yield the outcomes of all that is under way."""
        while self._jobs:
            yield self._take()

    def stop(self) -> None:
        """End the workers; :meth:`put` restarts them. Threads finish, processes what they have begun."""
        self._jobs.clear()
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=not self.threads)
            self._executor = None

    def _running(self) -> Executor:
        if self._executor is None:
            self._executor = self._start(self.workers)
        return self._executor

    def _start(self, workers: int) -> Executor:
        if self.threads:
            return ThreadPoolExecutor(workers)
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context('fork' if 'fork' in methods else 'spawn')
        arguments = (self.work, os.getpid())
        executor = ProcessPoolExecutor(workers, context, _start_worker, arguments)
        executor.submit(int)  # all processes start now
        return executor

    def _submit(self, name: str, arguments: tuple[Any, ...]) -> Future[Outcome]:
        call = functools.partial(_attempt, self.work) if self.threads else _call_work
        try:
            return self._running().submit(call, name, *arguments)
        except BrokenExecutor:
            self._recover()
            return self._running().submit(call, name, *arguments)

    def _take(self) -> Outcome:
        """Wait for the oldest call; what cannot travel between processes is the image's error."""
        if isinstance(self._jobs[0].future.exception(), BrokenExecutor):
            self._recover()
        job = self._jobs.popleft()
        error = job.future.exception()
        if error is not None and not isinstance(error, Exception):
            raise error  # an interruption of the worker is one of the run
        return Outcome(job.name, None, _error_text(error)) if error else job.future.result()

    def _recover(self) -> None:
        """A worker died: call again what was under way, one by one, in a process of its own."""
        self._running().shutdown()
        self._executor = None
        for job in self._jobs:
            if isinstance(job.future.exception(), BrokenExecutor):
                with self._start(1) as executor:
                    job.future = executor.submit(_call_work, job.name, *job.arguments)
                if isinstance(job.future.exception(), BrokenExecutor):
                    job.future = _finished(Outcome(job.name, None, DIED))


@dataclass
class _Job:
    """A call under way."""

    name: str
    arguments: tuple[Any, ...]
    future: Future[Outcome]


def _finished(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future


def _attempt(work: Callable[..., Any], name: str, *arguments: Any) -> Outcome:
    try:
        return Outcome(name, work(name, *arguments))
    except Exception as error:
        logger.debug('%s failed', name, exc_info=True)
        return Outcome(name, None, _error_text(error))


def _error_text(error: BaseException) -> str:
    """Type and message of an error, in one line."""
    return f'{type(error).__name__}: {" ".join(str(error).split())}'.removesuffix(': ')


_WORK: Callable[..., Any]


def _start_worker(work: Callable[..., Any], parent: int) -> None:
    """Prepare a process: one thread, Ctrl-C left to the parent, no life after the parent."""
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


def _call_work(name: str, *arguments: Any) -> Outcome:
    return _attempt(_WORK, name, *arguments)


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

    def counts(self) -> str:
        """How many images were done, skipped and failed, and the time."""
        speed = f', {len(self.done) / self.seconds:.2f} images/s' if self.seconds > 0 else ''
        return (
            f'{len(self.done)} done, {len(self.skipped)} skipped (finished before), '
            f'{len(self.failed)} failed in {self.seconds:.1f} s{speed}'
        )

    def summary(self) -> str:
        """Return the counts, followed by one line per failed image with its error."""
        failed = [f'  failed: {name}: {error}' for name, error in self.failed.items()]
        return '\n'.join([self.counts(), *failed])

    @classmethod
    def merge(cls, reports: Iterable[BatchReport], ids: Sequence[str]) -> BatchReport:
        """Join the reports of several ranks, in the order of ``ids``; the time is the longest."""
        reports = list(reports)
        done = {name for report in reports for name in report.done}
        skipped = {name for report in reports for name in report.skipped}
        failed = {name: text for report in reports for name, text in report.failed.items()}
        return cls(
            [name for name in ids if name in done],
            [name for name in ids if name in skipped],
            {name: failed[name] for name in ids if name in failed},
            max(report.seconds for report in reports),
        )


def process_items(
    ids: Sequence[str],
    work: Callable[..., Any],
    is_done: Callable[[str], bool] | None = None,
    description: str = 'images',
    workers: int = 0,
    *,
    read: Callable[[str], Any] | None = None,
    readers: int = 0,
    first: Callable[..., Any] | None = None,
    on_result: Callable[[str, Any], None] | None = None,
    threads: bool = False,
    progress: bool = True,
) -> BatchReport:
    """Call ``work(id)`` for every id that is not done; one image's failure stops no other.

    An image may pass through three hands: ``item = read(id)`` in threads that load ahead, ``value =
    first(id, item)`` in this process, where an accelerator may be used, and ``work(id, value)`` in the
    workers. What there is no function for is left out. Everything is in the order of ``ids``, and no
    more than two images per worker and per reader are under way: see :class:`WorkerPool`.

    Args:
        ids: Image ids, all different.
        work: Runs in the workers.
        is_done: Whether the output of an id is there already. None: nothing is.
        description: Label of the progress bar.
        workers: Number of workers; 0 works in this process.
        read: Runs in threads.
        readers: Number of these threads; 0 reads when the image's turn comes.
        first: Runs in this process; its value must be picklable if there are worker processes.
        on_result: Called in this process with the id and the value of ``work``.
        threads: Whether the workers are threads.
        progress: Show progress: a bar on a terminal, otherwise a line every ten seconds. Errors are
            always shown.

    Returns:
        The report; an error of any of the functions counts as the image's. Ctrl-C cancels what processes
        have not begun, waits for the rest and re-raises KeyboardInterrupt.

    Raises:
        ValueError: A number is negative.
    """
    report, start = BatchReport(), time.monotonic()
    todo = _skip_done(ids, is_done, report)
    workers = min(workers, len(todo))
    pool = WorkerPool(work, workers, threads=threads)
    try:
        with (
            _progress(description, len(todo), progress) as advance,
            closing(_outcomes(todo, pool, read, readers, first)) as outcomes,
        ):
            for name, value, error in outcomes:
                if error is None and on_result is not None:
                    error = _attempt(on_result, name, value).error
                if error is None:
                    report.done.append(name)
                else:
                    report.failed[name] = error
                advance(error and f'{name}: {error}')
    finally:
        report.failed = {name: report.failed[name] for name in ids if name in report.failed}
        report.seconds = time.monotonic() - start
    return report


def _skip_done(
    ids: Sequence[str], is_done: Callable[[str], bool] | None, report: BatchReport
) -> list[str]:
    """Sort ids into ``report.skipped``, ``report.failed`` (bad names) and the returned rest."""
    todo = []
    for name in ids:
        _, done, error = Outcome(name) if is_done is None else _attempt(is_done, name)
        if error is not None:
            report.failed[name] = error
        elif done:
            report.skipped.append(name)
        else:
            todo.append(name)
    return todo


def _outcomes(
    ids: Sequence[str],
    pool: WorkerPool,
    read: Callable[[str], Any] | None,
    readers: int,
    first: Callable[..., Any] | None,
) -> Generator[Outcome, None, None]:
    with pool, closing(_read_ahead(ids, read, readers)) as items:
        for name, value, error in items:
            arguments = () if read is None else (value,)
            if error is None and first is not None:
                _, value, error = _attempt(first, name, *arguments)
                arguments = (value,)
            yield from pool.put(name, *arguments, error=error)
        yield from pool.drain()


def _read_ahead(
    ids: Sequence[str], read: Callable[[str], Any] | None, readers: int
) -> Generator[Outcome, None, None]:
    if read is None:
        yield from map(Outcome, ids)
        return
    with WorkerPool(read, readers, threads=True) as pool:
        for name in ids:
            yield from pool.put(name)
        yield from pool.drain()


@contextmanager
def _progress(description: str, total: int, shown: bool) -> Iterator[Callable[[str | None], None]]:
    """Yield what to call after each image, with its error if it has one."""
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[speed]}', style='progress.data.speed'),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console, shown = Console(stderr=True), shown and total > 0
    on_terminal = shown and console.is_terminal
    bar = Progress(*columns, console=console, speed_estimate_period=60, disable=not on_terminal)
    task = bar.add_task(description, total=total, speed='')
    start = last = time.monotonic()
    count = 0

    def advance(error: str | None) -> None:
        nonlocal last, count
        count, now = count + 1, time.monotonic()
        if error and on_terminal:
            console.print(f'{description}: {error}', style='red', markup=False)
        elif error:
            print(f'{description}: {error}', file=sys.stderr, flush=True)
        speed = count / max(now - start, 1e-9)
        bar.update(task, advance=1, speed=f'{speed:.2f} images/s')
        if shown and not on_terminal and (now - last >= SECONDS_BETWEEN_LINES or count == total):
            last = now
            left = time.strftime('%H:%M:%S', time.gmtime((total - count) / speed))
            text = f'{description}: {count}/{total}, {speed:.2f} images/s, {left} left'
            print(text, file=sys.stderr, flush=True)

    with bar if on_terminal else nullcontext():  # old versions end a hidden bar with an empty line
        yield advance

"""Shared by the benchmarks: interleaved timing, peak memory, and what a result must say about itself.

Speed is stated as a ratio of two functions measured in the same process in turns, so that a busy machine
slows both. On a CPU the clock is the process's CPU time, which waiting for other processes does not
enter (their use of caches and memory does); on a GPU it is wall time around a synchronisation.
"""

from __future__ import annotations

import datetime
import gc
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from torch.profiler import ProfilerActivity, profile

# OpenCV does not read OMP_NUM_THREADS, and its idle threads count as CPU time.
cv2.setNumThreads(torch.get_num_threads())

__all__ = ['clock', 'environment', 'peak_memory', 'time_ratio', 'time_together', 'write_json']

ROOT = Path(__file__).resolve().parents[1]
Work = Callable[[], object]


def clock() -> float:
    """Seconds: wall time with a GPU (after synchronising), else CPU time of this process."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def time_together(works: dict[str, Work], repeats: int = 5, warmup: int = 1) -> dict[str, list]:
    """Run several functions in turns.

    Args:
        works: Functions by name.
        repeats: Timed rounds; each runs every function once.
        warmup: Rounds that are not timed.

    Returns:
        Seconds of each round by name.
    """
    seconds = {name: [] for name in works}
    for turn in range(warmup + repeats):
        for name, work in works.items():
            start = clock()
            work()
            if turn >= warmup:
                seconds[name].append(clock() - start)
    return seconds


def ratio_of(seconds: list, baseline: list) -> dict:
    """Median and spread of the ratios of paired rounds, with the seconds they come from."""
    ratios = [a / b for a, b in zip(seconds, baseline)]
    return {
        'ratio': round(statistics.median(ratios), 3),
        'ratio_min': round(min(ratios), 3),
        'ratio_max': round(max(ratios), 3),
        'seconds': round(statistics.median(seconds), 6),
        'baseline_seconds': round(statistics.median(baseline), 6),
        'repeats': len(ratios),
    }


def time_ratio(work: Work, baseline: Work, repeats: int = 5, warmup: int = 1) -> dict:
    """Time of ``work`` over time of ``baseline``, run in turns.

    Returns:
        ``ratio`` (median over rounds), ``ratio_min``, ``ratio_max``, ``seconds``, ``baseline_seconds``
        (medians) and ``repeats``.
    """
    seconds = time_together({'work': work, 'baseline': baseline}, repeats, warmup)
    return ratio_of(seconds['work'], seconds['baseline'])


def peak_memory(work: Work) -> int:
    """Most bytes that torch held at one time during ``work``, beyond what it held before.

    Counted from every allocation and release of torch's allocator (CPU, by the profiler) or by CUDA's
    own statistics. Workspaces inside a CPU math library are not seen.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == '[memory]']
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def environment() -> dict:
    """Commit, date, hardware and versions, to stand beside every number."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        'date': datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
        'commit': _git('rev-parse', '--short', 'HEAD'),
        'uncommitted_changes': bool(_git('status', '--porcelain', '--untracked-files=no')),
        'device': gpu or _processor(),
        'clock': 'wall time' if gpu else 'CPU time',
        'threads': torch.get_num_threads(),
        'cores': os.cpu_count(),
        'load_average': round(os.getloadavg()[0], 1) if hasattr(os, 'getloadavg') else None,
        'torch': torch.__version__,
        'python': platform.python_version(),
    }


def write_json(path: str | os.PathLike[str], results: dict) -> None:
    """Write results with the environment at the start of the process; print them too."""
    content = {'environment': STARTED, 'results': results}
    text = json.dumps(content, indent=2)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text + '\n', encoding='utf-8')
    print(text)


def _git(*args: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ['git', *args],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ''
    return done.stdout.strip()


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


#: Taken at import: the working tree may move on while a long benchmark runs the code it loaded.
STARTED = environment()

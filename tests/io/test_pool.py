from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import mmwsss.io
from mmwsss.io import BatchReport, WorkerPool, process_items

MODULES = os.path.dirname(mmwsss.io.__file__)

IDS = [f'img{i}' for i in range(10)]


def square(name: str) -> int:
    return int(name[3:]) ** 2


def fail_on_3(name: str) -> int:
    if name == 'img3':
        raise ValueError('broken\n  header')
    return square(name)


def die_on_4(name: str) -> int:
    if name == 'img4':
        os._exit(1)
    return fail_on_3(name)


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_results_are_ordered_and_failures_named(workers, capfd):
    results = []
    report = process_items(
        IDS,
        fail_on_3,
        is_done=lambda name: name in ('img0', 'img7'),
        workers=workers,
        on_result=lambda name, value: results.append((name, value)),
    )
    rest = [name for name in IDS if name not in ('img0', 'img3', 'img7')]
    assert report.done == rest
    assert report.skipped == ['img0', 'img7']
    assert report.failed == {'img3': 'ValueError: broken header'}
    assert results == [(name, square(name)) for name in rest]
    assert report.exit_code == 1
    error_text = capfd.readouterr().err
    assert 'images: img3: ValueError: broken header' in error_text
    assert '8/8' in error_text  # the plain progress line


def halve(name: str) -> tuple[float, int]:
    return square(name) / 2, os.getpid()


def double(name: str, given: tuple[float, int]) -> tuple[float, bool]:
    if name == 'img4':
        os._exit(1)
    return 2 * given[0], given[1] == os.getpid()


def test_first_runs_here_and_work_in_the_processes():
    results = {}
    report = process_items(
        IDS[:4], double, workers=2, first=halve, on_result=results.__setitem__, progress=False
    )
    assert report.done == IDS[:4]
    assert results == {name: (square(name), False) for name in IDS[:4]}
    process_items(IDS[:4], double, first=halve, on_result=results.__setitem__, progress=False)
    assert results == {name: (square(name), True) for name in IDS[:4]}


def test_first_and_work_overlap():
    together = threading.Barrier(2, timeout=60)

    def first(name: str) -> None:
        if name != IDS[0]:
            together.wait()  # for the work on the image before

    def work(name: str, _: None) -> None:
        if name != IDS[-1]:
            together.wait()

    report = process_items(IDS, work, workers=1, first=first, threads=True, progress=False)
    assert (report.done, report.failed) == (IDS, {})


def test_failures_of_first_and_dying_workers_are_named():
    def first(name: str) -> tuple[float, int]:
        return halve(f'img{fail_on_3(name) // 1000}')

    report = process_items(IDS, double, workers=3, first=first, progress=False)
    assert report.done == [name for name in IDS if name not in ('img3', 'img4')]
    assert report.failed['img3'] == 'ValueError: broken header'
    assert 'worker process died' in report.failed['img4']


@pytest.mark.parametrize(
    ('workers', 'readers', 'threads'), [(0, 0, False), (1, 2, True), (2, 1, False)]
)
def test_images_pass_through_three_hands_in_order(workers, readers, threads):
    main, seen, results = threading.get_ident(), [], {}

    def read(name: str) -> tuple[int, bool]:
        time.sleep(0.02 * (int(name[3:]) % 2))
        return fail_on_3(name), threading.get_ident() == main

    def first(name: str, item: tuple[int, bool]) -> int:
        seen.append((name, item[1]))
        return item[0] if name != 'img5' else fail_on_3('img3')

    process = os.getpid()

    def work(name: str, value: int) -> tuple[int, bool, bool]:
        here = os.getpid() == process
        value = fail_on_3('img3') if name == 'img6' else value
        return value, here, here and threading.get_ident() == main

    report = process_items(
        IDS, work, None, '', workers, read=read, readers=readers, first=first,
        on_result=results.__setitem__, threads=threads, progress=False,
    )  # fmt: skip
    failed = ['img3', 'img5', 'img6']
    assert report.failed == dict.fromkeys(failed, 'ValueError: broken header')
    assert report.done == list(results) == [name for name in IDS if name not in failed]
    assert seen == [(name, not readers) for name in IDS if name != 'img3']
    here = (not workers or threads, not workers)
    assert all(value == (square(name), *here) for name, value in results.items())


@pytest.mark.parametrize('threads', [True, False])
def test_no_more_than_two_images_per_worker_are_under_way(threads):
    with WorkerPool(square, 2, threads=threads) as pool:
        counts = [len(pool.put(name)) for name in IDS]
        assert counts == [0, 0, 0, *[1] * 7]
        assert [outcome.value for outcome in pool.drain()] == [49, 64, 81]
        assert list(pool.drain()) == []


@pytest.mark.parametrize('readers', [0, 2])
def test_reading_is_bounded(readers):
    started = []
    ahead = []
    process_items(
        IDS, lambda name, item: ahead.append(len(started) - int(name[3:]) - 1),
        read=started.append, readers=readers, progress=False,
    )  # fmt: skip
    assert len(started) == len(IDS)
    assert max(ahead) <= (2 * readers - 1 if readers else 0)


def test_first_is_at_most_two_images_per_worker_ahead(tmp_path):
    started = []

    def work(name: str, given: int) -> int:
        return given

    ahead = []
    process_items(
        IDS, work, workers=2, first=lambda name: started.append(name) or len(started),
        on_result=lambda name, value: ahead.append(len(started) - value), progress=False,
    )  # fmt: skip
    assert len(started) == len(IDS)
    assert max(ahead) <= 3


def test_a_dying_worker_costs_its_image_only():
    report = process_items(IDS, die_on_4, workers=3, progress=False)
    assert report.done == [name for name in IDS if name not in ('img3', 'img4')]
    assert list(report.failed) == ['img3', 'img4']
    assert 'worker process died' in report.failed['img4']


def test_a_spawned_process_works_too(monkeypatch):
    monkeypatch.setattr('multiprocessing.get_all_start_methods', lambda: ['spawn'])
    report = process_items(IDS[2:4], fail_on_3, workers=1, progress=False)
    assert (report.done, list(report.failed)) == (['img2'], ['img3'])


def test_what_cannot_travel_is_the_images_error():
    report = process_items(IDS[:3], lambda name: lambda: name, workers=1, progress=False)
    assert list(report.failed) == IDS[:3]
    assert 'pickle' in report.failed['img0'].lower()


def refuse(name: str, value: int) -> None:
    raise OSError(f'disk full at {value}')


def test_error_while_taking_a_result_is_the_images_error():
    report = process_items(IDS[:2], square, on_result=refuse, progress=False)
    assert report.failed == {'img0': 'OSError: disk full at 0', 'img1': 'OSError: disk full at 1'}


def test_error_in_the_done_check_is_the_images_error():
    report = process_items(IDS, square, is_done=lambda name: fail_on_3(name) < 0, progress=False)
    assert list(report.failed) == ['img3']
    assert len(report.done) == 9


@pytest.mark.parametrize('workers', [0, 2])
def test_nothing_to_do(workers):
    report = process_items([], square, workers=workers)
    assert (report.done, report.skipped, report.failed, report.exit_code) == ([], [], {}, 0)
    report = process_items(IDS, fail_on_3, is_done=lambda name: True, workers=workers)
    assert report.skipped == IDS


def test_summary_counts_and_names():
    report = BatchReport(done=['a'], skipped=['b', 'c'], failed={'d': 'OSError: x'}, seconds=2.0)
    assert report.summary().splitlines() == [
        '1 done, 2 skipped (finished before), 1 failed in 2.0 s, 0.50 images/s',
        '  failed: d: OSError: x',
    ]
    assert BatchReport(done=['a']).exit_code == 0


def test_merge_of_ranks_keeps_the_order():
    ranks = [
        BatchReport(done=['a', 'e'], failed={'c': 'x'}, seconds=1.0),
        BatchReport(done=['d'], skipped=['b'], failed={}, seconds=3.0),
    ]
    merged = BatchReport.merge(ranks, ['a', 'b', 'c', 'd', 'e'])
    assert merged == BatchReport(['a', 'd', 'e'], ['b'], {'c': 'x'}, 3.0)


def test_a_negative_number_of_workers():
    with pytest.raises(ValueError, match='workers must be >= 0, but got -1'):
        process_items(IDS, square, workers=-1)


SCRIPT = """
    import signal, sys, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs inherit it ignored
    from pathlib import Path
    sys.path.insert(0, sys.argv[3])  # the module alone: the package takes seconds to import
    from pool import process_items
    folder, workers = Path(sys.argv[1]), int(sys.argv[2])
    def work(name):
        (folder / name).write_text('')
        time.sleep(0.2)
    try:
        process_items([str(i) for i in range(200)], work, workers=workers, progress=False)
    except KeyboardInterrupt:
        print('interrupted')
        sys.exit(130)
"""


def start_script(folder, workers: int) -> subprocess.Popen:
    command = [sys.executable, '-c', textwrap.dedent(SCRIPT), str(folder), str(workers), MODULES]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not any(folder.iterdir()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    return process


@pytest.mark.parametrize('workers', [0, 2])
def test_ctrl_c_ends_cleanly(tmp_path, workers):
    process = start_script(tmp_path, workers)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out.strip(), err) == (130, 'interrupted', '')


def processes_of_group(group: int) -> list[int]:
    text = subprocess.run(['ps', '-eo', 'pid,pgid,stat'], capture_output=True, text=True).stdout
    rows = [line.split() for line in text.splitlines()[1:]]
    return [int(pid) for pid, pgid, stat in rows if int(pgid) == group and stat[0] != 'Z']


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    process = start_script(tmp_path, 2)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while processes_of_group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of_group(process.pid) == []

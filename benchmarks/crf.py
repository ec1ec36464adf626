"""Time of two dense CRFs on one image with a shared lattice, and of a pool of processes.

    python benchmarks/crf.py --out work_dirs/benchmarks/crf.json

``pair``: cleaning two label maps of one 500x375 photograph side by side on one lattice against two
calls that build their own. ``pool``: the same work on ``--images`` images in ``--workers`` processes
against one, by wall time: it means something only on a machine with as many free cores.
``pool.over_bare``: the pool against as many processes that each do their part and send nothing back,
which is what the machine can give.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable

import numpy as np
from common import ratio_of, time_ratio, write_json
from scipy.ndimage import gaussian_filter
from skimage.data import astronaut

from mmwsss.functional.crf import CRFLattice, dense_crf_labels
from mmwsss.io import process_items

SIZE = (375, 500)
PARAMS = {
    'gaussian_sxy': 3,
    'gaussian_compat': 3,
    'bilateral_sxy': 50,
    'bilateral_srgb': 5,
    'bilateral_compat': 10,
}
GOALS = {'pair': 1.4, 'pool': 1.7}


def scene(labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photograph and two noisy label maps."""
    rng = np.random.default_rng(seed)
    scores = np.stack([gaussian_filter(rng.random(SIZE), 15) for _ in range(labels)])
    attenuated = scores.copy()
    attenuated[0] *= 0.995
    image = np.ascontiguousarray(astronaut()[: SIZE[0], : SIZE[1]])
    return image, scores.argmax(axis=0), attenuated.argmax(axis=0)


def separate(image: np.ndarray, first: np.ndarray, second: np.ndarray, labels: int) -> list:
    return [dense_crf_labels(image, part, labels) for part in (first, second)]


def shared(image: np.ndarray, first: np.ndarray, second: np.ndarray, labels: int) -> list:
    return CRFLattice(image, 2 * labels, **PARAMS).labels_together([first, second], labels)


def process_pool(work: Callable[[str], int], ids: list[str], workers: int) -> dict[str, int]:
    """What ``work`` gives for each id, in the pool that the tools use; no workers: in this process."""
    found: dict[str, int] = {}
    report = process_items(ids, work, workers=workers, on_result=found.__setitem__, progress=False)
    if report.failed:
        raise RuntimeError(report.summary())
    return found


def bare_processes(work: Callable[[str], int], ids: list[str], workers: int) -> None:
    """The same work in processes that share nothing."""
    context = multiprocessing.get_context('fork')
    parts = [ids[i::workers] for i in range(workers)]
    processes = [
        context.Process(target=lambda part=part: [work(name) for name in part]) for part in parts
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError('a process of the comparison failed')


def wall_time(call: Callable[[], object]) -> tuple[float, object]:
    """Seconds, and what the call gave."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def pool_ratio(labels: int, images: int, workers: int, repeats: int) -> dict:
    """Wall time of one process, and of processes that share nothing, over that of the pool, in turns."""
    ids = [str(i) for i in range(images)]

    def work(name: str) -> int:
        return int(sum(part.sum() for part in shared(*scene(labels, int(name)), labels)))

    seconds: dict[str, list[float]] = {'one': [], 'pool': [], 'bare': []}
    for turn in range(repeats + 1):
        one, expected = wall_time(lambda: process_pool(work, ids, 0))
        pool, found = wall_time(lambda: process_pool(work, ids, workers))
        bare, _ = wall_time(lambda: bare_processes(work, ids, workers))
        if found != expected:
            raise RuntimeError('the pool gave other results than one process')
        if turn:
            for name, value in (('one', one), ('pool', pool), ('bare', bare)):
                seconds[name].append(value)
    return {
        'workers': workers,
        'images': images,
        'clock': 'wall time',
        **ratio_of(seconds['one'], seconds['pool']),
        'over_bare': ratio_of(seconds['pool'], seconds['bare']),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/crf.json')
    parser.add_argument('--labels', type=int, nargs='+', default=[2, 3, 5])
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--images', type=int, default=24)
    parser.add_argument('--workers', type=int, default=2)
    args = parser.parse_args()
    results = {'goals': GOALS, 'image_size': SIZE}
    for labels in args.labels:
        image, first, second = scene(labels)
        pair = time_ratio(
            lambda a=(image, first, second, labels): separate(*a),
            lambda a=(image, first, second, labels): shared(*a),
            args.repeats,
        )
        one, other = (f(image, first, second, labels) for f in (separate, shared))
        pair['agreement'] = float(np.mean([(a == b).mean() for a, b in zip(one, other)]))
        results[f'pair_{labels}_labels'] = pair
    results['pool'] = pool_ratio(args.labels[0], args.images, args.workers, args.repeats)
    write_json(args.out, results)


if __name__ == '__main__':
    main()

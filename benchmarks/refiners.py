"""CPU time and memory of the refiners without a network, for one 500x375 image with three labels.

    python benchmarks/refiners.py --out work_dirs/benchmarks/refiners.json

Memory is how much the resident set of a fresh process grows at its peak during the first image.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from common import time_together, write_json
from crf import SIZE, scene
from PIL import Image
from scipy.ndimage import gaussian_filter

from mmwsss.datasets.converters import Superpixels
from mmwsss.io import ClassMaps, save_segments
from mmwsss.refine import build_refiner

LABELS = 3
REFINERS = {
    'dense CRF': dict(type='DenseCRF'),
    'dense CRF of labels': dict(type='DenseCRF', from_labels=True),
    'PAR': dict(type='PixelAdaptiveRefinement'),
    'PAR, 20 iterations': dict(type='PixelAdaptiveRefinement', iterations=20),
    'PAR, half the size': dict(type='PixelAdaptiveRefinement'),
    'SegmentVote': dict(type='SegmentVote', segment_dir=''),
}
NAME = 'photo'  # id of the image


def class_maps(step: int) -> ClassMaps:
    """Smooth maps of three labels, on every ``step``-th pixel."""
    rng = np.random.default_rng(0)
    scores = np.stack([gaussian_filter(rng.random(SIZE), 15) for _ in range(LABELS)])
    return ClassMaps(np.arange(LABELS), scores[:, ::step, ::step], SIZE)


def grown_memory(work: Callable[[], object]) -> float:
    """Mebibytes by which a process's resident set grows at its peak during ``work``."""
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)

    def measure() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        work()
        sender.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)

    process = context.Process(target=measure)
    process.start()
    grown = receiver.recv()
    process.join()
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/refiners.json')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    image = scene(LABELS)[0]
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, f'{NAME}.png')
    Image.fromarray(image).save(path)
    superpixels = Superpixels()
    save_segments(path.with_suffix('.json'), superpixels(NAME, str(path)))
    REFINERS['SegmentVote']['segment_dir'] = folder.name
    works = {
        name: partial(build_refiner(cfg), class_maps(2 if 'half' in name else 1), image, NAME)
        for name, cfg in REFINERS.items()
    }
    works['200 superpixels'] = lambda: list(superpixels(NAME, str(path)))
    memory = {name: round(grown_memory(work), 1) for name, work in works.items()}
    seconds = time_together(works, args.repeats)
    results = {
        name: {
            'seconds': round(statistics.median(seconds[name]), 4),
            'seconds_min': round(min(seconds[name]), 4),
            'seconds_max': round(max(seconds[name]), 4),
            'memory_mib': memory[name],
        }
        for name in works
    }
    write_json(args.out, {'image_size': SIZE, 'labels': LABELS, 'repeats': args.repeats, **results})


if __name__ == '__main__':
    main()

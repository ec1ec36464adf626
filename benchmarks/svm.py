"""Time and agreement of the per-image SVM's prediction against scikit-learn's.

    python benchmarks/svm.py --out work_dirs/benchmarks/svm.json

One 500x375 photograph (scikit-image's astronaut) with three hand-drawn labels, on RGB and on 24 channels
of local means and deviations. The same machines are evaluated by scikit-learn's ``predict``, by ``exact``
and by ``nystroem`` (its approximation counts as prediction). Fitting is scikit-learn's in all three; its
seconds stand beside, and ``total_ratio`` includes them.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from common import clock, peak_memory, ratio_of, time_together, write_json
from skimage.data import astronaut
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC
from torch import Tensor

from mmwsss.functional.svm import PixelSVM, fit_pixel_svm, sample_pixels

SIZE = (375, 500)
GOALS = {'exact': 25, 'exact_agreement': 0.999, 'nystroem': 150, 'nystroem_agreement': 0.98}


def photograph(size: tuple[int, int]) -> tuple[Tensor, np.ndarray]:
    """RGB (3, H, W) in 0..1 and labels: 0 background, 1 head, 2 suit, 255 at their borders."""
    image = torch.from_numpy(astronaut()[: SIZE[0], : SIZE[1]]).permute(2, 0, 1).float() / 255
    rows, cols = np.mgrid[: SIZE[0], : SIZE[1]]
    head = ((rows - 120) / 95) ** 2 + ((cols - 225) / 62) ** 2
    suit = np.maximum(np.abs(cols - 225) / (60 + 0.9 * (rows - 190).clip(0)), (250 - rows) / 40)
    labels = np.select([head < 0.9, head < 1.1, suit < 0.95, suit < 1.1], [1, 255, 2, 255], 0)
    image = F.interpolate(image[None], size, mode='bilinear', antialias=True)[0]
    return image, labels[:: SIZE[0] // size[0], :: SIZE[1] // size[1]][: size[0], : size[1]]


def local_features(image: Tensor) -> Tensor:
    """Means and deviations of the colours at four scales: (24, H, W)."""
    parts = []
    for window in (2, 4, 8, 16):
        mean = F.avg_pool2d(image[None], window)
        spread = (F.avg_pool2d(image[None] ** 2, window) - mean**2).clamp(min=0).sqrt()
        parts += [F.interpolate(x, image.shape[1:], mode='bilinear')[0] for x in (mean, spread)]
    return torch.cat(parts)


def measure(features: Tensor, labels: np.ndarray, args: argparse.Namespace) -> dict:
    """Fit once, predict by all three."""
    start = clock()
    machine = fit_pixel_svm(features, labels, args.samples)
    fit = clock() - start
    flat = features.flatten(1).T.double().numpy()
    pixels = (flat - machine.mean.numpy()) / machine.scale.numpy()
    index = sample_pixels(labels, args.samples)
    oracle = OneVsRestClassifier(SVC()).fit(pixels[index], labels.ravel()[index])

    outputs: dict[str, np.ndarray] = {}

    def run(name: str, work: partial) -> None:
        outputs[name] = np.asarray(work()).ravel()

    def nystroem(machine: PixelSVM) -> np.ndarray:
        return machine.approximate().predict(features)

    ours = {
        'exact': partial(run, 'exact', partial(machine.predict, features)),
        'nystroem': partial(run, 'nystroem', partial(nystroem, machine)),
    }
    seconds = time_together(ours, args.repeats)
    sklearn = {'sklearn': partial(run, 'sklearn', partial(oracle.predict, pixels))}
    seconds.update(time_together(sklearn, args.sklearn_repeats, warmup=0))
    result = {
        'channels': len(features),
        'support_vectors': len(machine.vectors),
        'fit_seconds': round(fit, 3),
        'sklearn_seconds': round(float(np.median(seconds['sklearn'])), 3),
    }
    for name, work in ours.items():
        rounds = [seconds['sklearn'][i % len(seconds['sklearn'])] for i in range(args.repeats)]
        total = (fit + np.median(seconds['sklearn'])) / (fit + np.median(seconds[name]))
        result[name] = {
            **{k: v for k, v in ratio_of(rounds, seconds[name]).items() if k.startswith('ratio')},
            'seconds': round(float(np.median(seconds[name])), 4),
            'total_ratio': round(float(total), 1),
            'agreement': round(float((outputs[name] == outputs['sklearn']).mean()), 5),
            'peak_bytes': peak_memory(work),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/svm.json')
    parser.add_argument('--samples', type=int, default=2500)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--sklearn-repeats', type=int, default=1)
    parser.add_argument('--shrink', type=int, default=1, help='divide the image size, to try it')
    args = parser.parse_args()
    image, labels = photograph((SIZE[0] // args.shrink, SIZE[1] // args.shrink))
    results = {'goals': GOALS, 'image_size': list(labels.shape), 'labels': 3}
    for name, features in {'rgb': image, 'local24': local_features(image)}.items():
        results[name] = measure(features, labels, args)
    write_json(args.out, results)


if __name__ == '__main__':
    main()

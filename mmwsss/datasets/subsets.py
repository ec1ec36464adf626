"""Parts of a training list that keep the proportions of the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mmwsss.functional.checks import check_range
from mmwsss.utils.names import names_by_number

__all__ = [
    'FRACTIONS',
    'choose_fraction',
    'choose_subsets',
    'draw_held_out',
    'split_folds',
    'subset_statistics',
]

NO_CLASS = 0  # of images without a label
# Those of RPNet's table II; parts of other sizes contain the smaller ones of these.
FRACTIONS = tuple(Fraction(1, n) for n in (2, 4, 8, 16))


def choose_subsets(
    labels: Mapping[str, Sequence[int]], fractions: Iterable[Fraction], seed: int = 0
) -> dict[Fraction, list[str]]:
    """Choose a fraction of the images of every class, at random, at least one of each.

    From the rarest class to the most frequent one, images of the class are added in a random order
    until ``max(1, round(fraction * images of the class))`` are there. Images with several classes
    count for each, so that a frequent class may end above its share, never below. Each part contains
    the smaller ones. Images without label are a class of their own.

    Source: RPNet, table II, which reduces the images "per class" and does not say how.

    Args:
        labels: Image id -> class ids. The order of the images has no influence on the choice.
        fractions: Each in (0, 1].
        seed: Seed of the random order.

    Returns:
        Fraction, largest first -> chosen ids in the order of ``labels``.

    Raises:
        ValueError: A fraction does not lie in (0, 1], or no image has a label.
    """
    wanted = sorted(set(fractions))
    for fraction in wanted:
        check_range('fractions', fraction, '(0, 1]')
    names = sorted(labels)
    images: dict[int, list[str]] = {}  # by class, in one random order of all
    for place in np.random.default_rng(seed).permutation(len(names)).tolist():
        for class_id in labels[names[place]] or (NO_CLASS,):
            images.setdefault(class_id, []).append(names[place])
    if not set(images) - {NO_CLASS}:
        raise ValueError('labels must give at least one image a class, but none has one')
    rarest_first = sorted(images, key=lambda class_id: (len(images[class_id]), class_id))
    chosen: set[str] = set()
    parts = {}
    for fraction in wanted:
        for class_id in rarest_first:
            of_class = images[class_id]
            target = max(1, int(fraction * len(of_class) + Fraction(1, 2)))  # halves rounded up
            missing = target - sum(name in chosen for name in of_class)
            candidates = [name for name in of_class if name not in chosen]
            chosen.update(candidates[: max(missing, 0)])
        parts[fraction] = [name for name in labels if name in chosen]
    return dict(reversed(parts.items()))


def choose_fraction(
    labels: Mapping[str, Sequence[int]], fraction: float | str, seed: int = 0
) -> list[str]:
    """Choose one part as :func:`choose_subsets` does beside those of ``FRACTIONS``.

    So 1/4 gives the images of the list that ``tools/dataset_converters/subset.py`` writes by default, and
    contains those of 1/8 and 1/16. ``fraction`` lies in (0, 1]: a number, or a text such as ``'1/4'``.

    Raises:
        ValueError: ``fraction`` is no number in (0, 1], or no image has a label.
    """
    try:
        wanted = Fraction(str(fraction))
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"fraction must be a number in (0, 1] such as 0.25 or '1/4', but got {fraction!r}"
        ) from None
    return choose_subsets(labels, {wanted, *FRACTIONS}, seed)[wanted]


def subset_statistics(
    labels: Mapping[str, Sequence[int]],
    parts: Mapping[Fraction, Sequence[str]],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Count images and classes of the whole list and of its parts.

    Args:
        labels: Image id -> class ids 1..K.
        parts: Fraction -> ids, as :func:`choose_subsets` returns them.
        classes: Class names of the dataset.

    Returns:
        ``images``, ``unlabelled``, ``images_with_class`` (name -> count), and ``parts``: fraction as
        text -> ``images``, ``share`` and ``images_with_class``.
    """

    def counts(names: Iterable[str]) -> dict[str, int]:
        counter = Counter(class_id for name in names for class_id in labels[name])
        return {name: counter[i] for i, name in enumerate(names_by_number(classes)) if i}

    return {
        'images': len(labels),
        'unlabelled': sum(not len(label) for label in labels.values()),
        'images_with_class': counts(labels),
        'parts': {
            str(fraction): {
                'images': len(names),
                'share': round(len(names) / len(labels), 4),
                'images_with_class': counts(names),
            }
            for fraction, names in parts.items()
        },
    }


def draw_held_out(
    labels: Mapping[str, Sequence[int]], candidates: Sequence[str], count: int, seed: int = 0
) -> set[str]:
    """Draw images to score on, at random, with an image of every class where that is possible.

    Classes without one are served first, from the rarest on. No class loses its last other image, so fewer
    than ``count`` may be drawn.

    Args:
        labels: Image id -> class ids, of all images.
        candidates: Ids among which to draw.
        count: How many to draw.
        seed: Of the draw.

    Returns:
        The ids drawn.
    """
    places = np.random.default_rng(seed).permutation(len(candidates)).tolist()
    order = [candidates[place] for place in places]
    left = Counter(i for label in labels.values() for i in label)
    drawn: set[str] = set()

    def draw(names: Iterable[str]) -> None:
        for name in names:
            spare = name not in drawn and all(left[i] > 1 for i in labels[name])
            if spare and len(drawn) < count:
                drawn.add(name)
                left.subtract(labels[name])
                return

    available = Counter(i for name in order for i in labels[name])
    for class_id in sorted(available, key=lambda i: (available[i], i)):
        if not any(class_id in labels[name] for name in drawn):
            draw(name for name in order if class_id in labels[name])
    for name in order:
        draw([name])
    return drawn


def split_folds(labels: Mapping[str, Sequence[int]], folds: int, seed: int = 0) -> list[list[str]]:
    """Share images out among folds, at random, such that the images of every class are spread evenly.

    From the rarest class to the most frequent one, each image goes where there are fewest of its class, and
    among such folds where there are fewest images. Images without label are a class of their own.

    Source: after Sechidis, Tsoumakas, Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD 2011.

    Args:
        labels: Image id -> class ids.
        folds: Number of folds.
        seed: Seed of the random order of the images.

    Returns:
        The ids of each fold, in the order of ``labels``.

    Raises:
        ValueError: There are fewer than two folds, or fewer images than folds.
    """
    if not 2 <= folds <= len(labels):
        raise ValueError(f'folds must lie in 2..{len(labels)} (the images), but got {folds}')
    names = sorted(labels)
    order = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    frequency = Counter(i for label in labels.values() for i in label or (NO_CLASS,))
    counts: list[Counter[int]] = [Counter() for _ in range(folds)]
    sizes, fold_of = [0] * folds, {}
    for class_id in sorted(frequency, key=lambda i: (frequency[i], i)):
        for name in order:
            label = labels[name] or (NO_CLASS,)
            if name in fold_of or class_id not in label:
                continue
            fold = min(range(folds), key=lambda i: (counts[i][class_id], sizes[i], i))
            fold_of[name] = fold
            counts[fold].update(label)
            sizes[fold] += 1
    return [[name for name in labels if fold_of[name] == fold] for fold in range(folds)]

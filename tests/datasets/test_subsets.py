from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from mmwsss.datasets.subsets import (
    choose_fraction,
    choose_subsets,
    draw_held_out,
    split_folds,
    subset_statistics,
)

FRACTIONS = [Fraction(1, n) for n in (2, 4, 8, 16)]


def random_labels(count=400, classes=20, seed=0):
    """Classes from frequent to rare, up to five on an image, and one image of class 1 alone."""
    generator = np.random.default_rng(seed)
    chances = np.linspace(0.4, 0.01, classes - 1)
    rows = generator.random((count, classes - 1)) < chances
    labels = {f'i{n}': (np.flatnonzero(row) + 2).tolist() for n, row in enumerate(rows)}
    labels['i7'] = [1, 2]
    return labels


def count(labels, names):
    return Counter(c for name in names for c in labels[name])


@pytest.fixture(scope='module')
def labels():
    return random_labels()


@pytest.fixture(scope='module')
def parts(labels):
    return choose_subsets(labels, FRACTIONS, seed=1)


def test_every_class_keeps_its_share_and_at_least_one(labels, parts):
    whole = count(labels, labels)
    for fraction, names in parts.items():
        found = count(labels, names)
        for c, n in whole.items():
            assert found[c] >= max(1, np.floor(float(fraction) * n + 0.5)), (fraction, c)
    assert all('i7' in names for names in parts.values())


@pytest.mark.parametrize('fraction', ['1/4', 0.25, '0.25'])
def test_one_part_is_that_of_the_usual_lists(labels, fraction):
    usual = choose_subsets(labels, FRACTIONS, seed=2)[Fraction(1, 4)]
    assert usual != choose_subsets(labels, [Fraction(1, 4)], seed=2)[Fraction(1, 4)]
    assert choose_fraction(labels, fraction, seed=2) == usual


def test_a_part_between_contains_the_smaller_usual_ones(labels, parts):
    chosen = set(choose_fraction(labels, 0.3, seed=1))
    assert set(parts[Fraction(1, 4)]) < chosen
    assert choose_fraction(labels, 1) == list(labels)


@pytest.mark.parametrize('fraction', ['a quarter', '1/0', True, None])
def test_a_fraction_is_a_number(labels, fraction):
    with pytest.raises(ValueError, match=r'fraction must be a number in \(0, 1\] such as 0\.25'):
        choose_fraction(labels, fraction)


def test_frequent_classes_are_not_far_above_their_share(labels, parts):
    whole = count(labels, labels)
    found = count(labels, parts[Fraction(1, 4)])
    assert all(found[c] <= 1.5 * n / 4 + 2 for c, n in whole.items())
    labelled = sum(bool(label) for label in labels.values())
    assert len(parts[Fraction(1, 4)]) < 1.2 * labelled / 4


def test_the_parts_are_nested_and_in_the_order_of_the_list(labels, parts):
    assert list(parts) == FRACTIONS
    for large, small in zip(FRACTIONS, FRACTIONS[1:]):
        assert set(parts[small]) < set(parts[large])
    order = {name: i for i, name in enumerate(labels)}
    for names in parts.values():
        assert names == sorted(set(names), key=order.get)


def test_the_seed_decides_and_the_order_of_the_images_does_not(labels, parts):
    turned = choose_subsets(dict(reversed(labels.items())), FRACTIONS, seed=1)
    assert {f: set(names) for f, names in turned.items()} == {
        f: set(names) for f, names in parts.items()
    }
    other = choose_subsets(labels, FRACTIONS, seed=2)
    assert other[Fraction(1, 4)] != parts[Fraction(1, 4)]


def test_images_are_chosen_evenly():
    labels = {f'i{n}': [1] for n in range(8)}
    drawn = Counter()
    for seed in range(400):
        drawn.update(choose_subsets(labels, [Fraction(1, 4)], seed)[Fraction(1, 4)])
    assert sum(drawn.values()) == 800
    assert all(70 <= drawn[name] <= 130 for name in labels)


def test_halves_are_rounded_up():
    labels = {f'i{n}': [1] for n in range(5)}
    assert len(choose_subsets(labels, [Fraction(1, 2)])[Fraction(1, 2)]) == 3
    assert choose_subsets(labels, [Fraction(1)])[Fraction(1)] == list(labels)


@pytest.mark.parametrize('fractions', [[Fraction(0)], [Fraction(3, 2)]])
def test_wrong_fractions(labels, fractions):
    with pytest.raises(ValueError, match=r'fractions must lie in \(0, 1\]'):
        choose_subsets(labels, fractions)


def test_without_labels():
    with pytest.raises(ValueError, match='at least one image a class, but none has one'):
        choose_subsets({'a': []}, FRACTIONS)


def test_statistics():
    labels = {'a': [1], 'b': [1, 2], 'c': [], 'd': [2]}
    found = subset_statistics(labels, {Fraction(1, 2): ['b']}, ['background', 'cat', 'dog'])
    assert found == {
        'images': 4,
        'unlabelled': 1,
        'images_with_class': {'cat': 2, 'dog': 2},
        'parts': {'1/2': {'images': 1, 'share': 0.25, 'images_with_class': {'cat': 1, 'dog': 1}}},
    }


def test_the_rarest_class_is_held_out_first():
    labels = {f'i{n}': [1] for n in range(20)} | {'a': [2], 'b': [2], 'c': [3]}
    assert all(draw_held_out(labels, list(labels), 1, seed) < {'a', 'b'} for seed in range(9))
    assert len(draw_held_out(labels, list(labels), 99)) == 19 + 1
    assert draw_held_out(labels, ['a', 'i3'], 99) == {'a', 'i3'}


@pytest.mark.parametrize('seed', range(3))
def test_folds_spread_every_class_evenly(labels, seed):
    folds = split_folds(labels, 5, seed)
    assert sorted(name for fold in folds for name in fold) == sorted(labels)
    assert all(fold == [name for name in labels if name in set(fold)] for fold in folds)
    assert max(map(len, folds)) - min(map(len, folds)) < 20
    counts = [count(labels, fold) for fold in folds]
    for class_id, total in count(labels, labels).items():
        spread = [each[class_id] for each in counts]
        assert max(spread) - min(spread) <= max(2, 0.15 * total)
    without = [sum(not labels[name] for name in fold) for fold in folds]
    assert sum(without) > 3
    assert max(without) - min(without) <= 1
    again = split_folds(dict(sorted(labels.items())), 5, seed)  # whatever their order
    assert list(map(set, again)) == list(map(set, folds))
    assert folds != split_folds(labels, 5, seed + 1)


@pytest.mark.parametrize('folds', [0, 1, 4])
def test_folds_that_cannot_be_are_refused(folds):
    with pytest.raises(ValueError, match=r'folds must lie in 2\.\.3'):
        split_folds({'a': [1], 'b': [1], 'c': []}, folds)


def test_statistics_of_classes_without_background():
    found = subset_statistics({'a': [1], 'b': [1], 'c': [2]}, {}, ['tumour', 'stroma'])
    assert found['images_with_class'] == {'tumour': 2, 'stroma': 1}

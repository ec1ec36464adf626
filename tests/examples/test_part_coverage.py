from __future__ import annotations

import numpy as np
import pytest

from demo_data import part_coverage, part_coverage_scores

GT = np.array([[1, 1, 1, 0], [1, 2, 2, 0], [255, 2, 0, 0]])
PARTS = np.array([[1, 2, 2, 0], [2, 1, 2, 0], [255, 2, 0, 0]])
PRED = np.array([[1, 1, 2, 1], [0, 2, 2, 0], [1, 255, 0, 2]])


def loop_counts(pred, gt, parts, num_classes):
    names = ('part_hits', 'part_pixels', 'body_hits', 'body_pixels')
    counts = {n: [0] * (num_classes - 1) for n in (*names, 'predicted_hits', 'predicted_pixels')}
    for p, g, r in zip(pred.ravel().tolist(), gt.ravel().tolist(), parts.ravel().tolist()):
        if g == 255 or r == 255:
            continue
        if g > 0:
            kind = 'part' if r == 1 else 'body'
            counts[f'{kind}_pixels'][g - 1] += 1
            counts[f'{kind}_hits'][g - 1] += p == g
        if p not in (0, 255):
            counts['predicted_pixels'][p - 1] += 1
            counts['predicted_hits'][p - 1] += p == g
    return counts


def test_counts_worked_out_by_hand() -> None:
    counts = part_coverage(PRED, GT, PARTS, num_classes=4)
    assert {name: values.tolist() for name, values in counts.items()} == {
        'part_hits': [1, 1, 0],
        'part_pixels': [1, 1, 0],
        'body_hits': [1, 1, 0],
        'body_pixels': [3, 2, 0],
        'predicted_hits': [2, 2, 0],
        'predicted_pixels': [3, 4, 0],
    }
    assert all(values.dtype == np.int64 for values in counts.values())


@pytest.mark.parametrize('seed', range(5))
def test_counts_equal_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gt = rng.choice([0, 1, 2, 3, 255], (9, 11)).astype(np.uint8)
    parts = np.where(gt == 0, 0, rng.choice([1, 2], gt.shape)).astype(np.uint8)
    parts[(gt == 255) | (rng.random(gt.shape) < 0.1)] = 255
    pred = rng.choice([0, 1, 2, 3, 255], gt.shape).astype(np.uint8)
    inputs = [array.copy() for array in (pred, gt, parts)]
    counts = part_coverage(pred, gt, parts, num_classes=4)
    expected = loop_counts(pred, gt, parts, 4)
    assert {name: values.tolist() for name, values in counts.items()} == expected
    assert all((a == b).all() for a, b in zip(inputs, (pred, gt, parts)))


def test_scores_worked_out_by_hand() -> None:
    counts = part_coverage(PRED, GT, PARTS, num_classes=4)
    scores = part_coverage_scores(counts, ['a', 'b', 'c'])
    assert scores['per_class']['a'] == pytest.approx(
        {'part_recall': 1, 'body_recall': 1 / 3, 'precision': 2 / 3}
    )
    assert scores['per_class']['b'] == pytest.approx(
        {'part_recall': 1, 'body_recall': 1 / 2, 'precision': 1 / 2}
    )
    assert all(np.isnan(value) for value in scores['per_class']['c'].values())
    assert scores['mean'] == pytest.approx(
        {'part_recall': 1, 'body_recall': 5 / 12, 'precision': 7 / 12}
    )
    assert scores['pooled'] == pytest.approx(
        {'part_recall': 1, 'body_recall': 2 / 5, 'precision': 4 / 7}
    )


def test_counts_of_two_images_add_up() -> None:
    one = part_coverage(PRED, GT, PARTS, num_classes=3)
    both = part_coverage(
        np.concatenate([PRED, PRED]), np.concatenate([GT, GT]), np.concatenate([PARTS, PARTS]), 3
    )
    assert all((2 * one[name] == both[name]).all() for name in one)


def test_perfect_and_empty_predictions() -> None:
    perfect = part_coverage_scores(part_coverage(GT, GT, PARTS, 3), ['a', 'b'])
    assert set(perfect['pooled'].values()) == {1.0}
    empty = part_coverage_scores(part_coverage(np.zeros_like(GT), GT, PARTS, 3), ['a', 'b'])
    assert empty['pooled']['part_recall'] == empty['pooled']['body_recall'] == 0
    assert np.isnan(empty['mean']['precision'])


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        ({'pred': PRED.astype(float)}, TypeError, 'pred must hold integers, but got float64'),
        ({'pred': PRED[:2]}, ValueError, r'pred must have the shape .* got \(2, 4\) and \(3, 4\)'),
        ({'parts': PARTS[None]}, ValueError, r'parts must have the shape .* got \(1, 3, 4\)'),
        ({'pred': np.full_like(GT, 3)}, ValueError, r'pred must hold ids in 0..2 .* got \[3\]'),
        ({'gt': np.full_like(GT, -1)}, ValueError, r'gt must hold ids .* got \[-1\]'),
        ({'parts': np.full_like(GT, 3)}, ValueError, r'parts must hold ids in 0..2 .* got \[3\]'),
        ({'parts': np.zeros_like(GT)}, ValueError, 'disagree about the foreground in 7 pixels'),
        ({'num_classes': 1}, ValueError, 'num_classes must be at least 2, but got 1'),
    ],
)
def test_wrong_arguments(change: dict, error: type, message: str) -> None:
    arguments = {'pred': PRED, 'gt': GT, 'parts': PARTS, 'num_classes': 3, **change}
    with pytest.raises(error, match=message):
        part_coverage(**arguments)


def test_names_must_fit_the_counts() -> None:
    with pytest.raises(ValueError, match='must hold 2 names, but got 1'):
        part_coverage_scores(part_coverage(PRED, GT, PARTS, 3), ['a'])

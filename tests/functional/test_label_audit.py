from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional import contradicted_labels, self_confidence
from tests.oracles.label_audit import plain_contradictions


@pytest.mark.parametrize('seed', range(5))
def test_equals_the_plain_loop(seed):
    rng = np.random.default_rng(seed)
    labels = rng.random((40, 6)) < np.array([0, 0.1, 0.3, 0.5, 0.9, 1])
    probabilities = np.clip(labels * 0.2 + rng.random((40, 6)) * 0.9 - 0.05, 0, 1)
    found = contradicted_labels(probabilities, labels)
    assert list(map(tuple, found)) == plain_contradictions(probabilities, labels)
    assert len(found) > 10
    assert {1, 2, 3, 4} >= set(found[:, 1])  # all images have the last class, none the first


def test_a_missing_and_a_surplus_class_by_hand():
    probabilities = [[0.9], [0.8], [0.1], [0.2], [0.95], [0.05]]
    labels = [[1], [1], [1], [0], [0], [0]]  # t1 = 0.6, t0 = 1.8 / 3
    assert contradicted_labels(probabilities, labels).tolist() == [[4, 0], [2, 0]]
    expected = [0.9, 0.8, 0.1, 0.8, 0.05, 0.95]
    np.testing.assert_allclose(self_confidence(probabilities, labels)[:, 0], expected)


def test_what_nobody_knows_is_not_named_and_equals_keep_their_order():
    probabilities = np.array([[np.nan, 0.25], [np.nan, 0.75], [np.nan, 0.75], [np.nan, 0.75]])
    labels = torch.tensor([[1, 1], [0, 0], [1, 0], [0, 1]])
    found = contradicted_labels(torch.from_numpy(probabilities), labels)
    assert found.tolist() == [[0, 1], [1, 1], [2, 1]]  # t1 = 0.5, t0 = 0.25; the last has both
    assert contradicted_labels(np.zeros((0, 3)), np.zeros((0, 3), bool)).shape == (0, 2)


@pytest.mark.parametrize(
    ('probabilities', 'labels', 'message'),
    [
        ([[0.5, 0.5]], [[1]], 'shapes must be'),
        ([[1.5]], [[1]], r'probabilities must lie in \[0, 1\]'),
        ([[-0.5]], [[1]], r'probabilities must lie in \[0, 1\]'),
        ([[0.5]], [[2]], 'nothing but 0 and 1'),
    ],
)
def test_bad_input_is_refused(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        contradicted_labels(probabilities, labels)

import numpy as np
import pytest

from mmwsss.datasets.class_index import ClassIndex


def test_both_directions():
    labels = [[5, 2], [], [2], [9, 5]]
    index = ClassIndex(labels)
    assert len(index) == 4
    assert index.classes == [2, 5, 9]
    assert index.labelled.tolist() == [0, 2, 3]
    assert [index.labels_of(i).tolist() for i in range(4)] == labels
    assert {c: index.images_of(c).tolist() for c in (2, 3, 5, 9)} == {
        2: [0, 2],
        3: [],
        5: [0, 3],
        9: [3],
    }


def test_against_a_slow_search():
    generator = np.random.default_rng(0)
    labels = [np.flatnonzero(generator.random(12) < 0.2).tolist() for _ in range(200)]
    index = ClassIndex(labels)
    for c in range(12):
        assert index.images_of(c).tolist() == [i for i, row in enumerate(labels) if c in row]


def test_it_is_small():
    labels = [[i % 80, (i + 7) % 80, (i + 9) % 80] for i in range(10_000)]
    assert ClassIndex(labels).nbytes < 10_000 * 3 * 10


def test_no_image():
    index = ClassIndex([])
    assert len(index) == 0
    assert index.classes == []


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        ([[1], [2, 2]], 'image 1 names a class twice'),
        ([[-1]], 'must lie in'),
        ([[70000]], 'lie in'),
    ],
)
def test_wrong_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        ClassIndex(labels)

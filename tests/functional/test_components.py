from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label

from mmwsss.functional.components import class_components, label_components


def random_map(seed, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 4, size=(rng.integers(1, 12), rng.integers(1, 12)))
    labels = np.kron(coarse, np.ones((3, 2), dtype=int)) * rng.integers(1, 60)
    return labels.astype(dtype)


@pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.int64])
def test_same_regions_as_scikit_image(dtype):
    for seed in range(40):
        labels = random_map(seed, dtype)
        assert labels.dtype == dtype
        ours, theirs = label_components(labels), label(labels, background=0, connectivity=2)
        pairs = {*zip(ours.ravel().tolist(), theirs.ravel().tolist())}
        assert ours.dtype == np.int32
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
        assert (0, 0) in pairs or (labels > 0).all()


def test_boxes_and_components_by_hand():
    labels = np.zeros((5, 6), dtype=np.int64)
    labels[1, 1] = labels[2, 2] = labels[4, 5] = 300  # corners connect
    labels[0, 3:5] = 2
    (c, box, components, n), (d, other, more, m) = class_components(labels)
    assert (c, box, components.tolist(), n) == (2, np.s_[0:1, 3:5], [[1, 1]], 1)
    assert (d, other, m) == (300, np.s_[1:5, 1:6], 2)
    assert np.bincount(more.ravel()).tolist() == [17, 2, 1]
    for size in ((3, 3), (0, 3)):
        assert not list(class_components(np.zeros(size, dtype=np.uint8)))

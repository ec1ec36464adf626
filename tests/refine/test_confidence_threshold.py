from __future__ import annotations

import numpy as np
import pytest

from mmwsss.io import ClassMaps
from mmwsss.refine import ConfidenceThreshold, RefinerChain

SCORES = np.array([[[0.96, 0.5]], [[0.04, 0.5]], [[0.0, 0.0]]], np.float32)


def test_doubtful_pixels_become_undecided():
    maps = ClassMaps(np.array([0, 3, 7]), SCORES, (1, 2))
    assert RefinerChain([dict(type='ConfidenceThreshold')])(maps).tolist() == [[0, 255]]
    assert ConfidenceThreshold(0.5)(maps).tolist() == [[0, 0]]  # equal is enough


def test_it_needs_a_background_and_a_share():
    with pytest.raises(ValueError, match='no background map'):
        ConfidenceThreshold()(ClassMaps(np.array([3]), SCORES[1:2], (1, 2)))
    with pytest.raises(ValueError, match=r'min_confidence must lie in \[0, 1\]'):
        ConfidenceThreshold(1.5)

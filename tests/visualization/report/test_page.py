from __future__ import annotations

import re

import numpy as np
import pytest

from mmwsss.visualization.report import (
    Gallery,
    Html,
    Picture,
    RunReport,
    StageScore,
    render_page,
    tag,
)


def gallery(title: str, name: str) -> Gallery:
    picture = Picture(name, '', [('image', np.zeros((4, 4, 3), np.uint8))])
    return Gallery(title, '', {'best': [picture]})


@pytest.mark.parametrize(
    'titles',
    [
        ('Images: masks', 'Images: masks'),  # two stages of one name
        ('Images: a/b', 'Images: a b'),  # different titles, the same anchor
        ('Images: a', 'Images: a', 'Images: a 2'),
        ('???', '!!!'),  # nothing that an anchor can be made of
        ('Scores', 'Time'),  # those of the page itself
    ],
)
def test_every_section_has_an_anchor_of_its_own(titles):
    report = RunReport(
        'title',
        scores=[StageScore('masks', 'p', 0.5)],
        galleries=[gallery(title, f'picture{i}') for i, title in enumerate(titles)],
        seconds={'step': 1.0},
        extra={'Scores': tag('p', 'an extra part'), 'empty': Html('')},
    )
    page = render_page(report)
    anchors = re.findall('<section id="([^"]*)"', page)
    links = re.findall('<a href="#([^"]*)"', page)
    headings = re.findall('<section[^>]*><h2>([^<]*)</h2>', page)
    assert headings == ['Scores', 'Scores', *titles, 'Time']
    assert all(anchors)
    assert len(set(anchors)) == len(anchors)
    assert links == anchors
    assert re.findall('<a [^>]*>([^<]*)</a>', page) == headings
    assert all(f'picture{i}' in page for i in range(len(titles)))

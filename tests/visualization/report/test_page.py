from __future__ import annotations

import re

import numpy as np
import pytest

from mmwsss.visualization.report import (
    Confusion,
    Gallery,
    Html,
    Picture,
    RunReport,
    SizeScore,
    StageScore,
    ThresholdCurve,
    Training,
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


def text_of(page: str) -> str:
    return re.sub('<[^>]*>', ' ', page)


def test_scores_of_one_name_stay_apart():
    scores = [StageScore('masks', 'p', miou, {'cat': miou}) for miou in (0.25, 0.75)]
    sizes = [SizeScore('masks', {'all': value}, {'all': 3}, 'maps') for value in (0.125, 0.375)]
    curves = [ThresholdCurve('masks', [0.1, 0.2], [0.3, low]) for low in (0.4, 0.5)]
    page = render_page(RunReport('title', scores=scores, sizes=sizes, curves=curves))
    for number in ('25.00', '75.00', '12.50 (3 objects)', '37.50 (3 objects)'):
        assert number in page
    assert page.count('<polyline') == 2
    assert page.count('masks (2)') == 3  # the keys of classes, of sizes and of curves


def test_a_loss_that_is_the_whole_loss_is_one_curve_with_both_names():
    line, other = ([1, 2], [0.5, 0.25]), ([1, 2], [0.5, 0.125])
    losses = {'loss': line, 'decode.loss_ce': line, 'aux.loss_ce': other}
    page = render_page(RunReport('title', trainings=[Training('segmenter', losses)]))
    assert page.count('<polyline') == 2
    assert 'loss = decode.loss_ce' in page
    assert '>aux.loss_ce<' in page


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0.2, '0 s'),
        (59.6, '1 min 0 s'),
        (218, '3 min 38 s'),
        (3599.7, '1 h 0 min'),
        (7260, '2 h 1 min'),
    ],
)
def test_durations_as_people_say_them(seconds, text):
    page = render_page(RunReport('title', seconds={'train': seconds}, commands=[('run', seconds)]))
    assert f'>{text}</td>' in page
    assert f'run  # {text}</pre>' in page


def test_the_score_of_empty_masks_stands_beside_the_confusion():
    # 60 of 100 pixels are background and one of three classes does not occur: (60 + 0) / 2.
    counts = np.array([[50, 10, 0, 0], [10, 10, 0, 20], [0, 0, 0, 0]])
    report = RunReport('t', confusions=[Confusion('masks', ['background', 'cat', 'dog'], counts)])
    assert 'nothing but background would score 30.00 % mIoU' in text_of(render_page(report))
    empty = RunReport(
        't', confusions=[Confusion('masks', ['background', 'cat', 'dog'], counts * 0)]
    )
    assert 'nothing but background' not in render_page(empty)

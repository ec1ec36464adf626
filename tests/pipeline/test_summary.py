from __future__ import annotations

import json

import pytest

from mmwsss.io import Protocol, Score
from mmwsss.pipeline.summary import StageSummary, Summary, page, read_summary, short_path
from mmwsss.utils.resources import ROOT


def test_the_page_has_the_scores_of_all_metrics():
    protocol = Protocol('val', 3)
    stages = [
        StageSummary('masks_score', 'score', scores=[Score('masks', protocol, {'mIoU': 0.3})]),
        StageSummary(
            'x',
            'test',
            scores=[Score('segmenter', protocol, {'mIoU': 0.2, 'aAcc': 0.7, 'IA-mIoU': 0.125})],
        ),
        StageSummary('y', 'test', scores=[Score('segmenter', protocol, {'F': 0.01})]),
        StageSummary('masks', 'masks', doubts=['no mask has dog']),
    ]
    lines = page(Summary('n', 'p.py', 0, stages=stages)).splitlines()
    text = protocol.text()
    assert f'| masks_score | masks | 30.00 |  | {text} |' in lines
    assert f'| x | segmenter | 20.00 | IA-mIoU 12.50 | {text} |' in lines
    assert f'| y | segmenter | - | F 1.00 | {text} |' in lines
    assert '- WARNING: masks: no mask has dog' in lines


@pytest.mark.parametrize(
    ('content', 'message'),
    [('{', 'is not JSON'), ('[]', 'expected'), ({'name': 'a'}, "missing .* argument: 'pipeline'")],
)
def test_no_summary_is_named(tmp_path, content, message):
    path = tmp_path / 'summary.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=message) as caught:
        read_summary(path)
    assert str(path) in str(caught.value)


def test_paths_are_those_from_the_root_of_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(ROOT / 'configs' / 'pipelines' / 'demo.py') == 'configs/pipelines/demo.py'
    assert short_path(tmp_path / 'own.py') == str(tmp_path / 'own.py')
    assert short_path(tmp_path / 'own.py', tmp_path) == 'own.py'

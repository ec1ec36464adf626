from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / 'tools' / 'report.py'))


def run(*arguments) -> int:
    args = TOOL['parse_args'](list(map(str, arguments)))
    with pytest.raises(SystemExit) as end:
        TOOL['run_tool'](TOOL['main'], args)
    return end.value.code


def test_says_what_is_missing_and_where_the_page_is(tmp_path, capsys):
    score = {'what': 'masks', 'predictions': 'masks', 'images': 2, 'classes': ['background', 'cat']}
    score.update(mIoU=0.5, IoU={'background': 0.75, 'cat': 0.25})
    (tmp_path / 'masks.json').write_text(json.dumps(score))
    assert run(tmp_path, '--workers', 0) == 0
    said = capsys.readouterr().out
    assert f'report: {tmp_path / "report.html"}' in said
    assert 'left out: threshold curve' in said
    assert 'eval_masks.py' in said
    page = (tmp_path / 'report.html').read_text()
    assert '50.00' in page
    assert 'IoU per class' in page


def test_no_run_is_an_error(tmp_path, capsys):
    assert run(tmp_path / 'nothing') == 2
    assert 'not found' in capsys.readouterr().err
    assert run(tmp_path) == 2
    assert 'is it a run' in capsys.readouterr().err

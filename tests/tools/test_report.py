from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from mmwsss.io import Protocol, Score, make_record, write_record

TOOL = runpy.run_path(str(Path(__file__).parents[2] / 'tools' / 'report.py'))


def run(*arguments) -> int:
    args = TOOL['parse_args'](list(map(str, arguments)))
    with pytest.raises(SystemExit) as end:
        TOOL['run_tool'](TOOL['main'], args)
    return end.value.code


def test_says_what_is_missing_and_where_the_page_is(tmp_path, capsys):
    score = Score('masks', Protocol('val', 2), {'mIoU': 0.5}, {'background': 0.75, 'cat': 0.25})
    write_record(tmp_path / 'masks.json', make_record('score', scores=[score]))
    assert run(tmp_path, '--workers', 0) == 0
    said = capsys.readouterr().out
    assert f'report: {tmp_path / "report.html"}' in said
    assert 'left out: threshold curve' in said
    assert 'mmwsss score' in said
    page = (tmp_path / 'report.html').read_text()
    assert '50.00' in page
    assert 'IoU per class' in page


def test_no_run_is_an_error(tmp_path, capsys):
    assert run(tmp_path / 'nothing') == 2
    assert 'RUN_DIR must be a folder' in capsys.readouterr().err
    assert run(tmp_path) == 2
    assert 'is it a run' in capsys.readouterr().err


def test_wrong_arguments_are_named_with_what_was_expected(tmp_path, capsys):
    (tmp_path / 'run').mkdir()
    write_record(tmp_path / 'run', make_record('train'))
    (tmp_path / 'file').write_text('')
    cases = {
        ('nowhere',): "RUN_DIR must be a folder, but there is none at 'nowhere'",
        (
            tmp_path / 'file',
        ): f"RUN_DIR must be a folder, but there is none at '{tmp_path / 'file'}'",
        (tmp_path / 'run', '--gt', 'no'): "--gt must be a folder, but there is none at 'no'",
        (tmp_path / 'run', '--num-images', -1): '--num-images must be >= 0, but got -1',
        (tmp_path / 'run', '--config', 'no.py'): 'config not found: no.py',
    }
    for arguments, message in cases.items():
        assert run(*arguments) == 2, arguments
        assert capsys.readouterr().err == f'error: {message}\n'
    assert not (tmp_path / 'run' / 'report.html').exists()


def test_options_keep_the_spaces_of_folders(tmp_path):
    args = TOOL['parse_args']([str(tmp_path), '--cfg-options', 'data_root=my photos'])
    assert args.cfg_options == {'data_root': 'my photos'}

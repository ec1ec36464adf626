from __future__ import annotations

import runpy

import pytest

from tests.tools.run import TOOLS, run_here

TOOL = runpy.run_path(str(TOOLS / 'test.py'))


def test_pictures_without_a_hook_that_draws_them(tmp_path):
    (tmp_path / 'segmenter.py').write_text("model = dict(type='EncoderDecoder')\n")
    config, weights = tmp_path / 'segmenter.py', tmp_path / 'w.pth'
    result = run_here('test.py', config, weights, '--show-dir', tmp_path / 'pictures')
    assert result.returncode == 2
    assert '--show-dir needs default_hooks.visualization' in result.stderr


@pytest.mark.parametrize(('words', 'folder'), [([], 'runs/test'), (['--work-dir', 'x'], 'x')])
def test_scores_do_not_replace_the_record_of_the_training(tmp_path, monkeypatch, words, folder):
    (tmp_path / 'a.py').write_text("model = dict(type='EncoderDecoder')\nwork_dir = 'runs'\n")
    main, seen = TOOL['main'], []
    monkeypatch.setitem(main.__globals__, 'run_test', lambda cfg, *_: seen.append(cfg) or {})
    assert main(TOOL['parse_args']([str(tmp_path / 'a.py'), 'w.pth', *words])) == 0
    assert seen[0].work_dir == folder

from __future__ import annotations

from tests.tools.run import run_here


def test_pictures_without_a_hook_that_draws_them(tmp_path):
    (tmp_path / 'segmenter.py').write_text("model = dict(type='EncoderDecoder')\n")
    config, weights = tmp_path / 'segmenter.py', tmp_path / 'w.pth'
    result = run_here('test.py', config, weights, '--show-dir', tmp_path / 'pictures')
    assert result.returncode == 2
    assert '--show-dir needs default_hooks.visualization' in result.stderr

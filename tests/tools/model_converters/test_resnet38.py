"""The converter's command line: files in, files out, refusals with an exit code."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from tests.models.convert.test_released import assert_same
from tests.models.convert.test_resnet38 import public

TOOL = Path(__file__).resolve().parents[3] / 'tools' / 'model_converters' / 'resnet38.py'


@pytest.fixture(scope='module')
def main():
    return runpy.run_path(str(TOOL))['main']


def test_there_and_back(main, tmp_path, capsys):
    torch.save(public(), tmp_path / 'theirs.pth')
    assert main([str(tmp_path / 'theirs.pth'), str(tmp_path / 'ours.pth')]) == 0
    assert main([str(tmp_path / 'ours.pth'), str(tmp_path / 'back.pth'), '--reverse']) == 0
    assert_same(torch.load(tmp_path / 'back.pth', weights_only=True), public())
    assert f'{len(public())} weights written' in capsys.readouterr().out


def test_another_classifier_must_be_dropped_by_name(main, tmp_path, capsys):
    theirs = tmp_path / 'theirs.pth'
    torch.save({**public(classifier=False), 'linear1000.weight': torch.zeros(1)}, theirs)
    assert main([str(theirs), str(tmp_path / 'ours.pth')]) == 2
    assert "left over: 'linear1000.weight'" in capsys.readouterr().err
    assert not (tmp_path / 'ours.pth').exists()
    assert main([str(theirs), str(tmp_path / 'ours.pth'), '--drop', 'linear1000']) == 0
    ours = torch.load(tmp_path / 'ours.pth', weights_only=True)['state_dict']
    assert all(key.startswith('backbone.') for key in ours)


def test_drop_does_not_go_with_reverse(main):
    with pytest.raises(SystemExit):
        main(['a', 'b', '--reverse', '--drop', 'fc8'])

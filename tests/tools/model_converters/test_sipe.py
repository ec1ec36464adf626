"""The converter's command line: files in, files out, refusals with an exit code."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from tests.models.convert.test_released import COPIES, assert_same, released, released_irnet

TOOL = Path(__file__).resolve().parents[3] / 'tools' / 'model_converters' / 'sipe.py'


@pytest.fixture(scope='module')
def main():
    return runpy.run_path(str(TOOL))['main']


@pytest.mark.parametrize('aliases', [('stage',), COPIES])
@pytest.mark.parametrize('make', [released, released_irnet])
def test_there_and_back(main, tmp_path, make, aliases, capsys):
    theirs = make(aliases=aliases)
    torch.save({'net': theirs}, tmp_path / 'theirs.pth')
    assert main([str(tmp_path / 'theirs.pth'), str(tmp_path / 'ours.pth')]) == 0
    assert main([str(tmp_path / 'ours.pth'), str(tmp_path / 'back.pth'), '--reverse']) == 0
    back = torch.load(tmp_path / 'back.pth', weights_only=True)
    assert_same(back['net'], theirs)
    assert f'{len(theirs)} weights written' in capsys.readouterr().out


def test_aliases_can_be_chosen(main, tmp_path):
    torch.save(released(), tmp_path / 'theirs.pth')
    main([str(tmp_path / 'theirs.pth'), str(tmp_path / 'ours.pth')])
    main([str(tmp_path / 'ours.pth'), str(tmp_path / 'back.pth'), '--reverse', '--aliases'])
    back = torch.load(tmp_path / 'back.pth', weights_only=True)
    assert_same(back['net'], released(aliases=()))


def test_leftover_writes_nothing(main, tmp_path, capsys):
    torch.save({**released(), 'extra.weight': torch.zeros(1)}, tmp_path / 'theirs.pth')
    assert main([str(tmp_path / 'theirs.pth'), str(tmp_path / 'ours.pth')]) == 2
    assert 'extra.weight' in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ['theirs.pth']


class Anything:
    pass


def test_objects_are_not_unpickled(main, tmp_path, capsys):
    torch.save({'net': released(), 'object': Anything()}, tmp_path / 'theirs.pth')
    assert main([str(tmp_path / 'theirs.pth'), str(tmp_path / 'ours.pth')]) == 2
    assert 'more than tensors' in capsys.readouterr().err


def test_missing_file(main, tmp_path, capsys):
    assert main([str(tmp_path / 'none.pth'), str(tmp_path / 'ours.pth')]) == 2
    assert 'checkpoint not found' in capsys.readouterr().err


def test_aliases_need_reverse(main, tmp_path):
    with pytest.raises(SystemExit):
        main(['a', 'b', '--aliases', 'stage'])

from __future__ import annotations

import argparse

import mmengine.device.utils
import pytest
import torch
from mmengine.device import get_device

from mmwsss.refine import RefinerChain
from mmwsss.utils.cli import add_device_argument, add_launcher_arguments, run_tool


@pytest.fixture(autouse=True)
def own_default(monkeypatch):
    monkeypatch.setattr(mmengine.device.utils, 'DEVICE', 'elsewhere')


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_device_argument(parser)
    add_launcher_arguments(parser)
    with pytest.raises(SystemExit) as end:
        run_tool(lambda args: 0 if get_device() == 'cpu' else 3, parser.parse_args(words))
    return end.value.code


def test_the_device_is_mmengines():
    assert run('--device', 'cpu') == 0
    assert get_device() == 'cpu'


def test_without_one_it_stays():
    assert run() == 3


@pytest.mark.parametrize('name', ['gpu', 'cuda:99', 'cpu:x'])
def test_a_wrong_one_is_one_line_and_code_2(capsys, name):
    assert run('--device', name) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: device '{name}' cannot be used here: ")
    assert err.count('\n') == 1


def test_ranks_take_no_single_device(capsys):
    assert run('--device', 'cpu:0', '--launcher', 'pytorch') == 2
    assert '--device cpu:0 is for one process' in capsys.readouterr().err


def test_refiners_with_a_network_move_the_others_do_not():
    walk = dict(type='RandomWalk', config='c.py', checkpoint='c.pth')
    chain = RefinerChain([walk, dict(type='BackgroundThreshold', threshold=0.3)], 'cuda')
    assert [refiner.device for refiner in chain.refiners] == ['cuda', 'cpu']
    assert chain.refiners[0].network.device == 'cuda'
    assert torch.device(RefinerChain([walk]).refiners[0].device).type == 'cpu'

"""The benchmarks' helpers: bytes counted exactly, ratios the right way round, results with origin."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
import torch

COMMON = runpy.run_path(str(Path(__file__).resolve().parents[2] / 'benchmarks' / 'common.py'))
MIB = 2**20

cpu_only = pytest.mark.skipif(
    torch.cuda.is_available(), reason="counts the CPU allocator, the helpers count the GPU's"
)


@cpu_only
def test_peak_memory_of_known_allocations():
    def work():
        a = torch.zeros(MIB)  # 4 MiB
        b = a + 1  # 8
        del a  # 4
        b.mul_(2)  # 4
        return b * 2  # 8

    assert COMMON['peak_memory'](work) == pytest.approx(8 * MIB, rel=1e-3)


@cpu_only
def test_peak_memory_does_not_count_what_was_there():
    there = torch.zeros(4 * MIB)
    assert COMMON['peak_memory'](lambda: there[:MIB] * 2) == pytest.approx(4 * MIB, rel=1e-3)


@cpu_only
def test_peak_memory_sees_the_backward_pass():
    values = torch.zeros(MIB, requires_grad=True)
    forward = COMMON['peak_memory'](lambda: values.exp())
    both = COMMON['peak_memory'](lambda: values.exp().sum().backward())
    assert forward == pytest.approx(4 * MIB, rel=1e-3)
    assert both >= 8 * MIB


def test_ratio_is_the_median_of_paired_rounds():
    result = COMMON['ratio_of']([2.0, 4.0, 9.0], [1.0, 1.0, 3.0])
    assert (result['ratio'], result['ratio_min'], result['ratio_max']) == (3.0, 2.0, 4.0)
    assert result['repeats'] == 3


def test_time_ratio_takes_turns():
    calls = []
    result = COMMON['time_ratio'](
        lambda: calls.append('work') or sum(range(300_000)),
        lambda: calls.append('baseline') or sum(range(30_000)),
        repeats=3,
    )
    assert calls == ['work', 'baseline'] * 4
    assert result['ratio'] > 2


def test_results_carry_their_environment(tmp_path, capsys):
    COMMON['write_json'](tmp_path / 'deep' / 'out.json', {'x': 1})
    content = json.loads((tmp_path / 'deep' / 'out.json').read_text())
    assert content['results'] == {'x': 1}
    assert {'date', 'commit', 'device', 'torch', 'threads'} <= set(content['environment'])
    assert '"x": 1' in capsys.readouterr().out

from __future__ import annotations

import os
import sys

import pytest
from mmengine.config import Config

from mmwsss.pipeline import launch
from mmwsss.pipeline.kinds import KINDS
from mmwsss.pipeline.launch import Launcher, run_command


def test_command_lines(monkeypatch):
    words = ['c.py', '--x', 'a b']
    assert Launcher(python='py').command('t.py', words, 1) == ['py', 't.py', *words]
    torchrun = Launcher('pytorch', 2, 'py')
    assert torchrun.command('t.py', words, 2) == [
        'py', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2', 't.py', *words,
        '--launcher', 'pytorch',
    ]  # fmt: skip
    assert torchrun.command('t.py', words, None) == ['py', 't.py', *words]
    monkeypatch.setenv('SRUN_ARGS', '--partition=gpu --gres=gpu:8')
    assert Launcher('slurm', 16, 'py').command('t.py', words, 16) == [
        'srun', '--ntasks=16', '--kill-on-bad-exit=1', '--partition=gpu', '--gres=gpu:8', 'py', 't.py',
        *words, '--launcher', 'slurm',
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r'more need a launcher, .* but got 2'):
        Launcher('none', 2)
    with pytest.raises(ValueError, match="launcher 'torchrun' is unknown"):
        Launcher('torchrun')
    with pytest.raises(ValueError, match=r'at least 1, .* but got 0'):
        Launcher('pytorch', 0)


@pytest.mark.parametrize(
    ('batch', 'available', 'used'),
    [(16, 8, 8), (10, 8, 5), (10, 4, 2), (5, 8, 5), (7, 4, 1), (16, 1, 1)],
)
def test_a_training_takes_as_many_processes_as_share_its_batch(batch, available, used):
    cfg = Config(dict(train_dataloader=dict(batch_size=batch)))
    assert KINDS['train'].processes(cfg, available) == used
    assert KINDS['maps'].processes(cfg, available) == available
    assert KINDS['score'].processes(cfg, available) is None


def test_output_goes_to_the_log_and_errors_are_shown(tmp_path):
    said = []
    script = "import sys; print('out ä'); print('err', file=sys.stderr); sys.exit(3)"
    command = [sys.executable, '-X', 'utf8', '-c', script]
    assert run_command(command, tmp_path / 'log', said.append) == 3
    assert sorted((tmp_path / 'log').read_text().split('\n')) == ['', 'err', 'out ä']
    assert sorted(said) == ['      | err', '      | out ä']


def test_lines_shown_on_the_way_are_not_shown_again(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, 'SECONDS_BETWEEN_LINES', -1.0)
    said, long = [], 'x' * 200
    command = [sys.executable, '-c', f"import sys; print('{long}'); sys.exit('bad input')"]
    assert run_command(command, tmp_path / 'log', said.append) == 1
    assert sorted(said) == sorted([f'      {long[:160]}', '      bad input', f'      | {long}'])


def test_warnings_are_shown(tmp_path):
    said = []
    script = "print('many'); print('warning: doubtful'); print('words')"
    assert run_command([sys.executable, '-c', script], tmp_path / 'log', said.append) == 0
    assert said == ['      warning: doubtful']


def test_a_killed_tool_is_told_by_its_signal(tmp_path):
    script = 'import os; os.kill(os.getpid(), 9)'
    assert run_command([sys.executable, '-c', script], tmp_path / 'log', print) == -9


def test_an_interrupted_run_ends_its_tool(tmp_path, monkeypatch):
    script = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'

    def cut(line):
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, 'SECONDS_BETWEEN_LINES', -1.0)
    with pytest.raises(KeyboardInterrupt):
        run_command([sys.executable, '-c', script], tmp_path / 'log', cut)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / 'log').read_text()), 0)

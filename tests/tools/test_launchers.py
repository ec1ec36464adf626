"""The shell scripts start what they say; torchrun and srun are replaced by something that prints."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def fakes(tmp_path):
    """A folder with `python` and `srun` that print their arguments, one a line."""
    for name in ('python', 'srun'):
        path = tmp_path / name
        path.write_text(
            '#!/bin/sh\necho "$(basename $0)"\nfor word in "$@"; do echo "$word"; done\n'
        )
        path.chmod(0o755)
    return tmp_path


def run(fakes, script, *args, **env):
    base = {key: value for key, value in os.environ.items() if not key.startswith('SLURM')}
    path = f'{fakes}:{os.environ["PATH"]}'
    done = subprocess.run(
        [str(TOOLS / script), *args],
        env={**base, 'PATH': path, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_torchrun(fakes):
    code, words = run(fakes, 'dist_run.sh', 'tools/make_maps.py', '4', 'c.py', '--out', 'a b')
    assert code == 0
    assert words[:3] == ['python', '-m', 'torch.distributed.run']
    assert words[words.index('--nproc-per-node') + 1] == '4'
    assert words[-6:] == ['tools/make_maps.py', 'c.py', '--out', 'a b', '--launcher', 'pytorch']
    _, words = run(fakes, 'dist_run.sh', 't.py', '8', NNODES='2', NODE_RANK='1', MASTER_ADDR='m')
    assert [words[words.index(k) + 1] for k in ('--nnodes', '--node-rank', '--master-addr')] == [
        '2',
        '1',
        'm',
    ]


def test_training_shares_the_batch(fakes):
    code, words = run(fakes, 'dist_train.sh', 'c.py', '2', '--seed', '3')
    assert code == 0
    start = words.index(str(TOOLS / 'train.py'))
    assert words[start + 1 :] == ['c.py', '--share-batch', '--seed', '3', '--launcher', 'pytorch']
    _, words = run(fakes, 'dist_test.sh', 'c.py', 'w.pth', '2', '--tta')
    start = words.index(str(TOOLS / 'test.py'))
    assert words[start + 1 :] == ['c.py', 'w.pth', '--tta', '--launcher', 'pytorch']


def test_slurm(fakes):
    code, words = run(
        fakes,
        'slurm_train.sh',
        'p',
        'j',
        'c.py',
        'w',
        GPUS='4',
        SRUN_ARGS="-x n1 --comment='a b' --qos=q",
    )
    assert code == 0
    assert words[0] == 'srun'
    assert {
        '--partition=p',
        '--job-name=j',
        '--ntasks=4',
        '--gres=gpu:4',
        '-x',
        'n1',
        '--comment=a b',
        '--qos=q',
    } <= set(words)
    start = words.index(str(TOOLS / 'train.py'))
    assert words[start - 2 : start] == ['python', '-u']
    assert words[start + 1 :] == ['c.py', '--work-dir', 'w', '--share-batch', '--launcher=slurm']
    _, words = run(fakes, 'slurm_train.sh', 'p', 'j', 'c.py', '--seed', '3')
    start = words.index(str(TOOLS / 'train.py'))
    assert words[start - 3 : start] == ['--kill-on-bad-exit=1', 'python', '-u']
    assert words[start + 1 :] == ['c.py', '--seed', '3', '--share-batch', '--launcher=slurm']


@pytest.mark.parametrize('script', sorted(path.name for path in TOOLS.glob('*.sh')))
def test_too_few_arguments_show_the_usage(fakes, script):
    code, words = run(fakes, script)
    assert code == 2
    assert any(f'tools/{script} ' in line for line in words)

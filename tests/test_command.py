"""The command `mmwsss`, in this process where it imports nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmwsss_command import find_commands, main

ROOT = Path(__file__).parents[1]


def test_help_names_every_tool_and_imports_no_torch():
    code = (
        'import sys, mmwsss_command\n'
        'code = mmwsss_command.main(["--help"])\n'
        'sys.exit(code or len({"torch", "mmseg", "numpy", "mmwsss"} & set(sys.modules)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    listed = [line.split('  ')[1] for line in done.stdout.splitlines() if line.startswith('  ')]
    assert listed == list(find_commands())
    assert {'train', 'test', 'maps', 'masks', 'score', 'pipeline', 'predict', 'show'} < set(listed)
    assert {'report', 'configs', 'data generic', 'weights sipe'} < set(listed)


def test_each_command_is_a_tool_with_a_sentence(capsys):
    commands = find_commands()
    files = set((ROOT / 'tools').rglob('*.py'))
    assert set(commands.values()) == files
    assert main([]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('  ')]
    assert len(lines) == len(files)
    assert all(len(line.split('  ', 2)[2].split()) > 2 for line in lines)
    assert all(len(line) < 130 and 'tools/' not in line for line in lines)


@pytest.mark.parametrize(
    ('words', 'code', 'shown'),
    [
        ([''], 2, "there is no command ''"),
        (['trian'], 2, "did you mean 'train'?"),
        (['data', 'voc'], 2, "there is no command 'data voc'"),
        (['data'], 0, 'usage: mmwsss data NAME'),
        (['weights', '--help'], 0, 'resnet38'),
        (['--version'], 0, 'mmwsss 0.'),
    ],
)
def test_groups_and_mistakes(capsys, words, code, shown):
    assert main(words) == code
    captured = capsys.readouterr()
    assert shown in captured.out + captured.err


@pytest.mark.parametrize(
    ('words', 'code', 'shown'),
    [
        (['sipe', 'ResNet-50'], 0, 'configs/sipe/sipe_r50_voc.py'),
        (['nothing-like-it'], 2, 'no config has nothing-like-it'),
        (['--folder'], 0, str(ROOT / 'configs')),
        (['--help'], 0, 'usage: mmwsss configs [-h]'),
    ],
)
def test_configs_are_found(capsys, words, code, shown):
    with pytest.raises(SystemExit) as end:
        main(['configs', *words])
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN  # a pool whose worker dies needs it
    assert end.value.code == code
    captured = capsys.readouterr()
    assert shown in captured.out + captured.err
    assert 'configs/_base_' not in captured.out


def test_configs_end_quietly_where_nobody_reads_on():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, '-m', 'mmwsss_command', 'configs']
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b'')


@pytest.mark.parametrize('name', list(find_commands()))
def test_a_misspelt_option_is_two_lines(monkeypatch, capsys, name):
    monkeypatch.setattr('sys.argv', ['mmwsss'])
    with pytest.raises(SystemExit) as end:
        main([*name.split(), '--no-such-option', '1'])
    assert end.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith('error: ')
    assert said[1] == f'see mmwsss {name} --help'

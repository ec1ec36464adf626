from __future__ import annotations

import argparse
import sys
import warnings

import pytest
from torch._utils import ExceptionWrapper

from mmwsss.io import BatchReport, RecordError
from mmwsss.utils import cli


def exit_code(main, **args) -> int:
    with pytest.raises(SystemExit) as end:
        cli.run_tool(main, argparse.Namespace(**args))
    return end.value.code


def raising(error: BaseException):
    def main(args):
        raise error

    return main


@pytest.mark.parametrize(('returned', 'expected'), [(None, 0), (0, 0), (1, 1)])
def test_code_of_main(returned, expected):
    assert exit_code(lambda args: returned) == expected


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (RecordError('maps: split does\n not fit'), 'error: maps: split does not fit'),
        (FileNotFoundError('list not found: x'), 'error: list not found: x'),
        (FileNotFoundError(2, 'No such file', 'x'), "error: [Errno 2] No such file: 'x'"),
        (KeyError('no `mask_cfg` there'), 'error: no `mask_cfg` there (--verbose shows where)'),
        (KeyError('x'), 'error: KeyError: x (--verbose shows where)'),
        (TypeError(), 'error: TypeError (--verbose shows where)'),
    ],
)
def test_known_errors_are_one_line(error, line, capsys):
    assert exit_code(raising(error)) == 2
    captured = capsys.readouterr()
    assert captured.err == line + '\n'
    assert captured.out == ''


def test_verbose_shows_the_traceback():
    with pytest.raises(ValueError, match='wrong'):
        cli.run_tool(raising(ValueError('wrong')), argparse.Namespace(verbose=True))


def test_faults_of_the_program_show_it_always():
    with pytest.raises(ZeroDivisionError):
        cli.run_tool(raising(ZeroDivisionError()), argparse.Namespace())


def test_ctrl_c(capsys):
    assert exit_code(raising(KeyboardInterrupt())) == 130
    assert 'interrupted; the same command goes on' in capsys.readouterr().err
    for resume, advice in (
        (False, 'the same command with --resume goes on'),
        (True, 'command goes'),
    ):
        assert exit_code(raising(KeyboardInterrupt()), resume=resume) == 130
        assert advice in capsys.readouterr().err


def test_shared_arguments():
    parser = argparse.ArgumentParser()
    cli.add_config_arguments(parser)
    cli.add_launcher_arguments(parser)
    cli.add_workers_argument(parser)
    args = parser.parse_args(
        ['c.py', '--workers', '3', '--launcher', 'pytorch', '--cfg-options', 'a.b=1', 'c=[x,2]']
    )
    assert (args.config, args.workers, args.launcher, args.verbose) == ('c.py', 3, 'pytorch', False)
    assert args.cfg_options == {'a.b': 1, 'c': ['x', 2]}
    with pytest.raises(SystemExit):
        parser.parse_args(['c.py', '--launcher', 'lsf'])


@pytest.mark.parametrize(
    ('cores', 'ranks', 'workers'), [(8, None, 8), (8, '2', 4), (8, '8', 0), (1, None, 0)]
)
def test_ranks_share_the_cores(monkeypatch, cores, ranks, workers):
    monkeypatch.setattr(cli.os, 'sched_getaffinity', lambda _: set(range(cores)), raising=False)
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    if ranks:
        monkeypatch.setenv('LOCAL_WORLD_SIZE', ranks)
    assert cli.default_workers() == workers


def test_report_goes_where_it_belongs(capsys):
    assert cli.finish_report(BatchReport(done=['a'])) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith('1 done')
    assert captured.err == ''
    failed = {f'im{i}': 'OSError: x' for i in range(35)}
    assert cli.finish_report(BatchReport(failed=failed)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith('  failed: im0, im1, im2')
    assert lines[1].endswith('im29 and 5 more (reasons above)')


def clean_environment(monkeypatch) -> None:
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)


def test_no_launcher_is_one_process(monkeypatch):
    clean_environment(monkeypatch)
    cli.setup_launcher('none')
    assert not cli.torch.distributed.is_initialized()


def test_launchers_without_their_environment(monkeypatch):
    clean_environment(monkeypatch)
    with pytest.raises(ValueError, match='needs RANK and WORLD_SIZE: start it with torchrun'):
        cli.setup_launcher('pytorch')
    monkeypatch.setattr(cli.torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ValueError, match='--launcher slurm needs an accelerator'):
        cli.setup_launcher('slurm')


@pytest.mark.parametrize(
    'value',
    [1, 0.5, True, None, 'a', 'my photos/a b', 'a, b', '[1]', '1', 'None', '', 'ä"x"', "it's",
     [1.0, 0.5], ['a b', None], {'type': 'X', 'y': [1]}, '(a', "'quoted'"],
)  # fmt: skip
def test_options_come_back_as_they_were(value):
    parser = argparse.ArgumentParser()
    cli.add_config_arguments(parser)
    words = cli.option_words({'a.b': value, 'c': 2})
    assert parser.parse_args(['x.py', '--cfg-options', *words]).cfg_options == {
        'a.b': value,
        'c': 2,
    }


def test_options_as_people_write_them():
    parser = argparse.ArgumentParser()
    cli.add_config_arguments(parser)
    words = ['a=data/my photos', 'b=[a,b]', 'c=1,2', 'd="x"', 'e=(1, 2)', 'f=[1.0]']
    found = parser.parse_args(['x.py', '--cfg-options', *words]).cfg_options
    assert found == dict(a='data/my photos', b=['a', 'b'], c=[1, 2], d='x', e=(1, 2), f=[1.0])


def test_messages_are_short_and_hold_no_traceback():
    def fail():
        raise FileNotFoundError("image 'a' does not exist: a.jpg")

    try:
        fail()
    except FileNotFoundError:
        caught = ExceptionWrapper(sys.exc_info(), 'in DataLoader worker process 0')
    with pytest.raises(FileNotFoundError, match='Traceback') as found:
        caught.reraise()
    assert cli.error_text(found.value) == "image 'a' does not exist: a.jpg"
    long = cli.error_text(ValueError('many words ' * 200))
    assert len(long) < 500
    assert long.endswith('words ...')


def test_mmsegs_warning_of_every_image_size_is_left_out():
    def main(_):
        warnings.warn('When align_corners=False, the output would more aligned', stacklevel=1)
        warnings.warn('another', stacklevel=1)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        with pytest.raises(SystemExit):
            cli.run_tool(main, argparse.Namespace())
    assert [str(each.message) for each in seen] == ['another']

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from mmwsss.io import ClassMaps, read_record, save_class_maps, save_mask

TOOL = runpy.run_path(str(Path(__file__).parents[2] / 'tools' / 'eval_masks.py'))


def run(*arguments) -> int:
    args = TOOL['parse_args']([*map(str, arguments), '--workers', '0'])
    with pytest.raises(SystemExit) as end:
        TOOL['run_tool'](TOOL['main'], args)
    return end.value.code


def masks(folders) -> tuple[object, ...]:
    return '--masks', folders / 'pred', '--gt', folders / 'gt'


@pytest.fixture
def folders(tmp_path):
    gt = np.array([[0, 0, 1, 1]])
    for name in 'ab':
        save_mask(tmp_path / 'gt' / f'{name}.png', gt)
        save_mask(tmp_path / 'pred' / f'{name}.png', np.array([[0, 1, 1, 1]]))
        maps = ClassMaps(np.array([1]), np.array([[[0.1, 0.3, 0.6, 0.9]]]), (1, 4))
        save_class_maps(tmp_path / 'maps' / f'{name}.npz', maps)
    (tmp_path / 'list.txt').write_text('a\n')
    (tmp_path / 'names.txt').write_text('background\ncat\n')
    return tmp_path


def test_masks(folders, capsys):
    json_file = folders / 'out.json'
    code = run(*masks(folders), '--classes', folders / 'names.txt', '--out', json_file)
    assert code == 0
    out = capsys.readouterr().out
    assert 'mIoU 58.33' in out  # (1/2 + 2/3) / 2
    assert '2 done' in out
    (score,) = read_record(json_file).scores
    assert score.per_class == pytest.approx({'background': 1 / 2, 'cat': 2 / 3})
    assert score.protocol.images == 2


def test_maps(folders, capsys):
    where = ('--maps', folders / 'maps', '--gt', folders / 'gt', '--list', folders / 'list.txt')
    code = run(*where, '--num-classes', 2, '--thresholds', 0.2, 0.5)
    assert code == 0
    out = capsys.readouterr().out
    assert 'uses ground truth' in out
    rows = [
        [cell.strip() for cell in line.split('|')[1:4]] for line in out.splitlines() if '|' in line
    ]
    assert ['0.2', '58.33', ''] in rows
    assert ['0.5', '100.00', 'best'] in rows
    assert 'images: 1\n' in out


def test_failures_are_named(folders, capsys):
    (folders / 'pred' / 'b.png').unlink()
    assert run(*masks(folders), '--num-classes', 2) == 1
    captured = capsys.readouterr()
    assert 'images: 1 of 2; 1 FAILED' in captured.out
    assert 'name them with --list' in captured.out
    assert 'b: FileNotFoundError: mask not found' in captured.err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'name the classes with --classes'),
        (('--num-classes', 2, '--thresholds', 0.5), '--thresholds belong to --maps'),
        (('--num-classes', 2, '--tolerance', 0.1), 'are of IA-mIoU: give --instances or --ia'),
        (
            ('--num-classes', 2, '--list', 'nowhere.txt'),
            '--list: the list of images does not exist: nowhere.txt',
        ),
        (('--classes', 'voc', '--no-background'), "classes of 'voc' have a background"),
        (('--classes', 'twice.txt'), 'classes must differ, but these repeat: cat'),
        (('--classes', 'voc', '--num-classes', 20), '--num-classes is 20, but there are 21'),
    ],
)
def test_errors_are_one_line(folders, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(folders)
    Path('twice.txt').write_text('cat\ncat\n')
    assert run(*masks(folders), *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith('error: ')
    assert message in err
    assert err.count('\n') == 1


def test_instances(folders, capsys):
    for name in 'ab':
        save_mask(folders / 'ids' / f'{name}.png', np.array([[0, 0, 1, 2]]))
    common = (*masks(folders), '--num-classes', 2)
    json_file = folders / 'out.json'
    assert run(*common, '--instances', folders / 'ids', '--out', json_file) == 0
    out = capsys.readouterr().out
    assert 'mIoU 58.33' in out
    # The spare pixel of the component is divided: each of the two instances has 1 / (1 + 1/2).
    assert next(line for line in out.splitlines() if line.startswith('IA-mIoU')).split()[:3] == [
        'IA-mIoU',
        '66.67',
        '(4)',
    ]
    record = read_record(json_file)
    metrics = record.scores[0].metrics
    assert metrics['IA-mIoU'] == metrics['IA_S'] == pytest.approx(2 / 3)
    assert metrics['IA_L'] is None
    assert record.result['num_instances'] == dict(all=4, S=4, M=0, L=0)
    assert run(*common, '--ia', '--include-background', '--out', json_file) == 0
    out = capsys.readouterr().out
    assert 'connected components' in out
    assert 'background in IA-mIoU: one more class' in out
    assert read_record(json_file).result['IA_includes_background'] is True


def test_wrong_instances(folders, capsys):
    common = (*masks(folders), '--num-classes', 2)
    assert run(*common, '--instances', folders / 'none') == 2
    assert 'instance maps must be a folder' in capsys.readouterr().err
    assert run(*common, '--instances', folders / 'gt', '--ia') == 2
    assert 'not both' in capsys.readouterr().err
    maps = ('--maps', folders / 'maps', '--gt', folders / 'gt', '--num-classes', 2)
    assert run(*maps, '--ia') == 2
    assert 'score masks, not class maps' in capsys.readouterr().err
    save_mask(folders / 'ids' / 'a.png', np.array([[0, 1, 1, 1]]))
    save_mask(folders / 'ids' / 'b.png', np.array([[0, 0, 1, 1]]))
    assert run(*common, '--instances', folders / 'ids') == 1
    captured = capsys.readouterr()
    assert 'a: ValueError: instances and gt contradict each other' in captured.err


def test_wrong_folders_and_numbers_are_named(folders, capsys):
    pred, gt = ('--masks', folders / 'pred'), ('--gt', folders / 'gt')
    file = folders / 'names.txt'
    cases = {
        ('--maps', 'nowhere', *gt): "--maps must be a folder, but there is none at 'nowhere'",
        (*pred, '--gt', 'nowhere'): "--gt must be a folder, but there is none at 'nowhere'",
        ('--masks', file, *gt): f"--masks must be a folder, but there is none at '{file}'",
        (*pred, *gt, '--num-classes', 1): (
            '--num-classes must be >= 2 (background and a class), but got 1'
        ),
    }
    for arguments, message in cases.items():
        assert run(*arguments) == 2, arguments
        assert capsys.readouterr().err == f'error: {message}\n'

"""The command line of tools/dataset_converters/pascal_b.py, in this process to save time."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tests.datasets.test_pascal_b_builder import annotation_file, box, read_all, write_images

TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'pascal_b.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('pascal_b_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def inputs(tmp_path):
    """Twelve images; image i has i persons, the even ones a dog too."""
    annotations = [(i, 1, box(3 * k, 0, 2, 2), {}) for i in range(1, 13) for k in range(i)]
    annotations += [(i, 18, box(0, 20, 12, 12), {}) for i in range(2, 13, 2)]
    coco = annotation_file(
        tmp_path / 'coco.json',
        {i: {} for i in range(1, 13)},
        annotations,
        {1: 'person', 18: 'dog'},
        is_lvis=False,
    )
    write_images(tmp_path / 'images', [f'{i:012d}' for i in range(1, 13)])
    return ['--coco', str(coco), '--images', str(tmp_path / 'images'), '--workers', '0']


def test_samples_and_rebuilds(tool, inputs, tmp_path, capsys):
    sampled, rebuilt = tmp_path / 'sampled', tmp_path / 'rebuilt'
    figure = tmp_path / 'figure.png'
    options = ['--target', '4', '--max-images', '5', '--seed', '3', '--figure', str(figure)]
    assert tool.main(tool.parse_args(['--out', str(sampled), *inputs, *options])) == 0
    shown = capsys.readouterr().out
    assert '12 candidate images' in shown
    assert figure.stat().st_size > 1000
    summary = json.loads((sampled / 'statistics.json').read_text())
    assert summary['before']['objects']['person']['S'] == 78
    assert summary['after']['objects']['dog']['S'] in (2, 3, 4)
    assert set(summary['inputs']) == {'coco.json', 'pascal_b_categories.csv'}
    assert json.loads((sampled / 'sampling.json').read_text())['seed'] == 3
    ids = sampled / 'ImageSets/Segmentation/val.txt'
    tool.main(tool.parse_args(['--out', str(rebuilt), *inputs, '--list', str(ids)]))
    expected = read_all(sampled)
    del expected['sampling.json']
    assert read_all(rebuilt) == expected
    tool.main(tool.parse_args(['--out', str(sampled), *inputs, '--list', str(ids)]))
    assert read_all(sampled) == expected  # a list was not sampled


def test_wrong_folders_and_ids_are_named_at_once(tool, inputs, tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match='--images must be a folder'):
        tool.main(tool.parse_args(['--out', str(tmp_path / 'o'), *inputs, '--images', 'nothere']))
    (tmp_path / 'images' / f'{12:012d}.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'000000000012\.jpg is in none of'):
        tool.main(tool.parse_args(['--out', str(tmp_path / 'o'), *inputs]))
    assert not (tmp_path / 'o').exists()
    (tmp_path / 'bad.txt').write_text('000000000012\n000000000999\n')
    figure = tmp_path / 'figure.svg'
    options = ['--exclude', str(tmp_path / 'bad.txt'), '--figure', str(figure)]
    tool.main(tool.parse_args(['--out', str(tmp_path / 'o'), *inputs, *options]))
    assert (
        'note: --exclude names 1 images that no file has: 000000000999' in capsys.readouterr().out
    )
    assert '<svg' in figure.read_text()


def test_excludes_and_balances_a_voc_layout(tool, inputs, tmp_path, capsys):
    (tmp_path / 'bad.txt').write_text('000000000002\n')
    options = ['--target', '50', '--exclude', str(tmp_path / 'bad.txt')]
    tool.main(tool.parse_args(['--out', str(tmp_path / 'all'), *inputs, *options]))
    listed = (tmp_path / 'all/ImageSets/Segmentation/val.txt').read_text().split()
    assert '000000000002' not in listed
    assert len(listed) > 5
    out = tmp_path / 'balanced.txt'
    options = ['--voc', str(tmp_path / 'all'), '--target', '4', '--workers', '0']
    tool.main(tool.parse_args(['--out', str(out), *options]))
    chosen = out.read_text().split()
    assert 1 <= len(chosen) < len(listed)
    assert set(chosen) <= set(listed)


def test_options_that_do_not_go_together(tool, inputs, tmp_path, capsys):
    for arguments in (['--out', 'o'], ['--out', 'o', *inputs, '--voc', 'x']):
        with pytest.raises(SystemExit):
            tool.parse_args(arguments)
        assert 'give either --coco' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.parse_args(['--out', 'o', '--coco', 'x.json'])
    assert '--coco needs --images' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.parse_args(['--out', 'o', '--voc', 'x', '--list', 'y'])
    assert '--list does not go with --voc' in capsys.readouterr().err

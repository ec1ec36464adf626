"""The tools that count and draw objects by size, on generated data."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.io import load_mask, save_mask

TOOLS = Path(__file__).parents[2] / '.dev'
HISTOGRAM = runpy.run_path(str(TOOLS / 'size_histogram.py'))
FIGURES = runpy.run_path(str(TOOLS / 'ia_miou_figures.py'))


def run(tool: dict, *arguments: object) -> int:
    return tool['main'](tool['parse_args']([*map(str, arguments)]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two cats that touch, a dog of one pixel and a cat of 100 x 100; in 255 there is nothing."""
    gt, instances = np.zeros((2, 110, 140), np.uint8)
    gt[:40, :40], instances[:40, :20], instances[:40, 20:40] = 1, 1, 2
    gt[105, 135], instances[105, 135] = 2, 3
    gt[-1] = instances[-1] = 255
    save_mask(tmp_path / 'masks' / 'a.png', gt)
    save_mask(tmp_path / 'instances' / 'a.png', instances)
    large = np.zeros((110, 140), np.uint8)
    large[:100, 10:110] = 1
    save_mask(tmp_path / 'masks' / 'b.png', large)
    save_mask(tmp_path / 'instances' / 'b.png', 7 * large)
    (tmp_path / 'names.txt').write_text('cat\ndog\n')
    return tmp_path


@pytest.mark.parametrize('given', [True, False])
def test_objects_are_counted_by_class_and_size(folder, given, capsys):
    options = ['--instances', folder / 'instances'] if given else []
    files = ['--figure', folder / 'f.png', '--json', folder / 'f.json']
    names = ['--classes', folder / 'names.txt', '--workers', 0]
    assert run(HISTOGRAM, folder / 'masks', *names, *options, *files) == 0
    found = json.loads((folder / 'f.json').read_text())
    cats = dict(S=2, M=0, L=1) if given else dict(S=0, M=1, L=1)
    assert found['objects'] == dict(cat=cats, dog=dict(S=1, M=0, L=0))
    assert found['areas'] == ([1, 800, 800, 10000] if given else [1, 1600, 10000])
    assert found['total'] == {size: cats[size] + (size == 'S') for size in 'SML'}
    assert Image.open(folder / 'f.png').size[0] > 400
    assert ('connected components' in capsys.readouterr().out) == (not given)


def test_a_broken_mask_is_named_and_the_others_are_counted(folder, capsys):
    (folder / 'masks' / 'c.png').write_text('no image')
    names = ['--classes', folder / 'names.txt', '--workers', 0, '--json', folder / 'f.json']
    assert run(HISTOGRAM, folder / 'masks', *names) == 1
    assert json.loads((folder / 'f.json').read_text())['failed'].keys() == {'c'}
    assert '2 images' in capsys.readouterr().out


def test_small_objects_move_ia_miou_linearly_and_miou_hardly(tmp_path):
    files = ['--figure', tmp_path / 'f.png', '--json', tmp_path / 'f.json']
    assert run(FIGURES, 'corner-cases', '--steps', 4, *files) == 0
    found = json.loads((tmp_path / 'f.json').read_text())
    small = found['cases']['share of the small object found']
    assert small['IA-mIoU'] == pytest.approx([0.5, 0.625, 0.75, 0.875, 1])
    assert 0.9 < small['mIoU'][0] < small['mIoU'][-1] == 1
    large = found['cases']['share of the large object found']
    assert large['IA-mIoU'][0] == pytest.approx(0.5)
    assert large['mIoU'][0] < 0.4
    spread = found['cases']['spread of the large object']
    assert spread['IA-mIoU'][0] == spread['mIoU'][0] == 1
    assert Image.open(tmp_path / 'f.png').size[0] > 400


@pytest.mark.parametrize('given', [True, False])
def test_removed_objects_are_missed_one_by_one(folder, given):
    options = ['--instances', folder / 'instances'] if given else []
    common = ['--classes', folder / 'names.txt', '--workers', 0, '--figure', folder / 'f.png']
    steps = 4 if given else 3
    json_file = ['--steps', steps, '--json', folder / 'f.json']
    assert run(FIGURES, 'removal', folder / 'masks', *options, *common, *json_file) == 0
    found = json.loads((folder / 'f.json').read_text())
    assert found['objects'] == steps
    smallest, largest = (found['orders'][order] for order in ('smallest', 'largest'))
    if given:  # the dog, then the cats of 800, 800 and 10,000 pixels
        assert smallest['IA-mIoU'] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 6, 0])
        assert largest['IA-mIoU'] == pytest.approx([1, 5 / 6, 4 / 6, 1 / 2, 0])
    else:
        assert smallest['IA-mIoU'] == pytest.approx([1, 1 / 2, 1 / 4, 0])
    background = load_mask(folder / 'masks' / 'a.png')
    pixels = int((background == 0).sum()) + 110 * 140 - 10000
    valid = int((background != 255).sum()) + 110 * 140
    assert smallest['mIoU'][-1] == pytest.approx(pixels / valid / 3)
    for curve in (smallest, largest, found['orders']['random']):
        assert curve['mIoU'] == sorted(curve['mIoU'], reverse=True)
        assert curve['IA-mIoU'] == sorted(curve['IA-mIoU'], reverse=True)

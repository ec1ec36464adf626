from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.functional.svm import svm_expand
from mmwsss.io import load_mask, read_id_list
from mmwsss.refine.svm_expansion import SVMExpansion, stack_features

TOOL = runpy.run_path(str(Path(__file__).resolve().parents[2] / '.dev/svm_upper_bound.py'))


def run(*arguments) -> int:
    args = TOOL['parse_args'](list(map(str, arguments)))
    with pytest.raises(SystemExit) as end:
        TOOL['run_tool'](TOOL['main'], args)
    return end.value.code


@pytest.fixture
def case(tiny_cam, demo_root, tmp_path):
    cfg, checkpoint = tiny_cam
    cfg.dump(tmp_path / 'config.py')
    shutil.copytree(demo_root / 'SegmentationClass', tmp_path / 'gt')
    arguments = [
        tmp_path / 'config.py',
        checkpoint,
        '--out',
        tmp_path / 'counts',
        '--n-samples',
        60,
    ]
    ids = read_id_list(demo_root / 'ImageSets/Segmentation/train.txt')
    return arguments, tmp_path, demo_root, ids


def expected_miou(tmp_path, checkpoint, demo_root, ids, layers) -> float:
    """The same from the refiner, with pixels counted class by class."""
    network = (tmp_path / 'config.py', checkpoint, layers) if layers else ()
    refiner = SVMExpansion(*network, gt_dir=str(demo_root / 'SegmentationClass'), n_samples=60)
    pairs = []
    for name in ids:
        image = load_rgb(demo_root / f'JPEGImages/{name}.jpg')
        truth = load_mask(demo_root / f'SegmentationClass/{name}.png').astype(int)
        labels = svm_expand(
            stack_features(refiner.layer_outputs(image), image), truth, **refiner.svm
        )
        pairs.append((labels[truth != 255], truth[truth != 255]))
    labels, truth = (np.concatenate(part) for part in zip(*pairs))
    both = [(labels == c) | (truth == c) for c in range(6)]
    return float(np.mean([(labels == truth)[b].mean() for b in both if b.any()]))


@pytest.mark.parametrize('workers', [0, 2])
def test_scores_of_the_features(case, capsys, workers):
    arguments, tmp_path, demo_root, ids = case
    features = ['RGB', 'F2', 'F1+F5']
    extra = ['--features', *features, '--json', tmp_path / 'a.json', '--workers', workers]
    assert run(*arguments, *extra) == 0
    found = json.loads((tmp_path / 'a.json').read_text())
    assert (found['images'], found['failed']) == (8, {})
    assert all(score['stopped'] == 0 for score in found['scores'].values())
    for feature, layers in zip(features, [(), ('layer1',), ('relu', 'layer4')]):
        expected = expected_miou(tmp_path, arguments[1], demo_root, ids, layers)
        assert found['scores'][feature]['mIoU'] == pytest.approx(expected, abs=1e-9)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert lines[0] == '| mIoU % | RGB | F1 | F2 | F3 | F4 | F5 | F1+F5 |'
    assert lines[2].startswith('| published (Lyu et al.')
    assert lines[2].endswith('| 65.97 | 96.67 | 95.44 | 95.15 | 90.46 | 75.92 |  |')
    assert f'| {100 * found["scores"]["RGB"]["mIoU"]:.2f} |  |' in lines[3]


def test_goes_on_and_takes_more_features(case, capsys):
    arguments, tmp_path, _, ids = case
    (tmp_path / 'list.txt').write_text('\n'.join(ids[:3]))
    assert (
        run(*arguments, '--features', 'RGB', '--list', tmp_path / 'list.txt', '--workers', 0) == 0
    )
    first = (tmp_path / 'counts' / f'{ids[0]}.npz').read_bytes()
    (tmp_path / 'counts' / f'{ids[1]}.npz').write_bytes(first[:50])
    capsys.readouterr()
    assert run(*arguments, '--features', 'RGB', '--workers', 0) == 0
    assert '6 done, 2 skipped' in capsys.readouterr().out
    assert (tmp_path / 'counts' / f'{ids[0]}.npz').read_bytes() == first
    assert run(*arguments, '--features', 'RGB', 'F3', '--workers', 0) == 0
    with np.load(tmp_path / 'counts' / f'{ids[0]}.npz') as counts:
        assert counts.files == ['RGB', 'RGB stopped', 'F3', 'F3 stopped']
        assert counts['F3'].shape == (3, 6)
    assert run(*arguments, '--method', 'nystroem', '--workers', 0) == 2
    assert 'holds counts with method = exact, but nystroem is asked' in capsys.readouterr().err


def test_failures_are_named(case, capsys):
    arguments, tmp_path, _, ids = case
    (tmp_path / 'gt' / f'{ids[4]}.png').unlink()
    extra = ['--gt', tmp_path / 'gt', '--features', 'RGB', '--workers', 0]
    assert run(*arguments, *extra, '--json', tmp_path / 'a.json') == 1
    assert f'{ids[4]}: FileNotFoundError: mask not found' in capsys.readouterr().err
    found = json.loads((tmp_path / 'a.json').read_text())
    assert (found['images'], list(found['failed'])) == (7, [ids[4]])


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (['--features', 'F6'], r"--features must be different ones of ['RGB', 'F1'"),
        (['--features', 'RGB', 'RGB'], '--features must be different ones'),
        (['--gt', 'nowhere'], 'folder of true masks not found: nowhere'),
        (['--cfg-options', 'model.head.dropout=0.1'], 'cannot change the model'),
    ],
)
def test_wrong_arguments(case, extra, message, capsys):
    assert run(*case[0], *extra) == 2
    assert message in capsys.readouterr().err

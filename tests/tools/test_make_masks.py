from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmwsss.io import (
    ClassMaps,
    load_mask,
    make_record,
    read_id_list,
    read_lines,
    read_record,
    save_class_maps,
    write_record,
)
from tests.tiny_models import localizer_config
from tests.tools.run import run_here

TOOL_PATH = Path(__file__).parents[2] / 'tools' / 'make_masks.py'
TOOL = runpy.run_path(str(TOOL_PATH))


def run(*arguments) -> int:
    args = TOOL['parse_args'](list(map(str, arguments)))
    with pytest.raises(SystemExit) as end:
        TOOL['run_tool'](TOOL['main'], args)
    return end.value.code


@pytest.fixture
def case(demo_root, tmp_path):
    """A config file, and maps that are the ground truth at score 0.4."""
    cfg = localizer_config(demo_root)
    cfg['mask_cfg'] = {'refiners': [{'type': 'BackgroundThreshold', 'threshold': 0.5}]}
    Config(cfg).dump(tmp_path / 'config.py')
    ids = read_id_list(demo_root / 'ImageSets/Segmentation/train.txt')
    for name in ids:
        mask = load_mask(demo_root / 'SegmentationClass' / f'{name}.png')
        keys = [int(i) for i in np.unique(mask) if 0 < i < 255]
        scores = np.stack([0.4 * (mask == key) for key in keys])
        save_class_maps(tmp_path / f'maps/{name}.npz', ClassMaps(keys, scores, mask.shape))
    classes = ['background', *read_lines(demo_root / 'classes.txt')]
    write_record(tmp_path / 'maps', make_record('maps', classes, 'train', ids))
    return tmp_path, ids, demo_root


def test_options_reach_the_chain(case, capsys):
    folder, ids, demo_root = case
    arguments = [folder / 'config.py', '--maps', folder / 'maps', '--out', folder / 'masks']
    options = ['--cfg-options', 'mask_cfg.refiners.0.threshold=0.3']
    assert run(*arguments, '--workers', 0, *options) == 0
    assert '8 done' in capsys.readouterr().out
    for name in ids:
        true = load_mask(demo_root / 'SegmentationClass' / f'{name}.png')
        labels = load_mask(folder / 'masks' / f'{name}.png')
        np.testing.assert_array_equal(labels, np.where(true == 255, 0, true))
    assert read_record(folder / 'masks').protocol.threshold == 0.3
    assert run(*arguments, '--workers', 0) == 2
    err = capsys.readouterr().err
    assert 'settings.refiners[0].threshold does not fit: found 0.3, expected 0.5' in err
    assert '--overwrite' in err
    assert run(*arguments, '--workers', 2, '--overwrite') == 0
    assert load_mask(folder / 'masks' / f'{ids[0]}.png').max() == 0


def test_superpixels_vote(case):
    folder, ids, demo_root = case
    words = [demo_root / 'JPEGImages', '--out', folder / 'segments', '--workers', 0]
    words += ['--list', demo_root / 'ImageSets/Segmentation/train.txt', '--count', 80]
    assert run_here('dataset_converters/segments.py', *words).returncode == 0
    vote = dict(type='SegmentVote', segment_dir=str(folder / 'segments'))
    refiners = json.dumps([dict(type='BackgroundThreshold', threshold=0.3), vote])
    assert run(folder / 'config.py', '--maps', folder / 'maps', '--out', folder / 'masks',
               '--workers', 0, '--cfg-options', f'mask_cfg.refiners={refiners}') == 0  # fmt: skip
    same = []
    for name in ids:
        true = load_mask(demo_root / 'SegmentationClass' / f'{name}.png')
        same.append((load_mask(folder / 'masks' / f'{name}.png') == true)[true != 255].mean())
    assert 0.9 < np.mean(same) < 1  # the segments' borders are not the objects'


def test_failures_are_named(case, capsys):
    folder, ids, _ = case
    (folder / 'maps' / f'{ids[2]}.npz').unlink()
    (folder / 'list.txt').write_text(f'{ids[2]}\n{ids[3]}\n')
    code = run(folder / 'config.py', '--maps', folder / 'maps', '--out', folder / 'masks',
               '--list', folder / 'list.txt', '--workers', 0)  # fmt: skip
    assert code == 1
    err = capsys.readouterr().err
    assert '1 done, 0 skipped (finished before), 1 failed' in err
    assert f'{ids[2]}: FileNotFoundError: class map not found' in err


def test_imports_masks_of_another_program(case, capsys):
    folder, ids, demo_root = case
    arguments = [folder / 'config.py', '--from', demo_root / 'SegmentationClass', '--workers', 0]
    assert run(*arguments, '--out', folder / 'masks') == 0
    seen = capsys.readouterr()
    assert '8 done' in seen.out
    assert '4 of 12 files belong to no image of the dataset: val_0000' in seen.err
    for name in ids:
        true = load_mask(demo_root / 'SegmentationClass' / f'{name}.png')
        np.testing.assert_array_equal(load_mask(folder / 'masks' / f'{name}.png'), true)
    with pytest.raises(SystemExit):
        run(*arguments, '--maps', folder / 'maps', '--out', folder / 'both')
    assert 'argument --maps: not allowed with argument --from' in capsys.readouterr().err
    assert run(folder / 'config.py', '--from', folder / 'none', '--out', folder / 'both') == 2


@pytest.mark.slow
def test_two_ranks_under_torchrun_share_the_work(case):
    folder, ids, _ = case
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    arguments = ['config.py', '--maps', 'maps', '--out', 'two', '--workers', '0']
    (folder / 'maps' / f'{ids[1]}.npz').unlink()
    root = str(TOOL_PATH.parents[1])
    result = subprocess.run(
        [*command, str(TOOL_PATH), *arguments],
        cwd=folder,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': root},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode != 0
    assert result.stderr.count('7 done, 0 skipped (finished before), 1 failed') == 1
    assert read_record(folder / 'two').failed == [ids[1]]
    assert run(folder / 'config.py', '--maps', folder / 'maps', '--out', folder / 'one',
               '--workers', 0) == 1  # fmt: skip
    for name in ids[:1] + ids[2:]:
        one, two = (folder / kind / f'{name}.png' for kind in ('one', 'two'))
        assert one.read_bytes() == two.read_bytes()

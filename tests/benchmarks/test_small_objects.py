"""The study of small objects: which images it exchanges, what it calls its runs, what it stores."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmwsss.utils.config import load_config

ROOT = Path(__file__).parents[2]
FOLDER = 'configs/size_balanced/size_balanced_mobilenetv2_mini'


@pytest.fixture(scope='module')
def study():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'path', [str(ROOT / 'benchmarks'), *sys.path])
        path = ROOT / 'benchmarks' / 'small_objects.py'
        spec = importlib.util.spec_from_file_location('small_objects', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def test_swapped_lists_share_no_image_with_the_plain_ones(study):
    path = str(ROOT / f'{FOLDER}_ce.py')
    options = dict(option.split('=') for option in study.swapped(load_config(path)))
    plain, swapped = load_config(path), load_config(path, options)
    for cfg, trained, tested in ((plain, 'train', 'val'), (swapped, 'val', 'train')):
        voc, coco = cfg.train_dataloader.dataset.datasets
        assert (Path(voc.ann_file).stem, Path(coco.ann_file).stem) == ('train', trained)
        assert Path(cfg.test_dataloader.dataset.ann_file).stem == tested
    one = load_config(str(ROOT / 'configs/deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py'))
    assert study.swapped(one)[0].startswith('train_dataloader.dataset.ann_file=')


def test_a_run_of_both_tasks_takes_task_a_from_the_other_run(study, tmp_path, monkeypatch):
    """The tools are not run here, only asked for."""
    commands = []

    def run(self, *arguments):
        commands.append(arguments)
        folder = Path(arguments[arguments.index('--work-dir') + 1])
        folder.mkdir(parents=True, exist_ok=True)
        if arguments[0] == 'tools/train.py':
            (folder / 'last_checkpoint').write_text('/elsewhere/iter_300.pth')
        scores = {key: 10.0 + n for n, key in enumerate(study.SCORES)}
        (folder / 'scores.json').write_text(json.dumps(scores))
        self.steps.append(dict(command=' '.join(arguments), seconds=1.0))

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(study.Study, 'run', run)
    monkeypatch.setattr(study, 'truth_of', lambda dataset: ('', dataset['ann_file']))
    monkeypatch.setattr(study, 'read_id_list', lambda path: ['a', 'b'])
    args = SimpleNamespace(
        config=f'{FOLDER}_sb.py',
        task_a=f'{FOLDER}_ce.py',
        seed=1,
        cfg_options=['tau=2.0'],
        swap_splits=True,
        work_dir=str(tmp_path / 'work'),
        results=str(tmp_path / 'results'),
    )
    monkeypatch.setattr(study, 'parse_args', lambda: args)
    study.main()
    name = 'size_balanced_mobilenetv2_mini_sb_tau2.0_swapped'
    found = json.loads((tmp_path / 'results' / name / 'seed1.json').read_text())
    first, second, test = commands
    assert first[1:3] == (f'{FOLDER}_ce.py', '--work-dir')
    assert 'tau=2.0' not in first
    assert '--resume' in second
    assert any(o.startswith('load_from=') and o.endswith('iter_150.pth') for o in second)
    assert 'tau=2.0' in second
    assert test[2].endswith('training/iter_300.pth')
    assert 'tau=2.0' not in test
    assert [step['command'] for step in found['steps']] == [' '.join(c) for c in commands]
    assert found['tries_a_setting'] is True
    (score,) = found['scores']
    assert (score['mIoU'], score['IA_L']) == (10.0, 14.0)
    assert score['protocol'].startswith('2 train images, trained with the val images')


def test_a_config_without_two_tasks_takes_no_task_a(study):
    with pytest.raises(SystemExit, match='EWCHook'):
        study.task_b_begin(load_config(str(ROOT / f'{FOLDER}_sw.py')))

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.apis import demo
from mmwsss.apis.demo import DemoPlan, Score, Steps, run_demo
from mmwsss.evaluation import score_masks
from mmwsss.io import load_mask, read_id_list, read_record

CONFIGS = Path(__file__).parents[2] / 'configs'
SMALL = {
    'train_cfg.max_iters': 3,
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'default_hooks.checkpoint.interval': 1,
    'default_hooks.logger.interval': 1,
}
NO_VAL_WORKERS = {
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
}


def small_plan(root: Path, work_dir: Path, **kwargs: object) -> DemoPlan:
    plan = DemoPlan(
        work_dir=work_dir,
        localizer=CONFIGS / 'sipe' / 'sipe_tiny_demo.py',
        segmenter=CONFIGS / 'deeplabv2' / 'deeplabv2_tiny_demo_pseudo.py',
        data_root=root,
        data=dict(train=8, val=4, min_size=48, max_size=64),
        localizer_options={**SMALL, 'model.test_cfg.scales': [1.0]},
        segmenter_options={**SMALL, **NO_VAL_WORKERS},
        pictures=2,
    )
    return dataclasses.replace(plan, **kwargs)


@pytest.fixture(scope='module')
def finished(demo_root, tmp_path_factory):
    """A whole demo in small: its plan, what it said and what it returned."""
    said: list[str] = []
    plan = small_plan(demo_root, tmp_path_factory.mktemp('work') / 'demo')
    content = run_demo(plan, said.append)
    return plan, said, content


def copy_of(finished, tmp_path, **kwargs):
    """A plan whose folder starts as a copy of the finished one."""
    plan = dataclasses.replace(finished[0], work_dir=tmp_path / 'demo', **kwargs)
    shutil.copytree(finished[0].work_dir, plan.work_dir)
    return plan


def test_scores_are_those_of_the_folders(finished, demo_root):
    plan, _, content = finished
    classes, truth = content['classes'], demo_root / 'SegmentationClass'
    ids = {
        split: read_id_list(demo_root / 'ImageSets' / 'Segmentation' / f'{split}.txt')
        for split in ('train', 'val')
    }
    folders = [
        (plan.work_dir / 'cam' / 'masks', ids['train']),
        (plan.work_dir / 'masks', ids['train']),
        (plan.work_dir / 'segmenter_val' / 'masks', ids['val']),
    ]
    assert len(content['scores']) == len(folders)
    for score, (folder, names) in zip(content['scores'], folders):
        found = score_masks(folder, truth, classes, names).content
        assert score['miou'] == pytest.approx(found['mIoU'])
        assert score['images'] == len(names)
        assert score['iou'] == found['IoU']


def test_scores_say_how_they_were_made(finished):
    plan, said, content = finished
    cam, ours, segmenter = (Score(**score) for score in content['scores'])
    assert (cam.split, ours.split, segmenter.split) == ('train', 'train', 'val')
    assert cam.uses_ground_truth
    assert not ours.uses_ground_truth
    assert not segmenter.uses_ground_truth
    best = content['maps']['cam']['best_threshold']
    assert cam.threshold.startswith(f'{best:.2f}, ')
    assert 'ground truth' in cam.threshold
    assert ours.threshold.startswith('none')
    assert ours.views == 'scales 1, each with its mirror'
    for score in (cam, ours, segmenter):
        assert sum(score.line() in line for line in said) == 1
    settings = read_record(plan.work_dir / 'masks').settings
    assert settings['threshold'] is None
    settings = read_record(plan.work_dir / 'cam' / 'masks').settings
    assert (settings['threshold'], 'ground truth' in settings['threshold_source']) == (best, True)


def test_coverage_is_that_of_a_loop_over_pixels(finished, demo_root):
    plan, _, content = finished
    hits, pixels, right, named = np.zeros(3), np.zeros(3), 0, 0
    for name in read_id_list(demo_root / 'ImageSets' / 'Segmentation' / 'train.txt'):
        mask = load_mask(plan.work_dir / 'masks' / f'{name}.png')
        truth = load_mask(demo_root / 'SegmentationClass' / f'{name}.png')
        parts = load_mask(demo_root / 'SegmentationPart' / f'{name}.png')
        for m, t, p in zip(mask.ravel(), truth.ravel(), parts.ravel()):
            if t == 255 or p == 255:
                continue
            hits[p] += m == t
            pixels[p] += 1
            named += m > 0
            right += m > 0 and m == t
    pooled = content['coverage']['is_cam']['pooled']
    assert pooled['part_recall'] == pytest.approx(hits[1] / pixels[1])
    assert pooled['body_recall'] == pytest.approx(hits[2] / pixels[2])
    assert pooled['precision'] == pytest.approx(right / named)


def test_the_report_holds_scores_and_picture_and_loads_nothing(finished):
    plan, _, content = finished
    assert json.loads((plan.work_dir / 'report.json').read_text()) == content
    page = (plan.work_dir / 'report.html').read_text()
    for score in content['scores']:
        assert f'{100 * score["miou"]:.2f}' in page
        assert score['threshold'] in page
    assert page.count('uses ground truth') >= 1
    assert 'name="viewport"' in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert not re.search('https?://', page)
    embedded = base64.b64decode(re.search(r'image/png;base64,([^"]+)"', page).group(1))
    assert embedded == (plan.work_dir / 'panel.png').read_bytes()
    with Image.open(plan.work_dir / 'panel.png') as panel:
        assert panel.width > panel.height  # two rows of six


def test_each_training_has_curves_of_its_own(finished):
    losses = {'localizer': 'loss_gsc', 'segmenter': 'decode.loss_ce'}
    for name, loss in losses.items():
        (path,) = (finished[0].work_dir / name).rglob('scalars.json')
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert {row['step'] for row in rows if loss in row} == {1, 2, 3}
        others = {*losses.values()} - {loss}
        assert not others & {key for row in rows for key in row}
    page = (finished[0].work_dir / 'report.html').read_text()
    assert '<h3>segmenter</h3>' in page


def test_a_second_call_does_nothing(finished, monkeypatch):
    plan, first, content = finished
    before = {p: p.stat().st_mtime_ns for p in plan.work_dir.rglob('*') if p.is_file()}
    for name in ('build_runner', 'run_test', 'make_maps', 'make_masks', 'write_run_report'):
        monkeypatch.setattr(demo, name, lambda *_, **__: pytest.fail('worked again'))
    said: list[str] = []
    assert run_demo(plan, said.append) == content
    assert {p: p.stat().st_mtime_ns for p in plan.work_dir.rglob('*') if p.is_file()} == before
    assert sum('done before' in line for line in said) == 8
    assert [line for line in first if 'mIoU' in line] == [line for line in said if 'mIoU' in line]


def test_a_lost_file_is_made_again_and_nothing_else(finished, tmp_path, monkeypatch):
    plan = copy_of(finished, tmp_path)
    for name in ('build_runner', 'run_test'):
        monkeypatch.setattr(demo, name, lambda *_, **__: pytest.fail('trained again'))
    (plan.work_dir / 'report.html').unlink()
    run_demo(plan, lambda _: None)
    assert (plan.work_dir / 'report.html').is_file()


def test_other_settings_start_the_step_and_those_after_it_again(finished, tmp_path):
    options = {**finished[0].segmenter_options, 'train_cfg.max_iters': 2}
    plan = copy_of(finished, tmp_path, segmenter_options=options, true_masks=True)
    said: list[str] = []
    content = run_demo(plan, said.append)
    again = [i for i, line in enumerate(said) if 'starting again' in line]
    assert [said[i - 1].split(']')[0] for i in again] == ['[6/10', '[7/10', '[10/10']
    names = [score['name'] for score in content['scores']]
    assert names[2:] == [f'DeepLabV2 trained on the {kind} masks' for kind in ('SIPE', 'true')]
    assert not (plan.work_dir / 'segmenter' / 'iter_3.pth').exists()
    assert (plan.work_dir / 'segmenter' / 'iter_2.pth').is_file()


def test_a_cut_training_goes_on(demo_root, tmp_path, monkeypatch):
    plan = small_plan(demo_root, tmp_path / 'demo')
    after_iteration = demo.ProgressHook.after_train_iter

    def cut(self, runner, *args, **kwargs):
        if runner.iter == 1:  # the second of three, its checkpoint is written
            raise KeyboardInterrupt
        after_iteration(self, runner, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(demo.ProgressHook, 'after_train_iter', cut)
        with pytest.raises(KeyboardInterrupt):
            run_demo(plan, lambda _: None)
    said: list[str] = []
    made = demo.Demo(plan, said.append)
    made.data = made.make_data()
    result = made.train('localizer', 'training', made.localizer, made.inputs(made.localizer))
    assert any('going on from iteration 2 of 3' in line for line in said)
    assert Path(result['checkpoint']).name == 'iter_3.pth'


def test_failed_images_are_named(demo_root, tmp_path):
    root = tmp_path / 'data'
    shutil.copytree(demo_root, root)
    plan = small_plan(root, tmp_path / 'demo')
    made = demo.Demo(plan, lambda _: None)
    made.data, made.ids = made.make_data(), {s: made.read_ids(s) for s in ('train', 'val')}
    made.classes = ['background', *read_id_list(root / 'classes.txt')]
    checkpoint = made.train('localizer', 'training', made.localizer, made.inputs(made.localizer))[
        'checkpoint'
    ]
    (root / 'JPEGImages' / 'train_0003.jpg').write_bytes(b'no image')
    with pytest.raises(RuntimeError, match=r'1 failed.*\n.*train_0003'):
        made.make_and_score_masks(checkpoint)


def test_settings_that_do_not_fit(demo_root, tmp_path):
    plan = small_plan(demo_root, tmp_path / 'demo')
    with pytest.raises(ValueError, match='needs a SIPEHead, but got CAMHead'):
        run_demo(dataclasses.replace(plan, localizer=CONFIGS / 'cam' / 'cam_tiny_demo.py'))
    options = {'mask_cfg.refiners': [dict(type='BackgroundThreshold', threshold=0.3)]}
    with pytest.raises(ValueError, match='without a threshold'):
        run_demo(dataclasses.replace(plan, localizer_options=options))
    with pytest.raises(ValueError, match='max_iter'):
        run_demo(dataclasses.replace(plan, segmenter_options={'train_cfgs.max_iters': 3}))
    with pytest.raises(FileNotFoundError, match=r'nothing\.py'):
        run_demo(dataclasses.replace(plan, localizer=tmp_path / 'nothing.py'))
    with pytest.raises(ValueError, match='other settings'):
        run_demo(dataclasses.replace(plan, data=dict(plan.data, train=9)), lambda _: None)


def test_a_step_runs_once_for_the_same_inputs(tmp_path):
    calls = []

    def work(folder):
        calls.append(folder.name)
        (folder / 'file').write_text('x')
        return {'value': len(calls)}

    for inputs, expected in [({'a': 1}, 1), ({'a': 1}, 1), ({'a': 2}, 2)]:
        assert Steps(tmp_path, 1, lambda _: None).run('s', 't', inputs, work)['value'] == expected
    (tmp_path / 's' / 'file').unlink()
    assert Steps(tmp_path, 1, lambda _: None).run('s', 't', {'a': 2}, work)['value'] == 3
    (tmp_path / 'steps' / 's.json').write_text('{')
    assert Steps(tmp_path, 1, lambda _: None).run('s', 't', {'a': 2}, work)['value'] == 4


def test_a_failed_step_is_done_again_in_its_folder(tmp_path):
    def fail(folder):
        (folder / 'half').write_text('x')
        raise ValueError('broken')

    with pytest.raises(ValueError, match='broken'):
        Steps(tmp_path, 1, lambda _: None).run('s', 't', {}, fail)
    seen = Steps(tmp_path, 1, lambda _: None).run(
        's', 't', {}, lambda folder: {'left': [p.name for p in folder.iterdir()]}
    )
    assert seen == {'left': ['half']}


def test_lines_reach_the_console_while_libraries_print_to_the_log(tmp_path, capsys):
    say = demo.console()
    with demo.output_to(tmp_path / 'log.txt'):
        say('shown')
        print('hidden')
    assert capsys.readouterr().out == 'shown\n'
    assert (tmp_path / 'log.txt').read_text() == 'hidden\n'

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mmwsss.engine.hooks import IterationSeedHook
from mmwsss.evaluation.folder import MeanIoUScore
from mmwsss.io import Protocol, load_mask, read_id_list, read_record, save_segments
from mmwsss.io.record import percent
from mmwsss.pipeline import Launcher, Pipeline, StageError, read_summary
from mmwsss.pipeline.inputs import FileHashes, sources_of
from mmwsss.report import ReportOptions, write_run_report
from mmwsss.stages import maps as maps_api
from mmwsss.stages.masks import MaskWriter
from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.pipeline.pipelines import pipeline, small_pipeline

STAGES = ['data', 'localizer', 'maps', 'maps_score', 'masks', 'masks_score', 'segmenter',
          'segmenter_score']  # fmt: skip
BEHIND_MAPS = STAGES[4:]


@pytest.fixture(scope='module')
def finished(demo_root, tmp_path_factory):
    """A whole pipeline in small: its config, its folder, what it said and its summary."""
    folder = tmp_path_factory.mktemp('pipeline')
    config = small_pipeline(folder, demo_root)
    made = pipeline(config, folder / 'work')
    return config, folder / 'work', made, made.run()


@pytest.fixture
def copied(finished, tmp_path):
    """The config and a copy of the finished folder."""
    shutil.copytree(finished[1], tmp_path / 'work')
    return finished[0], tmp_path / 'work'


def actions(made, **kwargs):
    return {decision.stage: decision.action for decision in made.plan(**kwargs)}


def reasons(made, **kwargs):
    return {decision.stage: decision.reason for decision in made.plan(**kwargs)}


def times(folder):
    files = (p for p in folder.rglob('*') if p.is_file() and p.name not in ('.lock', 'files.json'))
    return {path: path.stat().st_mtime_ns for path in files}


def same_files(one, two, pattern):
    files = sorted(path.relative_to(one) for path in one.rglob(pattern))
    assert files
    assert files == sorted(path.relative_to(two) for path in two.rglob(pattern))
    return all((one / name).read_bytes() == (two / name).read_bytes() for name in files)


def test_stages_run_in_order(finished):
    _, folder, made, _ = finished
    assert [stage.name for stage in made.spec.stages] == STAGES
    assert made.tools_run == [
        'make_demo_data.py', 'train.py', 'make_maps.py', 'eval_masks.py', 'make_masks.py',
        'eval_masks.py', 'train.py', 'test.py',
    ]  # fmt: skip
    assert (folder / 'segmenter' / 'iter_3.pth').is_file()
    assert read_record(folder / 'masks').complete
    log = (folder / 'log.txt').read_text()
    assert all(f'=== {name}: ' in log for name in STAGES)


def test_stages_use_the_processes_that_share_their_batch(finished, tmp_path):
    said, spec = [], finished[2].spec
    made = Pipeline(spec, tmp_path, Launcher('pytorch', 3), say=said.append)
    given = {stage.name: made.processes(stage) for stage in spec.stages}
    assert given == {
        'data': None, 'localizer': 2, 'maps': 3, 'maps_score': None, 'masks': 3, 'masks_score': None,
        'segmenter': 2, 'segmenter_score': 3,
    }  # fmt: skip
    assert said == ['      2 of 3 processes, which share its batch of 2 evenly'] * 2


def test_the_summary_tells_scores_with_their_protocol(finished):
    _, folder, made, summary = finished
    assert read_summary(folder / 'summary.json') == summary
    assert summary.complete
    scores = {score.what: score for stage in summary.stages for score in stage.scores}
    assert list(scores) == ['maps at best threshold', 'masks', 'segmenter']
    (masks,) = read_record(folder / 'masks_score').scores
    assert scores['masks'] == masks
    assert masks.protocol == Protocol(
        'train',
        images=8,
        scales=[1.0],
        flip=True,
        refiners=['BackgroundThreshold'],
        crf=False,
        threshold=0.3,
        threshold_source='config',
        image_labels=True,
        trained_on='image labels',
        initial_weights='scratch',
    )
    assert scores['maps at best threshold'].protocol.uses_ground_truth
    segmenter = scores['segmenter']
    protocol = segmenter.protocol
    assert (protocol.split, protocol.images, protocol.trained_on) == ('val', 4, 'pseudo masks')
    assert 'no image labels at inference' in protocol.text()
    assert 0 < segmenter.miou < 1
    page = (folder / 'summary.md').read_text()
    for score in scores.values():
        assert f'| {score.what} | {percent(score.miou)} |  | {score.protocol.text()} |' in page
        assert sum(score.line() in line for line in made.said) == 1
    assert [stage.name for stage in summary.stages] == STAGES
    assert all(stage.command.startswith('mmwsss ') for stage in summary.stages)
    assert read_record(folder / 'localizer').result['checkpoint'] == 'iter_3.pth'


def test_a_report_has_all_stages(finished, tmp_path):
    predictions = finished[1] / 'segmenter_score' / 'predictions'
    assert len(list(predictions.glob('*.png'))) == 4
    _, report = write_run_report(finished[1], tmp_path / 'page.html', ReportOptions(images=1))
    assert [(part.part, part.reason) for part in report.failed] == []
    assert 'predictions of a segmenter' not in {part.part for part in report.missing}
    assert [stage.name for stage in report.stages] == ['masks', 'segmenter_score']


def test_a_second_run_does_nothing(finished):
    config, folder, _, content = finished
    before = times(folder)
    again = pipeline(config, folder)
    assert again.run() == content
    assert again.tools_run == []
    assert times(folder) == before
    assert set(actions(again).values()) == {'skip'}


def test_a_changed_threshold_repeats_the_masks_and_what_follows(copied, finished):
    config, folder = copied
    made = pipeline(config, folder, {'localizer.mask_cfg.refiners.0.threshold': 0.6})
    plan = reasons(made)
    assert 'mask_cfg.refiners[0].threshold was 0.3, is 0.6' in plan['masks']
    assert plan['segmenter'] == 'masks runs first'
    assert {name for name, action in actions(made).items() if action != 'skip'} == set(BEHIND_MAPS)
    assert made.tools_run == []
    made.run()
    assert made.tools_run == ['make_masks.py', 'eval_masks.py', 'train.py', 'test.py']
    assert (folder / 'segmenter.old' / 'iter_3.pth').is_file()
    assert read_record(folder / 'masks').protocol.threshold == 0.6
    assert not same_files(folder / 'masks', finished[1] / 'masks', '*.png')


def test_a_changed_folder_of_a_refiner_repeats_the_masks(copied, tmp_path):
    config, folder = copied
    segments = tmp_path / 'segments'
    save_segments(segments / 'one.json', np.ones((1, 64, 64), bool))
    vote = [{'type': 'SegmentVote', 'segment_dir': str(segments)}]
    made = pipeline(config, folder, {'localizer.mask_cfg.refiners': vote})
    before = made.inputs(made.spec.stage('masks'))['files']
    assert made.inputs(made.spec.stage('masks'))['files'] == before
    save_segments(segments / 'one.json', np.ones((2, 64, 64), bool))
    assert made.inputs(made.spec.stage('masks'))['files'] != before


def test_a_changed_folder_that_no_stage_makes_is_scored_again(copied, tmp_path):
    made = pipeline(*copied)
    masks = shutil.copytree(copied[1] / 'masks', tmp_path / 'theirs')
    stage = replace(made.spec.stage('masks_score'), arguments={'masks': str(masks)}, reads=())
    before = made.inputs(stage)['files']
    assert made.inputs(stage)['files'] == before
    next(masks.glob('*.png')).unlink()
    assert made.inputs(stage)['files'] != before


def test_what_has_nothing_to_do_is_not_waited_for(copied):
    made = pipeline(*copied)
    score, train = made.spec.stage('masks_score'), made.spec.stage('segmenter')
    shutil.rmtree(copied[1] / 'masks_score')
    waits = replace(train, needs=(*train.needs, 'masks_score'))
    with pytest.raises(ValueError, match="stage 'masks_score' is not done"):
        made.inputs(waits)
    made.config(score).val_dataloader.dataset.data_prefix.pop('seg_map_path')
    assert made.inputs(waits) == made.inputs(train)


def test_maps_and_masks_of_a_list_of_images(copied, finished, tmp_path):
    config, folder = copied
    ids = sorted(path.stem for path in (folder / 'masks').glob('*.png'))
    listed = tmp_path / 'some.txt'
    listed.write_text('\n'.join(ids[:3]))
    made = pipeline(config, folder, {'stages.masks.list': str(listed)})
    assert actions(made, last='masks')['masks'] == 'again'
    made.run(last='masks')
    assert made.tools_run == ['make_masks.py']
    assert [path.stem for path in sorted((folder / 'masks').glob('*.png'))] == ids[:3]
    for name in ids[:3]:
        assert same_files(folder / 'masks', finished[1] / 'masks', f'{name}.png')
    assert set(actions(made, last='masks').values()) == {'skip'}
    listed.write_text('\n'.join(ids[:4]))
    assert reasons(made, last='masks')['masks'] == 'a file that it reads has changed'
    options = {'stages.maps.list': str(listed), 'stages.masks.list': str(listed)}
    made = pipeline(config, folder, options)
    made.run(last='maps')
    made.run(first='masks', last='masks')
    assert [path.stem for path in sorted((folder / 'maps').glob('*.npz'))] == ids[:4]
    assert read_record(folder / 'masks').ids_count == 4


def test_settings_without_effect_repeat_nothing(copied, demo_root, tmp_path):
    config, folder = copied
    shutil.copytree(demo_root, tmp_path / 'moved')
    options = {
        'data_root': str(tmp_path / 'moved'),
        'localizer.train_dataloader.num_workers': 1,
        'localizer.default_hooks.logger.interval': 7,
    }
    assert set(actions(pipeline(config, folder, options), first='localizer').values()) == {'skip'}


def test_a_part_of_the_images_repeats_what_trains_on_it(copied):
    made = pipeline(*copied, {'localizer.fraction': '1/2'})
    plan = reasons(made, first='localizer')
    assert 'dataset.fraction was nothing, is "1/2"' in plan['localizer']
    assert plan['maps'] == 'localizer runs first'


def test_other_data_or_seed_repeat_what_reads_them(copied, demo_root, tmp_path):
    config, folder = copied
    assert 'randomness.seed was 0, is 3' in reasons(pipeline(config, folder, seed=3))['localizer']
    root = tmp_path / 'other'
    shutil.copytree(demo_root, root)
    name = read_id_list(root / 'ImageSets' / 'Segmentation' / 'val.txt')[0]
    with Image.open(root / 'JPEGImages' / f'{name}.jpg') as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / 'JPEGImages' / f'{name}.jpg')
    options = {'data_root': str(root), 'stages.data': None, 'stages.localizer.after': None}
    plan = reasons(pipeline(config, folder, options))
    assert plan['segmenter_score'] == 'its data files have changed'
    assert plan['masks_score'].startswith('done and unchanged')


def test_edited_and_lost_outputs(copied):
    config, folder = copied
    victims = sorted((folder / 'masks').glob('*.png'))
    whole = victims[0].read_bytes()
    victims[0].unlink()
    made = pipeline(config, folder)
    assert reasons(made)['masks'] == '1 of its files are gone'
    made.run(last='masks')
    assert victims[0].read_bytes() == whole
    assert actions(made)['segmenter'] == 'skip'
    shutil.copy(victims[1], victims[0])  # repaired by hand, say
    assert reasons(made)['segmenter'] == 'what it reads from masks has changed'
    assert actions(made)['masks'] == 'skip'


def test_the_same_masks_of_another_protocol_are_scored_again(copied):
    config, folder = copied
    made = pipeline(config, folder, {'localizer.mask_cfg.threshold_source': 'the paper'})
    made.run(last='masks')
    assert reasons(made)['masks_score'].startswith('protocols.masks.threshold_source was ')
    assert actions(made)['segmenter'] == 'skip'
    made.run(last='masks_score')
    assert 'the paper' in read_record(folder / 'masks_score').scores[0].protocol.text()


def test_from_until_and_force(copied):
    config, folder = copied
    made = pipeline(config, folder, {'localizer.model.head.dropout': 0.1})
    assert actions(made)['localizer'] == 'again'
    plan = made.plan(first='masks', last='masks_score')
    assert [decision.action for decision in plan] == ['skip'] * 8
    assert plan[1].reason == 'not asked for, taken as it is'
    made.run(first='masks', last='masks_score', force=True)
    assert made.tools_run == ['make_masks.py', 'eval_masks.py']
    with pytest.raises(ValueError, match="stage 'mask' is unknown"):
        made.plan(first='mask')
    with pytest.raises(ValueError, match='comes before'):
        made.plan(first='masks', last='maps')


def test_the_summary_leaves_out_what_was_made_of_another_training(copied):
    made = pipeline(*copied, seed=5)
    summary = made.run(last='localizer')
    assert summary.seed == 5
    assert [stage.name for stage in summary.stages] == ['data', 'localizer']
    assert made.said[-1] == (
        f'not in the summary, made of other files than those here: {", ".join(STAGES[2:])}'
    )
    whole = pipeline(*copied, seed=5)
    assert len(whole.run().stages) == 8
    assert 'not in the summary' not in ' '.join(whole.said)


def test_a_stage_before_from_must_be_done(finished, tmp_path):
    made = pipeline(finished[0], tmp_path / 'work')
    with pytest.raises(ValueError, match="stage 'localizer' is not done"):
        made.run(first='maps')


def test_a_plan_makes_no_folder_and_takes_nothing_that_is_not_there(finished, tmp_path):
    made = pipeline(finished[0], tmp_path / 'work')
    plan = reasons(made, last='localizer')
    assert plan['localizer'] == 'data runs first'
    assert {plan[name] for name in STAGES[2:]} == {'not asked for'}
    assert actions(made)['segmenter_score'] == 'run'
    assert not (tmp_path / 'work').exists()
    (tmp_path / 'work').mkdir()
    reasons(pipeline(finished[0], tmp_path / 'work'))
    assert list((tmp_path / 'work').iterdir()) == []


def interrupt_at(monkeypatch, owner, name, call):
    """Raise KeyboardInterrupt at a certain call of a function."""
    original, calls = getattr(owner, name), []

    def cut(*args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, cut)


CUTS = {
    'localizer': (IterationSeedHook, 'before_train_iter', 3),
    'maps': (maps_api, 'compute_class_maps', 4),
    'maps_score': ('mmwsss.evaluation.folder', 'count_maps', 4),
    'masks': (MaskWriter, '__call__', 4),
    'masks_score': (MeanIoUScore, 'count', 4),
    'segmenter': (IterationSeedHook, 'before_train_iter', 3),
    'segmenter_score': ('mmwsss.stages.test', 'check_fit', 1),
}


def test_cut_in_each_stage_and_continued_equals_an_uninterrupted_run(
    finished, tmp_path, monkeypatch
):
    config, folder = finished[0], tmp_path / 'work'
    for stage, (owner, name, call) in CUTS.items():
        made = pipeline(config, folder)
        with monkeypatch.context() as patch:
            target = __import__(owner, fromlist=['x']) if isinstance(owner, str) else owner
            made.run(last=STAGES[STAGES.index(stage) - 1])
            patch.setattr('mmwsss.pipeline.engine.code_version', lambda: 'x')
            interrupt_at(patch, target, name, call)
            with pytest.raises(KeyboardInterrupt):
                made.run(last=stage)
        assert actions(pipeline(config, folder))[stage] == 'go on', stage
    content = pipeline(config, folder).run()
    for one, two in zip(content.stages, finished[3].stages):
        assert one.scores == two.scores, one.name
    assert same_files(folder / 'maps', finished[1] / 'maps', '*.npz')
    assert same_files(folder / 'masks', finished[1] / 'masks', '*.png')
    for stage in ('localizer', 'segmenter'):
        one, two = (
            load_checkpoint_file(f / stage / 'iter_3.pth')['state_dict']
            for f in (folder, finished[1])
        )
        assert all((one[key] == two[key]).all() for key in one)


def test_a_failure_names_the_stage_and_stops(finished, demo_root, tmp_path):
    root = tmp_path / 'data'
    shutil.copytree(demo_root, root)
    name = read_id_list(root / 'ImageSets' / 'Segmentation' / 'train.txt')[2]
    options = {'data_root': str(root), 'stages.data': None, 'stages.localizer.after': None}
    folder = tmp_path / 'work'
    pipeline(finished[0], folder, options).run(last='localizer')
    whole = (root / 'JPEGImages' / f'{name}.jpg').read_bytes()
    (root / 'JPEGImages' / f'{name}.jpg').write_bytes(whole[: len(whole) // 2])
    made = pipeline(finished[0], folder, options)
    with pytest.raises(StageError, match=r"stage 'maps' failed with exit code 1") as caught:
        made.run(first='maps')
    assert (caught.value.stage, caught.value.code) == ('maps', 1)
    assert made.tools_run == ['make_maps.py']
    assert read_record(folder / 'maps').failed == [name]
    assert not (folder / 'masks').exists()
    (root / 'JPEGImages' / f'{name}.jpg').write_bytes(whole)
    made.run(last='masks')
    assert load_mask(folder / 'masks' / f'{name}.png').size > 0


def test_files_of_unknown_origin_are_not_touched(finished, tmp_path):
    folder = tmp_path / 'work'
    (folder / 'localizer').mkdir(parents=True)
    (folder / 'localizer' / 'thesis.txt').write_text('x')
    with pytest.raises(ValueError, match='unknown origin'):
        pipeline(finished[0], folder).run()
    assert (folder / 'localizer' / 'thesis.txt').is_file()


def test_files_that_stages_made_count_by_content_however_data_do(tmp_path):
    file = tmp_path / 'epoch_5.pth'
    found = []
    for content in (b'seed 0', b'seed 1'):
        file.write_bytes(content)
        hashes = FileHashes(tmp_path / 'none.json', content=False)
        found.append((hashes.of({'a': file}), hashes.of({'a': file}, are_data=True)))
    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1]


def test_every_source_of_labels_is_looked_at():
    labels = dict(source='npy', path='l.npy', columns='c.json', category_map='m.json')
    found = sources_of(dict(labels=labels, data_root='r', ann_file='a.txt'), None)
    assert set(found.values()) == {'r/l.npy', 'r/c.json', 'r/m.json', 'r/a.txt'}


def test_folders_above_the_images_are_looked_at(copied, tmp_path):
    made = pipeline(*copied)
    made.plan()
    made.hashes.seen.add(tmp_path / 'images' / 'set' / 'a.jpg')
    assert tmp_path / 'images' in made.looked_at()


def test_other_inputs_that_a_config_names_are_looked_at(copied, demo_root, tmp_path):
    made = pipeline(*copied)
    listing, maps = tmp_path / 'part.txt', tmp_path / 'instances'
    listing.write_text('val_0000\n')
    maps.mkdir()
    score, train = made.spec.stage('segmenter_score'), made.spec.stage('segmenter')
    dataset = {**made.config(score).test_dataloader.dataset, 'ann_file': str(listing)}
    made.config(score).test_cfg.others = [dict(dataloader=dict(dataset=dataset))]
    made.config(score).test_evaluator = [dict(type='IAmIoUMetric', instance_dir=str(maps))]
    made.config(train).custom_hooks = [dict(type='EWCHook', fisher_dataset=dataset)]

    def changed_by(path, content):
        before = [made.inputs(stage) for stage in (score, train)]
        path.write_text(content)
        now = [made.inputs(stage) for stage in (score, train)]
        return [{key for key in old if old[key] != new[key]} for old, new in zip(before, now)]

    assert all('data' in changed for changed in changed_by(listing, 'val_0001\n'))
    assert changed_by(maps / 'val_0000.png', 'a map') == [{'files'}, set()]
    before = made.inputs(train)
    made.config(train).sync_bn = 'torch'
    assert made.inputs(train) != before

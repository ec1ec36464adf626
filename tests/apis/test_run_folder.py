"""Files of a run that are cut, foreign or old: each is named, and the rest of the report is written."""

from __future__ import annotations

import json
import runpy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from mmwsss.apis.report import ReportOptions, write_run_report
from mmwsss.io import make_record, save_mask, write_record

TOOL = runpy.run_path(str(Path(__file__).parents[2] / 'tools' / 'report.py'))
CLASSES = ['background', 'cat']
MASKS = {
    'what': 'masks', 'predictions': 'elsewhere', 'images': 2, 'mIoU': 0.5, 'IA_S': None,
    'IoU': {'background': 0.75, 'cat': 0.25}, 'manifest': None, 'uses_ground_truth': None,
}  # fmt: skip
MAPS = {
    'what': 'class maps', 'predictions': 'maps', 'images': 2, 'thresholds': [0.1, 0.2],
    'mIoU': [0.5, None], 'best_threshold': 0.1, 'best_mIoU': 0.5, 'argmax_mIoU': None,
    'best_IoU': {'cat': None},
}  # fmt: skip
SUMMARY = {
    'name': 'run', 'seed': 0, 'steps': [{'stage': 'maps', 'command': 'make_maps.py', 'seconds': 2.0}],
    'scores': [{'what': 'masks', 'protocol': 'p', 'mIoU': 50.0, 'per_class': {'cat': None}}],
}  # fmt: skip
DEMO_SCORE = {
    'name': 'masks', 'miou': 0.5, 'split': 'val', 'images': 2, 'threshold': 'none', 'views': 'v',
    'uses_ground_truth': False, 'iou': {'cat': 0.5},
}  # fmt: skip
POOLED = {'part_recall': 0.5, 'body_recall': None, 'precision': 0.5}
CURVE = {'thresholds': [0.1], 'mIoU': [0.5], 'argmax_mIoU': None}
DEMO = {
    'scores': [DEMO_SCORE], 'coverage': {'cam': {'pooled': POOLED}}, 'maps': {'cam': CURVE},
    'data': {'train': {'images': 2}}, 'classes': CLASSES, 'picture': ['a'], 'version': '1',
    'seconds': {'maps': 2.0},
}  # fmt: skip
STEPS = [{'command': 'python tools/train.py c.py', 'seconds': 2.0}]
GOOD = {
    'masks.json': MASKS, 'maps.json': MAPS, 'summary.json': SUMMARY, 'report.json': DEMO,
    'steps.json': STEPS, 'test/20260101_000000/20260101_000000.json': {'mIoU': 50.0, 'IA_S': 12.5},
}  # fmt: skip
NAN = float('nan')


def changed(content, **changes):
    """A copy with some fields replaced; ``...`` removes one."""
    content = {**content, **changes}
    return {key: value for key, value in content.items() if value is not ...}


def score_of(**changes):
    return changed(SUMMARY, scores=[changed(SUMMARY['scores'][0], **changes)])


def manifest_of(**changes):
    settings = {'threshold': 0.3, 'threshold_source': 'config', 'refiners': []}
    made = asdict(make_record('masks', CLASSES, 'train', ['a'], settings=settings))
    return changed(made, **changes)


BROKEN = [
    # file, content, what the message must hold
    ('masks.json', '{"what": "masks", "mIo', 'expected JSON, but got'),
    ('masks.json', '[' * 100000, 'expected JSON, but got'),
    ('masks.json', '', 'expected JSON, but got'),
    ('masks.json', b'\xff\xfe', 'expected JSON, but got'),
    ('masks.json', [MASKS], 'expected an object, but got the list'),
    ('scores.json', None, 'expected an object, but got null'),
    ('maps.json', changed(MAPS, what=...), 'expected `what`: a text, but it is missing'),
    ('other.json', changed(MASKS, mIoU=...), 'expected `mIoU`: a number or null, but it is missing'),
    ('masks.json', changed(MASKS, mIoU=NAN), 'expected `mIoU`: a number or null, but got NaN'),
    ('masks.json', changed(MASKS, mIoU='high'), 'but got the text "high"'),
    ('masks.json', changed(MASKS, IoU=[0.5]), 'expected `IoU`: an object of numbers or nulls'),
    ('masks.json', changed(MASKS, predictions=...), 'expected `predictions`: a text'),
    ('masks.json', changed(MASKS, manifest={'settings': []}), '`manifest.settings`: an object'),
    ('masks.json', changed(MASKS, manifest={'settings': {'refiners': ['x']}}), '`refiners`'),
    ('masks.json', changed(MASKS, manifest={'settings': {'scales': 1}}), '`scales`'),
    ('masks.json', changed(MASKS, predictions='a\0b'), 'null'),
    ('maps.json', changed(MAPS, thresholds=...), 'expected `thresholds`: a list of numbers'),
    ('maps.json', changed(MAPS, thresholds=[0.1]), 'as many `thresholds` as `mIoU`'),
    ('maps.json', changed(MAPS, best_threshold=None), 'expected `best_threshold`: a number, but got null'),
    ('maps.json', changed(MAPS, argmax_mIoU=...), 'expected `argmax_mIoU`'),
    ('t/20260101_000001/20260101_000001.json', {'mIoU': 'x'}, 'expected `mIoU`: a number'),
    ('t/20260101_000001/20260101_000001.json', [1], 'expected an object, but got the list'),
    ('masks/record.json', '{"stage": "ma', 'is not JSON'),
    ('masks/record.json', [], 'expected a record of format 1'),
    ('masks/record.json', {'name': 'an app'}, 'expected a record of format 1'),
    ('masks/record.json', manifest_of(classes='cat'), 'classes: expected'),
    ('masks/record.json', manifest_of(settings=[]), 'settings: expected'),
    ('masks/record.json', manifest_of(settings={'threshold': 'x'}), 'expected `threshold`'),
    ('masks/record.json', manifest_of(ids_count=None), 'ids_count: expected'),
    ('masks/record.json', manifest_of(inputs=[1]), 'inputs: expected'),
    ('masks/record.json', manifest_of(code=1), 'code: expected'),
    ('summary.json', {'name': 'run'}, 'expected `scores`: a list of objects, but it is missing'),
    ('summary.json', changed(SUMMARY, steps={}), 'expected `steps`: a list of objects'),
    ('summary.json', changed(SUMMARY, steps=[{'seconds': 1}]), 'expected `stage` or `command`'),
    ('summary.json', score_of(protocol=...), 'expected `protocol`: a text, but it is missing'),
    ('summary.json', score_of(what=3), 'expected `what`: a text, but got the number 3'),
    ('summary.json', score_of(mIoU=NAN), 'expected `mIoU`: a number or null, but got NaN'),
    ('summary.json', score_of(per_class=[1]), 'expected `per_class`: an object'),
    ('summary.json', score_of(details=[1]), 'expected `details`: an object'),
    ('report.json', {}, 'expected `scores`: a list of objects, but it is missing'),
    ('report.json', changed(DEMO, seconds=12.0), 'expected `seconds`: an object of numbers'),
    ('report.json', changed(DEMO, maps={'cam': {}}), 'expected `thresholds`'),
    ('report.json', changed(DEMO, maps={'else': CURVE}), "this version writes, but got KeyError: 'else'"),
    ('report.json', changed(DEMO, coverage={'cam': {}}), 'expected `pooled`: an object'),
    ('report.json', changed(DEMO, data={}), 'expected `train`: an object'),
    ('report.json', changed(DEMO, scores=[changed(DEMO_SCORE, iou=...)]), 'expected `iou`'),
    ('steps.json', {'command': 'x'}, 'expected a list of objects, but got the object'),
    ('steps.json', ['x'], 'expected a list of objects'),
    ('steps.json', [{}], 'expected `command`: a text, but it is missing'),
    ('steps.json', [{'command': 'a "b', 'seconds': 1}], 'quotation'),
    ('steps.json', [{'command': 'a', 'seconds': NAN}], 'expected `seconds`: a number or null'),
    ('x/20260101_000000/vis_data/scalars.json', 'no row\n', 'expected rows of JSON'),
]  # fmt: skip


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content if isinstance(content, (str, bytes)) else json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def run_tool(*arguments) -> int:
    args = TOOL['parse_args']([*map(str, arguments), '--workers', '0'])
    with pytest.raises(SystemExit) as end:
        TOOL['run_tool'](TOOL['main'], args)
    return end.value.code


@pytest.mark.parametrize(('name', 'content', 'message'), BROKEN)
def test_a_file_that_does_not_fit_is_named_and_the_rest_is_written(
    tmp_path, name, content, message
):
    good = {**MASKS, 'predictions': 'of another folder'}
    write(tmp_path / 'good.json', good)
    write(tmp_path / name, content)
    path, report = write_run_report(tmp_path, options=ReportOptions(images=0))
    (failed,) = report.failed
    assert failed.part == f'file {name}'
    assert message in failed.reason
    assert len(failed.reason) < 300
    assert [score.name for score in report.scores][-1] == 'of another folder'
    page = path.read_text('utf-8')
    assert 'Not in this report' in page
    assert f'file {name}' in page
    assert 'of another folder' in page


@pytest.mark.parametrize('name', GOOD)
def test_a_good_file_of_each_kind_is_read(tmp_path, name):
    write(tmp_path / name, GOOD[name])
    write(tmp_path / 'foreign.json', [{'id': 1}])
    log = tmp_path / 'training' / '20260101_000000' / 'vis_data'
    for log_name in ('scalars', '20260101_000000'):
        write(log / f'{log_name}.json', '{"step": 1, "loss": NaN}\n{"step": 2}\n{"st')
    write(tmp_path / 'settings.json', {'what': 3, 'mIoU': 'none of ours'})
    _, report = write_run_report(tmp_path, options=ReportOptions(images=0))
    assert report.failed == []
    assert report.commands if name == 'steps.json' else report.scores


def test_undefined_scores_of_a_test_loop_are_no_fault(tmp_path):
    """MMEngine writes NaN where there are no objects of a size."""
    content = {'mIoU': 50.0, 'IA_S': NAN, 'IA_L': 25.0}
    write(tmp_path / 't' / '20260101_000000' / '20260101_000000.json', content)
    _, report = write_run_report(tmp_path, options=ReportOptions(images=0))
    assert report.failed == []
    assert report.scores[0].others == {'IA_S': None, 'IA_L': 0.25}


def test_a_broken_config_of_a_training_is_named(tmp_path):
    write(tmp_path / 'masks.json', MASKS)
    folder = tmp_path / 'localizer'
    (folder / '20260101_000000').mkdir(parents=True)
    (folder / 'cut.py').write_text('model = dict(')
    _, report = write_run_report(tmp_path, options=ReportOptions(images=0))
    (failed,) = report.failed
    assert failed.part == 'file localizer/cut.py'
    assert failed.reason.startswith('expected a config, but got ')


def test_the_tool_names_the_files_counts_them_and_ends_with_1(tmp_path, capsys):
    write(tmp_path / 'good.json', MASKS)
    write(tmp_path / 'masks.json', changed(MASKS, mIoU=...))
    write(tmp_path / 'steps.json', '[{')
    assert run_tool(tmp_path) == 1
    captured = capsys.readouterr()
    assert 'failed: file masks.json: expected `mIoU`: a number or null, but it is' in captured.err
    assert 'failed: file steps.json: expected JSON' in captured.err
    assert '2 parts failed' in captured.err
    assert f'report: {tmp_path / "report.html"}' in captured.out
    assert 'left out: threshold curve' in captured.out
    assert 'file ' not in captured.out


def test_a_run_of_broken_files_only_says_so(tmp_path, capsys):
    write(tmp_path / 'masks.json', '{')
    assert run_tool(tmp_path) == 1
    assert 'file masks.json' in (tmp_path / 'report.html').read_text()


def test_masks_that_cannot_be_scored_count_as_failed(tmp_path):
    for name in 'ab':
        save_mask(tmp_path / 'gt' / f'{name}.png', np.array([[0, 1]]))
        save_mask(tmp_path / 'run' / 'masks' / f'{name}.png', np.array([[0, 1]]))
    (tmp_path / 'run' / 'masks' / 'b.png').write_bytes(b'no mask')
    manifest = make_record('masks', CLASSES, 'train', ['a', 'b'], settings={'refiners': []})
    write_record(tmp_path / 'run' / 'masks', manifest)
    options = ReportOptions(ground_truth=tmp_path / 'gt', images=0)
    _, report = write_run_report(tmp_path / 'run', options=options)
    (failed,) = report.failed
    assert failed.part == 'images of masks'
    assert '1 images could not be scored, first: b: ' in failed.reason
    assert report.scores[0].protocol.endswith('; scored on 1 of these 2 images')


def test_a_dataset_that_does_not_load_is_named(tmp_path):
    dataset = dict(type='VOC12WSSSDataset', data_root=str(tmp_path / 'moved'), ann_file='val.txt')
    loader = dict(dataset=dict(type='NoSuchDataset'))
    config = tmp_path / 'run' / 'localizer' / 'config.py'
    write(tmp_path / 'run' / 'masks.json', MASKS)
    write(
        config, f'map_dataset = {dataset}\nval_dataloader = {loader}\ntest_dataloader = {loader}\n'
    )
    (config.parent / '20260101_000000').mkdir()
    path, report = write_run_report(tmp_path / 'run', options=ReportOptions(images=0))
    found = {m.part: m.reason for m in report.missing if m.part.startswith('dataset ')}
    assert list(found) == [
        'dataset map_dataset of localizer/config.py',
        'dataset val_dataloader.dataset of localizer/config.py',  # that of the test is the same
    ]
    moved, unknown = found.values()
    assert moved.startswith(
        f'VOC12WSSSDataset with data_root {tmp_path / "moved"}, ann_file val.txt: '
    )
    assert 'data_root: the folder does not exist' in moved
    assert 'NoSuchDataset is not in' in unknown
    assert 'dataset map_dataset of localizer/config.py' in path.read_text()


@pytest.mark.parametrize('folder', ['steps', 'stages', 'vis_data'])
def test_records_of_stages_are_no_scores(tmp_path, folder):
    (tmp_path / 'masks.json').write_text(json.dumps(MASKS))
    (tmp_path / folder).mkdir()
    (tmp_path / folder / 'maps.json').write_text(json.dumps({'fingerprint': 'a', 'complete': True}))
    _, report = write_run_report(tmp_path, None, ReportOptions())
    assert report.failed == []

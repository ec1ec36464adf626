"""Records, logs and configs of a run that are cut, foreign or moved: named, and the rest is shown."""

from __future__ import annotations

import json
import runpy
from dataclasses import asdict
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsss.io import Protocol, Score, make_record, write_record
from mmwsss.report import ReportOptions, write_run_report
from mmwsss.report.images import image_index
from mmwsss.report.read import noting, open_run, read_curves
from tests.report.runs import write_log
from tests.tiny_models import demo_dataset, localizer_config

TOOL = runpy.run_path(str(Path(__file__).parents[2] / 'tools' / 'report.py'))
SCORE = Score('masks', Protocol('val', 2), {'mIoU': 0.5}, {'background': 0.75, 'cat': None})


def good() -> dict:
    return asdict(make_record('score', scores=[SCORE]))


def scored(**changes) -> dict:
    return {**good(), 'scores': [{**asdict(SCORE), **changes}]}


BROKEN = [
    # file, content, what the message must hold
    ('masks.json', '{"kind": "score", "sco', 'is not JSON: '),
    ('masks.json', '[' * 100000, 'is not JSON: '),
    ('masks.json', b'\xff\xfe', 'is not JSON: '),
    ('masks.json', {'kind': 'score'}, 'expected a record of format 1, but got None'),
    ('masks.json', scored(metrics={'mIoU': 'high'}), 'but got "high"'),
    ('masks.json', scored(per_class=[0.5]), 'per_class: expected dict'),
    ('masks.json', scored(protocol=None), 'protocol: expected <class'),
    ('masks.json', scored(curve=[[0.1]]), 'curve[0]: expected'),
    ('masks/record.json', '{"kind": "ma', 'is not JSON'),
    ('masks/record.json', [], 'expected a record of format 1'),
    ('masks/record.json', {'name': 'an app'}, 'expected a record of format 1'),
    ('a/record.json', {**good(), 'kind': 'masks', 'classes': 'cat'}, 'classes: expected list'),
    ('a/record.json', {**good(), 'kind': 'test', 'result': {'predictions': 3}}, 'result: predictions'),
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
    write(tmp_path / 'good.json', good())
    write(tmp_path / name, content)
    path, report = write_run_report(tmp_path, options=ReportOptions(images=0))
    (failed,) = report.failed
    assert failed.part == f'file {name}'
    assert message in failed.reason
    assert str(tmp_path) not in failed.reason
    assert len(failed.reason) < 300
    page = path.read_text('utf-8')
    assert f'file {name}' in page
    assert '50.00' in page


def test_foreign_files_and_those_too_deep_are_left_alone(tmp_path):
    write(tmp_path / 'masks_score' / 'record.json', good())
    write(tmp_path / 'foreign.json', [{'id': 1}])
    write(tmp_path / 'settings.json', {'kind': 'else', 'scores': 3})
    write(tmp_path / '.hidden' / 'record.json', '{')
    write(tmp_path / 'a' / 'b' / 'c' / 'd' / 'record.json', '{')
    write(
        tmp_path / 'test' / '20260101_000000' / 'vis_data' / 'scalars.json',
        '{"step": 1}\n{"step": 2}',
    )
    _, report = write_run_report(tmp_path, options=ReportOptions(images=0))
    assert report.failed == []
    assert report.scores == [('masks_score', SCORE)]


def test_the_tool_names_the_files_counts_them_and_ends_with_1(tmp_path, capsys):
    write(tmp_path / 'good.json', good())
    write(tmp_path / 'masks.json', {'kind': 'score'})
    write(tmp_path / 'maps' / 'record.json', '[{')
    assert run_tool(tmp_path) == 1
    captured = capsys.readouterr()
    assert 'failed: file masks.json: expected a record of format 1' in captured.err
    assert 'failed: file maps/record.json: is not JSON' in captured.err
    assert '2 parts failed' in captured.err
    assert f'report: {tmp_path / "report.html"}' in captured.out
    assert 'left out: threshold curve' in captured.out
    assert 'file ' not in captured.out


def test_training_curves_join_the_logs_of_a_resumed_training(tmp_path):
    folder = tmp_path / 'localizer'
    write_record(folder, make_record('train'))
    first = [
        {'step': 1, 'loss': 3.0, 'lr': 0.1},
        {'step': 2, 'loss': 2.0},
        {'step': 4, 'loss': 9.0},
    ]
    write_log(folder, '20260101_000000', first)
    second = [{'step': 2, 'loss': 1.5}, {'step': 3, 'loss': 1.0}, {'step': 3, 'mIoU': 9, 'x': True}]
    write_log(folder, '20260101_000001', second)
    write(folder / '20260101_000002' / 'vis_data' / 'scalars.json', 'no row\n')
    run = open_run(tmp_path)
    assert read_curves(run) == {'localizer': {'loss': ([1, 2, 3], [3.0, 1.5, 1.0])}}
    ((name, reason),) = run.problems.items()
    assert name == 'localizer/20260101_000002/vis_data/scalars.json'
    assert reason.startswith('expected rows of JSON')


def training(root: Path, cfg: dict | None, name: str = 'localizer') -> None:
    """The record of a training with its config."""
    write_record(root / name, make_record('train', config='configs/config.py'))
    if cfg is not None:
        Config(cfg).dump(root / name / 'config.py')


def test_several_datasets_as_one_each_read_once(demo_root, tmp_path, monkeypatch):
    parts = [demo_dataset(demo_root, split, masks=True) for split in ('train', 'val')]
    cfg = localizer_config(demo_root)
    cfg['val_dataloader']['dataset'] = dict(type='WSSSConcatDataset', datasets=parts)
    cfg['map_dataset'] = dict(type='PairDataset', group_size=2, dataset=cfg['map_dataset'])
    for name in ('one', 'two'):
        training(tmp_path, cfg, name)
    index = image_index(open_run(tmp_path))
    assert index.problems == {}
    lists = demo_root / 'ImageSets' / 'Segmentation'
    names = {n for part in ('train', 'val') for n in (lists / f'{part}.txt').read_text().split()}
    assert set(index.images) == set(index.truth) == names
    assert index.classes[0] == 'background'


def test_true_masks_that_only_a_score_names(demo_root, tmp_path):
    training(tmp_path, {**localizer_config(demo_root), 'val_dataloader': None, 'val_evaluator': None,
                        'val_cfg': None})  # fmt: skip
    assert image_index(open_run(tmp_path)).truth == {}
    folder = demo_root / 'SegmentationClass'
    for place, expected in ((folder, str(folder / 'train_0000.png')), (tmp_path / 'moved', None)):
        record = make_record('score', result={'ground_truth': str(place)})
        write_record(tmp_path / 'masks.json', record)
        assert image_index(open_run(tmp_path)).truth.get('train_0000') == expected


def test_masks_are_of_the_maps_of_their_images(tmp_path):
    for name, ids in (('few', 'a'), ('all', 'abc')):
        write_record(tmp_path / name, make_record('maps', ids=list(ids)))
    run = open_run(tmp_path)
    inputs = {'maps': make_record('maps').sha256(ids=False)}
    for ids, expected in (('a', 'few'), ('abc', 'all'), ('ab', 'all')):
        masks = make_record('masks', ids=list(ids), inputs=inputs)
        assert run.maps_of(masks) == tmp_path / expected / 'record.json', ids
    assert run.maps_of(make_record('masks')) is None


def test_configs_and_datasets_that_do_not_load_are_named(tmp_path, demo_root):
    write(tmp_path / 'good.json', good())
    training(tmp_path, None, 'gone')
    training(tmp_path, None, 'cut')
    (tmp_path / 'cut' / 'config.py').write_text('model = dict(')
    training(tmp_path, {'map_dataset': dict(type='VOC12WSSSDataset', data_root=str(tmp_path / 'moved'),
                                            ann_file='val.txt')}, 'moved')  # fmt: skip
    path, report = write_run_report(tmp_path, options=ReportOptions(images=0))
    missing = {part.part: part.reason for part in report.missing}
    assert 'config not found' in missing[f'config {tmp_path}/gone/config.py']
    assert 'fails: SyntaxError' in missing[f'config {tmp_path}/cut/config.py']
    name = f'dataset VOC12WSSSDataset of {tmp_path}/moved in {tmp_path}/moved/config.py'
    assert 'ann_file: the list of images does not exist' in missing[name]
    assert name in path.read_text()


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (FileNotFoundError('the list does not exist: a.txt'), 'the list does not exist: a.txt'),
        (
            FileNotFoundError(2, 'No such file', 'a.txt'),
            "FileNotFoundError: [Errno 2] No such file: 'a.txt'",
        ),
        (ValueError('no JSON'), 'no JSON'),
        (KeyError('kind'), "KeyError: 'kind'"),
    ],
)
def test_own_messages_stand_without_their_class(error, text):
    problems = {}
    with noting(problems, 'file'):
        raise error
    assert problems == {'file': text}

"""Several test sets in one run give what each gives alone."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmseg.registry import METRICS, MODELS

from mmwsss.engine.loops.multi_dataset_test_loop import MultiDatasetTestLoop
from mmwsss.engine.loops.multi_dataset_test_loop import test_sets as list_test_sets
from mmwsss.io import read_record
from mmwsss.stages.test import run_test, use_test_config
from mmwsss.utils.config import load_config
from tests.tiny_models import demo_dataset

ROOT = Path(__file__).parents[3]
SEGMENTER = ROOT / 'configs/deeplabv2/deeplabv2_tiny_demo_pseudo.py'
BOTH = ROOT / 'configs/test_sets/voc_pascal_b.py'


def part(root: Path, split: str, **dataset) -> tuple[dict, list]:
    """Loader and metrics of one split of the generated data."""
    data = demo_dataset(root, split, masks=True, test_mode=True, **dataset)
    data.pop('labels')
    loader = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=data,
    )
    instances = dict(type='IAmIoUMetric', instance_dir=str(root / 'SegmentationObject'))
    return loader, [dict(type='MeanIoUMetric', iou_metrics=['mIoU']), instances]


def pair(root: Path, **second) -> dict:
    loader, evaluator = part(root, 'val')
    others = [dict(zip(('dataloader', 'evaluator'), part(root, 'train', **second)), name='more')]
    return dict(
        test_dataloader=loader,
        test_evaluator=evaluator,
        test_cfg=dict(type='MultiDatasetTestLoop', name='val', others=others),
    )


def replace(cfg: Config, **values: object) -> None:
    for key, value in values.items():
        cfg[key] = value


@pytest.fixture
def model(tmp_path: Path) -> tuple[Config, str]:
    cfg = load_config(SEGMENTER)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.log_level = 'WARNING'
    torch.manual_seed(0)
    path = tmp_path / 'model.pth'
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, path)
    return cfg, str(path)


def test_scores_are_those_of_each_dataset_alone(model, demo_root, tmp_path):
    cfg, checkpoint = model
    replace(cfg, **pair(demo_root))
    together = run_test(cfg, checkpoint, out=str(tmp_path / 'out'))
    for name, split in (('val', 'val'), ('more', 'train')):
        loader, evaluator = part(demo_root, split)
        alone = load_config(SEGMENTER)
        replace(
            alone,
            work_dir=str(tmp_path / split),
            log_level='WARNING',
            test_dataloader=loader,
            test_evaluator=evaluator,
            test_cfg=dict(type='TestLoop'),
        )
        scores = run_test(alone, checkpoint)
        assert len(scores) == 7
        found = {key: together[f'{name}/{key}'] for key in scores}
        assert found == pytest.approx(scores, nan_ok=True)
    assert len(together) == 14
    record = read_record(tmp_path / 'work')
    val, more = record.scores
    assert (val.what, val.protocol.images) == ('segmenter on val', 4)
    assert (more.what, more.protocol.images) == ('segmenter on more', 8)
    assert more.metrics['mIoU'] == pytest.approx(together['more/mIoU'] / 100)
    assert more.protocol.flip is False
    assert more.protocol.split == 'train'
    assert {'mIoU', 'IA_S'} <= set(more.metrics)
    (logged,) = (tmp_path / 'work').glob('*/2*.json')
    assert json.loads(logged.read_text())['more/mIoU'] == pytest.approx(together['more/mIoU'])
    assert [len(list((tmp_path / 'out' / name).glob('*.png'))) for name in ('val', 'more')] == [
        4,
        8,
    ]


def test_one_command_with_another_file_of_test_sets_and_scales(model, demo_root, tmp_path):
    _, checkpoint = model
    Config(pair(demo_root)).dump(tmp_path / 'sets.py')
    tool = runpy.run_path(str(ROOT / 'tools' / 'test.py'))
    args = [str(SEGMENTER), checkpoint, '--test-config', str(tmp_path / 'sets.py'), '--tta']
    args += ['--work-dir', str(tmp_path / 'work'), '--cfg-options', 'log_level=WARNING']
    args += ['test_cfg.name=first', 'test_dataloader.dataset.indices=2']
    assert tool['main'](tool['parse_args'](args)) == 0
    record = read_record(tmp_path / 'work')
    assert [score.what for score in record.scores] == ['segmenter on first', 'segmenter on more']
    assert [score.protocol.images for score in record.scores] == [2, 8]
    assert record.scores[0].protocol.flip is True


class Builder:
    """What a loop needs of a runner to build its parts."""

    build_dataloader = staticmethod(Runner.build_dataloader)
    visualizer = type('Visualizer', (), {})()
    seed = 0
    _randomness_cfg: ClassVar[dict] = {}

    def build_evaluator(self, evaluator):
        return Evaluator([METRICS.build(metric) for metric in evaluator])


def test_wrong_parts_are_refused(demo_root):
    def build(name='more', classes='classes.txt', **changed):
        loader, evaluator = part(demo_root, 'train', classes=classes)
        other = dict(name=name, dataloader=loader, evaluator=evaluator, **changed)
        return MultiDatasetTestLoop(Builder(), *part(demo_root, 'val'), 'val', [other])

    assert list(build().parts) == ['val', 'more']
    for name in ('val', 'a/b'):
        with pytest.raises(ValueError, match=f'a name of its own .* and {name!r}'):
            build(name)
    with pytest.raises(ValueError, match=r"must have the keys .* but got .*'scale'"):
        build(scale=2)
    names = (demo_root / 'classes.txt').read_text().split()
    with pytest.raises(ValueError, match=r"same classes, but have .*'val'"):
        build(classes=names[:-1])


def test_a_file_without_test_sets_is_refused(tmp_path):
    (tmp_path / 'less.py').write_text('test_cfg = dict()\n')
    with pytest.raises(ValueError, match=r"lacks \['test_dataloader', 'test_evaluator'\]"):
        use_test_config(load_config(SEGMENTER), tmp_path / 'less.py')


def test_voc_and_pascal_b_are_scored_in_the_same_way():
    cfg = load_config(SEGMENTER)
    use_test_config(cfg, BOTH)
    (voc, pascal_b) = list_test_sets(cfg)
    assert (voc[0], pascal_b[0]) == ('voc_val', 'pascal_b')
    assert (voc[1].dataset.type, pascal_b[1].dataset.type) == ('VOC12WSSSDataset', 'PascalBDataset')
    assert voc[1].dataset.pipeline == pascal_b[1].dataset.pipeline
    for _, loader, metrics in (voc, pascal_b):
        assert [metric.type for metric in metrics] == ['MeanIoUMetric', 'IAmIoUMetric']
        assert metrics[1].instance_dir.startswith(loader.dataset.data_root)


def test_what_was_scored_is_kept_when_the_next_dataset_fails(
    model, demo_root, tmp_path, monkeypatch
):
    cfg, checkpoint = model
    replace(cfg, **pair(demo_root))
    tested = MultiDatasetTestLoop._test

    def fails_second(loop, part):
        if part is list(loop.parts.values())[1]:
            raise OSError('the disk is gone')
        return tested(loop, part)

    monkeypatch.setattr(MultiDatasetTestLoop, '_test', fails_second)
    with pytest.raises(OSError, match='disk is gone'):
        run_test(cfg, checkpoint)
    record = read_record(tmp_path / 'work')
    assert ([score.what for score in record.scores], record.complete) == (
        ['segmenter on val'],
        False,
    )

"""Images and true masks of a run, by its configs."""

from __future__ import annotations

import json
from types import SimpleNamespace

from mmengine.config import Config

from mmwsss.apis import run_images
from mmwsss.apis.run_folder import open_run
from mmwsss.apis.run_images import image_index
from tests.tiny_models import demo_dataset, localizer_config


def test_several_datasets_as_one(demo_root, tmp_path):
    parts = [demo_dataset(demo_root, split, masks=True) for split in ('train', 'val')]
    cfg = localizer_config(demo_root)
    cfg['val_dataloader']['dataset'] = dict(type='WSSSConcatDataset', datasets=parts)
    cfg['map_dataset'] = dict(type='PairDataset', group_size=2, dataset=cfg['map_dataset'])
    (tmp_path / '20260101_000000').mkdir()
    Config(cfg).dump(tmp_path / 'config.py')
    found = image_index(open_run(tmp_path))
    assert found.missing == []
    lists = demo_root / 'ImageSets' / 'Segmentation'
    names = {n for part in ('train', 'val') for n in (lists / f'{part}.txt').read_text().split()}
    assert set(found.images) == set(found.truth) == names
    assert found.classes[0] == 'background'


def test_a_dataset_that_trainings_share_is_read_once(demo_root, tmp_path, monkeypatch):
    built = []
    build = run_images.DATASETS.build
    monkeypatch.setattr(
        run_images, 'DATASETS', SimpleNamespace(build=lambda cfg: built.append(cfg) or build(cfg))
    )
    cfg = localizer_config(demo_root)
    for name in ('one', 'two'):
        (tmp_path / name / '20260101_000000').mkdir(parents=True)
        Config(cfg).dump(tmp_path / name / 'config.py')
    found = image_index(open_run(tmp_path))
    assert found.images
    assert len(built) == len({str(part) for part in built})


def test_true_masks_that_only_a_score_names(demo_root, tmp_path):
    (tmp_path / '20260101_000000').mkdir()
    cfg = localizer_config(demo_root)
    for key in ('val_dataloader', 'val_evaluator', 'val_cfg'):
        cfg[key] = None
    Config(cfg).dump(tmp_path / 'config.py')
    assert image_index(open_run(tmp_path)).truth == {}
    folder = demo_root / 'SegmentationClass'
    (tmp_path / 'masks.json').write_text(json.dumps({'ground_truth': str(folder)}))
    found = image_index(open_run(tmp_path)).truth
    assert found['train_0000'] == str(folder / 'train_0000.png')
    (tmp_path / 'masks.json').write_text(json.dumps({'ground_truth': str(tmp_path / 'moved')}))
    assert image_index(open_run(tmp_path)).truth == {}

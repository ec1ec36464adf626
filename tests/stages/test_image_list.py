from __future__ import annotations

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS

from mmwsss.io import load_mask, read_record, save_mask
from mmwsss.stages.image_list import Images, images_only, map_pipeline, split_name
from mmwsss.stages.maps import make_maps
from mmwsss.stages.masks import import_masks, make_masks
from tests.tiny_models import demo_dataset


def several(root, **kwargs) -> dict:
    parts = [demo_dataset(root, split, **kwargs) for split in ('train', 'val')]
    return dict(type='WSSSConcatDataset', datasets=parts)


def test_maps_and_masks_of_several_datasets(tiny_cam, demo_root, tmp_path):
    cfg, checkpoint = tiny_cam
    cfg = cfg.copy()
    threshold = {'type': 'BackgroundThreshold', 'threshold': 0.5}
    cfg.merge_from_dict({'mask_cfg': {'refiners': [threshold]}})
    cfg.map_dataset = several(demo_root)
    report = make_maps(cfg, checkpoint, tmp_path / 'maps')
    assert len(report.done) == 12
    assert {'train_0000', 'val_0000'} <= set(report.done)
    assert read_record(tmp_path / 'maps').split == 'train+val'
    made = make_masks(cfg, tmp_path / 'maps', tmp_path / 'masks')
    assert (made.done, made.exit_code) == (report.done, 0)
    for name in ('train_0003', 'val_0001'):
        truth = load_mask(demo_root / 'SegmentationClass' / f'{name}.png')
        assert load_mask(tmp_path / 'masks' / f'{name}.png', 6).shape == truth.shape


def test_masks_are_imported_for_a_segmenter_on_several_datasets(demo_root, tmp_path):
    dataset = several(demo_root, masks=True, labels=None, pseudo_mask_dir=str(tmp_path / 'out'))
    cfg = Config({'train_dataloader': {'dataset': dataset}})
    report = import_masks(cfg, demo_root / 'SegmentationClass', tmp_path / 'out')
    assert (len(report.done), report.exit_code) == (12, 0)
    assert read_record(tmp_path / 'out').split == 'train+val'
    DATASETS.build(dataset)  # the masks are there now, with a manifest that fits


def test_wrapped_datasets_are_looked_into(demo_root):
    inner = demo_dataset(demo_root, masks=True)
    wrapped = {'type': 'PairDataset', 'dataset': inner, 'views': 2}
    assert images_only(wrapped) == images_only(inner)
    assert images_only(inner)['data_prefix'] == {'img_path': 'JPEGImages'}
    both = {'type': 'WSSSConcatDataset', 'datasets': [wrapped, {'ann_file': ''}]}
    assert split_name(both) == 'train+all'
    assert [part['pipeline'] for part in images_only(both)['datasets']] == [[], []]
    assert map_pipeline(inner) == map_pipeline(wrapped) == inner['pipeline']
    assert map_pipeline(both) == [inner['pipeline'], None]


def test_ids_of_several_images_are_refused(tiny_cam, demo_root, tmp_path):
    cfg = tiny_cam[0].copy()
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'train_0001.jpg').touch()
    twice = demo_dataset(demo_root, check_files='lazy', pipeline=[])
    cfg.map_dataset = dict(type='WSSSConcatDataset', datasets=[twice, twice])
    assert len(Images(cfg.map_dataset).paths) == 8  # the same images: no harm
    moved = {**twice, 'data_prefix': {'img_path': str(other)}}
    cfg.map_dataset = dict(type='WSSSConcatDataset', datasets=[twice, moved])
    with pytest.raises(ValueError, match=r'map_dataset has several images of 8 ids.*train_0000'):
        make_maps(cfg, tiny_cam[1], tmp_path / 'maps')
    save_mask(tmp_path / 'masks' / 'a.png', np.zeros((3, 3), np.uint8))
    segmenter = Config({'train_dataloader': {'dataset': cfg.map_dataset}})
    with pytest.raises(ValueError, match=r'train_dataloader\.dataset has several images of 8 ids'):
        import_masks(segmenter, tmp_path / 'masks', tmp_path / 'out')


def test_datasets_without_ids_are_named(demo_root):
    plain = dict(
        type='BaseSegDataset',
        data_root=str(demo_root),
        data_prefix=dict(img_path='JPEGImages'),
        ann_file='ImageSets/Segmentation/train.txt',
        metainfo=dict(classes=('a', 'b'), palette=[[0, 0, 0], [1, 1, 1]]),
    )
    with pytest.raises(
        ValueError, match=r'map_dataset must be a WSSSDataset.*BaseSegDataset gives'
    ):
        Images(plain)

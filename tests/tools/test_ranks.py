"""One process and two ranks (gloo) write the same files and report the same scores."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmwsss.io import read_record
from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.tiny_models import demo_dataset, localizer_config, tiny_resnet
from tests.tools.run import run_here, run_ranks


@pytest.fixture
def setup(demo_root, tiny_cam, tmp_path):
    cfg = localizer_config(demo_root)
    cfg.update(
        test_dataloader=cfg['val_dataloader'],
        test_evaluator=cfg['val_evaluator'],
        test_cfg=dict(type='TestLoop'),
    )
    path = tmp_path / 'config.py'
    Config(cfg).dump(path)
    return path, tiny_cam[1]


def call(ranks, tool, *args):
    if ranks > 1:
        return run_ranks(tool, *args, ranks=ranks)
    done = run_here(tool, *args)
    assert done.returncode == 0, done.stderr[-3000:]


def test_maps_are_the_same(setup, tmp_path):
    config, checkpoint = setup
    for ranks in (1, 2):
        call(ranks, 'make_maps.py', config, checkpoint, '--out', tmp_path / f'maps{ranks}')
    files = sorted(file.name for file in (tmp_path / 'maps1').glob('*.npz'))
    assert len(files) == 8
    assert files == sorted(file.name for file in (tmp_path / 'maps2').glob('*.npz'))
    for name in files:
        one, two = (np.load(tmp_path / f'maps{ranks}' / name) for ranks in (1, 2))
        for key in ('keys', 'scores', 'image_size'):
            assert one[key].tobytes() == two[key].tobytes(), (name, key)
    assert read_record(tmp_path / 'maps1').sha256() == read_record(tmp_path / 'maps2').sha256()
    assert read_record(tmp_path / 'maps2').complete


def test_masks_with_a_chosen_threshold_are_the_same(setup, tmp_path):
    config, checkpoint = setup
    call(1, 'make_maps.py', config, checkpoint, '--out', tmp_path / 'maps')
    refiners = "mask_cfg={'refiners': [{'type': 'BackgroundThreshold', 'threshold': 'chosen'}]}"
    options = ('--workers', 0, '--cfg-options', refiners.replace("'", '"'))
    for ranks in (1, 2):
        out = tmp_path / f'masks{ranks}'
        call(ranks, 'make_masks.py', config, '--maps', tmp_path / 'maps', '--out', out, *options)
    one, two = (read_record(tmp_path / f'masks{ranks}') for ranks in (1, 2))
    assert (one.protocol, one.settings) == (two.protocol, two.settings)
    assert one.protocol.threshold is not None
    files = sorted((tmp_path / 'masks1').glob('*.png'))
    assert len(files) == 8
    for file in files:
        assert file.read_bytes() == (tmp_path / 'masks2' / file.name).read_bytes()


def test_scores_are_the_same(setup, tmp_path):
    config, checkpoint = setup
    scores = []
    for ranks in (1, 2):
        work_dir = tmp_path / f'test{ranks}'
        call(ranks, 'test.py', config, checkpoint, '--work-dir', work_dir)
        files = [f for f in work_dir.glob('*/*.json') if 'vis_data' not in f.parts]
        assert len(files) == 1
        scores.append(json.loads(files[0].read_text()))
    assert scores[0]['maps/mIoU_best'] > 0
    timing = {'data_time', 'time'}
    for key in set(scores[0]) - timing:
        assert scores[0][key] == scores[1][key], key


def segmenter_config(root):
    """A tiny DeepLabV2 that trains on masks with ignored pixels, three iterations of four images."""
    cfg = localizer_config(root)
    pipeline = [
        dict(type='LoadImage'),
        dict(type='LoadMask'),
        dict(type='RandomResize', scale=(64, 64), ratio_range=(0.5, 1.5), keep_ratio=True),
        dict(type='RandomCrop', crop_size=(64, 64)),
        dict(type='PackWSSSInputs'),
    ]
    preprocessor = dict(
        cfg['model']['data_preprocessor'], type='SegDataPreProcessor', seg_pad_val=255
    )
    cfg.update(
        model=dict(
            type='EncoderDecoder',
            data_preprocessor=preprocessor,
            backbone=tiny_resnet(norm_cfg=dict(type='BN', requires_grad=False), norm_eval=True),
            decode_head=dict(
                type='DeepLabV2Head',
                in_channels=64,
                in_index=3,
                num_classes=6,
                dilations=(1, 2),
                dropout_ratio=0.0,
                loss_decode=dict(type='GlobalCrossEntropyLoss'),
            ),
            test_cfg=dict(mode='whole'),
        ),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=3),
        param_scheduler=[dict(type='PolyLR', power=0.9, end=3, by_epoch=False)],
        log_processor=dict(by_epoch=False, window_size=1),
    )
    cfg['train_dataloader']['sampler']['infinite'] = True
    cfg['train_dataloader']['dataset'] = demo_dataset(root, masks=True, pipeline=pipeline)
    cfg['default_hooks']['checkpoint'] = dict(type='CheckpointHook', interval=3, by_epoch=False)
    cfg['default_hooks']['runtime_info'] = dict(type='RankMeanHook')
    cfg['custom_hooks'] = [*cfg.get('custom_hooks', []), dict(type='ChannelsLastHook')]
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator', 'map_dataset', 'mask_cfg'):
        cfg.pop(key)
    return cfg


def test_a_segmenters_curves_and_weights_are_the_same(demo_root, tmp_path):
    Config(segmenter_config(demo_root)).dump(tmp_path / 'config.py')
    weights, curves = [], []
    for ranks in (1, 2):
        folder = tmp_path / f'run{ranks}'
        call(ranks, 'train.py', tmp_path / 'config.py', '--work-dir', folder, '--share-batch')
        weights.append(load_checkpoint_file(folder / 'iter_3.pth')['state_dict'])
        (file,) = folder.rglob('vis_data/scalars.json')
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        curves.append([(line['loss'], line['lr']) for line in lines])
    assert len(curves[0]) == 3
    assert curves[0][0][0] != curves[0][2][0]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-5)
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=1e-4, atol=1e-6, msg=key)


def test_training_with_the_same_global_batch_is_the_same(demo_root, tmp_path):
    weights = []
    for ranks in (1, 2):
        cfg = localizer_config(demo_root)
        cfg['train_dataloader']['batch_size'] = 4 // ranks
        cfg['model']['freeze_norm'] = True
        cfg['model']['head']['dropout'] = 0.0  # ranks draw different channels
        for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
            cfg.pop(key)
        path = tmp_path / f'config{ranks}.py'
        Config(cfg).dump(path)
        call(ranks, 'train.py', path, '--work-dir', tmp_path / f'run{ranks}')
        file = tmp_path / f'run{ranks}' / 'epoch_2.pth'
        weights.append(load_checkpoint_file(file)['state_dict'])
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=1e-4, atol=1e-6, msg=key)

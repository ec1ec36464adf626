"""CAM and SIPE on real images with ImageNet weights; skipped where the data are not there."""

import os
from pathlib import Path

import pytest

from mmwsss.io import load_class_maps
from mmwsss.stages.maps import make_maps
from mmwsss.stages.train import run_training
from mmwsss.utils.config import load_config

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get('MMWSSS_DATA', ROOT.parent / 'shared' / 'data'))
WEIGHTS = DATA.parent / 'weights' / 'mobilenet_v2_imagenet.pth'

pytestmark = pytest.mark.skipif(
    not (DATA / 'voc_mini').is_dir() or not WEIGHTS.is_file(),
    reason=f'real images or weights are not in {DATA} (set MMWSSS_DATA)',
)


@pytest.mark.parametrize('name', ['cam', 'sipe'])
def test_two_steps_and_the_maps_of_real_images(name, tmp_path):
    cfg = load_config(
        ROOT / f'configs/{name}/{name}_mobilenetv2_vocmini.py',
        {
            'data_root': str(DATA / 'voc_mini'),
            'pretrained': str(WEIGHTS),
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'work_dir': str(tmp_path / 'run'),
        },
    )
    cfg.train_dataloader.sampler.infinite = True
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    cfg.param_scheduler = []
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=2, by_epoch=False)
    cfg.default_hooks.pop('visualization')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner = run_training(cfg)
    losses = runner.message_hub.get_scalar('train/loss_cls')
    assert 0.1 < losses.current() < 2
    ids = ['2011_000003', '2011_000006']
    known = (DATA / 'voc_mini/ImageSets/Segmentation/train.txt').read_text().split()
    ids = [i for i in ids if i in known] or known[:2]
    report = make_maps(
        cfg, tmp_path / 'run' / 'iter_2.pth', tmp_path / 'maps', ids=ids, device='cpu'
    )
    assert report.done == ids
    for image_id in ids:
        maps = load_class_maps(tmp_path / 'maps' / f'{image_id}.npz', num_classes=21)
        assert maps.has_background == (name == 'sipe')
        assert maps.scores.shape[1:] == maps.image_size
        assert maps.scores.max() > 0.9  # an untrained class may get no seed and a zero map

from __future__ import annotations

import importlib.util
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmwsss.engine.hooks import MapVisualizationHook
from mmwsss.engine.hooks.map_visualization_hook import image_datasets
from mmwsss.stages.train import build_runner
from tests.tiny_models import demo_dataset, localizer_config

HOOK = dict(type='MapVisualizationHook', interval=1, num_images=3)
FILES = 'LocalVisBackend'


def train(root, work_dir, hooks, backend=FILES):
    visualizer = dict(
        type='SegLocalVisualizer', vis_backends=[dict(type=backend)], name=str(work_dir)
    )
    cfg = localizer_config(root, work_dir=str(work_dir), visualizer=visualizer)
    cfg.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    cfg['model']['test_cfg']['scales'] = (1.0,)
    cfg['custom_hooks'] = [dict(type='IterationSeedHook'), *hooks]
    runner = build_runner(Config(cfg))
    runner.train()
    return runner


def pictures(work_dir):
    return {path.name: path for path in work_dir.rglob('vis_image/*.png')}


def test_pictures_are_written_and_training_is_as_without_them(demo_root, tmp_path, monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    with_hook = train(demo_root, tmp_path / 'a', [HOOK])
    found = pictures(tmp_path / 'a')
    names = [f'maps_{i}_train_000{i}' for i in (0, 4, 7)]  # evenly spaced over 8 images
    assert set(found) == {f'{name}_{step}.png' for name in names for step in (2, 4)}
    picture = np.asarray(Image.open(found[f'{names[0]}_4.png']).convert('RGB'))
    assert picture.shape[1] > 2 * picture.shape[0]  # image, maps, mask in a row
    assert picture.std() > 20
    without = train(demo_root, tmp_path / 'b', [])
    assert not pictures(tmp_path / 'b')
    assert with_hook.model.training == without.model.training
    for (name, a), (_, b) in zip(
        with_hook.model.state_dict().items(), without.model.state_dict().items()
    ):
        assert torch.equal(a, b), name
    (hook,) = (h for h in with_hook.hooks if isinstance(h, MapVisualizationHook))
    before = {name: path.read_bytes() for name, path in found.items()}
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)  # other ranks' devices are left alone
    hook.draw(with_hook)  # the same model draws the same
    assert {name: path.read_bytes() for name, path in found.items()} == before


def test_other_ranks_draw_nothing(demo_root, tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.dist.utils.get_rank', lambda group=None: 1)
    hook = MapVisualizationHook()
    hook.before_train(None)
    hook.draw(None)


def test_iterations_a_dataset_with_masks_and_a_chain_that_does_not_fit(demo_root, tmp_path):
    hook = {
        **HOOK, 'by_epoch': False, 'interval': 3, 'num_images': 1, 'refiners': [],
        'dataset': demo_dataset(demo_root, 'val', masks=True, test_mode=True),
    }  # fmt: skip
    runner = train(demo_root, tmp_path, [hook])
    assert set(pictures(tmp_path)) == {'maps_0_val_0000_3.png', 'maps_0_val_0000_4.png'}
    (found,) = (h for h in runner.hooks if isinstance(h, MapVisualizationHook))
    assert found.warned == {'masks'}  # CAM has no background: no mask, and the training went on
    assert 'shows no masks' in next(tmp_path.rglob('*.log')).read_text()


@pytest.mark.skipif(
    importlib.util.find_spec('tensorboard') is None, reason='tensorboard is not installed'
)
def test_pictures_reach_tensorboard(demo_root, tmp_path):
    hook = {**HOOK, 'num_images': 1, 'interval': 2}
    train(demo_root, tmp_path, [hook], 'TensorboardVisBackend')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (path,) = tmp_path.rglob('events.out.tfevents*')
    events = EventAccumulator(str(path))
    events.Reload()
    (name,) = events.Tags()['images']
    assert name == 'maps_0_train_0000'
    (image,) = events.Images(name)
    assert image.step == 4
    assert image.encoded_image_string.startswith(b'\x89PNG')


def test_numbers_below_one_and_configs_without_data_are_refused(demo_root):
    for key in ('interval', 'num_images', 'max_side'):
        with pytest.raises(ValueError, match=rf'{key} must lie in \[1, inf\], but got 0'):
            MapVisualizationHook(**{key: 0})
    with pytest.raises(ValueError, match='name a `dataset`'):
        MapVisualizationHook().before_train(SimpleNamespace(cfg=Config({})))
    cfg = Config(localizer_config(demo_root))
    assert cfg.val_dataloader.dataset != cfg.map_dataset
    assert image_datasets(cfg)[0] == cfg.map_dataset
    cfg.pop('map_dataset')
    assert image_datasets(cfg)[0] == cfg.val_dataloader.dataset


def test_an_unreadable_image_is_a_warning_and_the_others_are_drawn(demo_root, tmp_path):
    data = tmp_path / 'data'
    shutil.copytree(demo_root, data)
    dataset = demo_dataset(data, 'val', masks=True, test_mode=True)
    hook = {**HOOK, 'num_images': 2, 'dataset': dataset}
    last = len((data / 'ImageSets' / 'Segmentation' / 'val.txt').read_text().split()) - 1
    (data / 'JPEGImages' / f'val_{last:04}.jpg').write_bytes(b'no image')
    train(demo_root, tmp_path / 'run', [hook])
    assert set(pictures(tmp_path / 'run')) == {'maps_0_val_0000_2.png', 'maps_0_val_0000_4.png'}
    log = next((tmp_path / 'run').rglob('*.log')).read_text()
    warnings = [line for line in log.splitlines() if 'MapVisualizationHook leaves out' in line]
    (warning,) = warnings  # once, though it was drawn after both epochs
    assert 'WARNING' in warning
    assert f'val_{last:04}' in warning

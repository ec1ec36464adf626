"""Every segmenter on pseudo masks: full size by its shapes, a tiny one trained, saved, loaded and tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmseg.apis import inference_model, init_model
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from PIL import Image
from torch import nn

from demo_data import make_demo_data
from mmwsss.io import load_mask, save_mask
from mmwsss.utils.checkpoint import check_fit, load_checkpoint_file
from mmwsss.utils.config import load_config
from tests.configs.rates import rate_ends

CONFIGS = Path(__file__).parents[2] / 'configs'
TINY_CONFIGS = Path(__file__).parent / 'tiny'
# Millions of weights that the full-size model has for VOC, without the auxiliary head, and its optimizer.
FULL = {
    'deeplabv3plus': (60.2, 'SGD', 0.01),
    'pspnet': (65.6, 'SGD', 0.01),
    'upernet': (59.0, 'AdamW', 6e-5),
    'segformer': (24.7, 'AdamW', 6e-5),
    'segnext': (27.6, 'AdamW', 6e-5),
    'segmenter': (26.0, 'SGD', 1e-3),
}
TINY = {
    **{name: TINY_CONFIGS / f'{name}.py' for name in (*FULL, 'largefov', 'dinov2')},
    'deeplabv2': CONFIGS / 'deeplabv2' / 'deeplabv2_tiny_demo_pseudo.py',
}
FASTER_HEADS = ('segformer', 'segnext')


def full_configs() -> list[str]:
    """Stems of the full-size configs of the methods above."""
    found = [path for name in FULL for path in sorted((CONFIGS / name).glob('*_pseudo.py'))]
    small = ('_vocmini_', '_voc12part_')
    names = [f'{path.parent.name}/{path.stem}' for path in found]
    return [name for name in names if not any(part in name for part in small)]


def config(name: str, **options: object) -> Config:
    return load_config(CONFIGS / f'{name}.py', options)


def test_every_method_has_a_full_size_config_for_voc_and_one_has_one_for_coco():
    names = full_configs()
    assert {name.split('/')[0] for name in names if name.endswith('_voc_pseudo')} == set(FULL)
    assert any(name.endswith('_coco14_pseudo') for name in names)


def test_every_segmenter_says_what_new_images_go_through():
    paths = [*CONFIGS.glob('*/*_pseudo*.py'), *CONFIGS.glob('size_balanced/*.py')]
    assert len(paths) > 25
    for path in paths:
        cfg = Config.fromfile(path)
        tested = [step for step in cfg.test_dataloader.dataset.pipeline if step.type != 'LoadMask']
        assert cfg.test_pipeline == tested, path


@pytest.mark.parametrize('name', full_configs())
def test_full_size_by_shapes(name):
    cfg = config(name)
    method = name.split('/')[0]
    num_classes = 81 if 'coco14' in name else 21
    assert cfg.crop_size == tuple(cfg.model.data_preprocessor['size']) == (512, 512)
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.max_iters == cfg.train_cfg.max_iters == rate_ends(cfg)[-1]
    assert cfg.initial_weights == 'imagenet'
    assert cfg.model.backbone.init_cfg == dict(type='Pretrained', checkpoint=cfg.pretrained)
    assert cfg.pseudo_mask_dir is None
    assert config(name, pseudo_mask_dir='m').train_dataloader.dataset.pseudo_mask_dir == 'm'

    # mmseg's transformers cannot be built on the meta device, only moved there.
    with torch.device('cpu' if 'drop_path_rate' in cfg.model.backbone else 'meta'):
        model = MODELS.build(cfg.model).to('meta')
    model.eval()
    with torch.no_grad():
        logits = model(torch.zeros(1, 3, 64, 96, device='meta'))
    assert logits.shape[1] == num_classes
    assert model.decode_head.num_classes == num_classes
    if model.with_auxiliary_head:
        assert model.auxiliary_head.num_classes == num_classes
    counted = [p for n, p in model.named_parameters() if not n.startswith('auxiliary_head.')]
    millions = sum(p.numel() for p in counted) / 1e6
    if num_classes == 21:
        assert millions == pytest.approx(FULL[method][0], abs=0.05)
    check_rates(model, cfg, method)


def check_rates(model: nn.Module, cfg: Config, method: str) -> None:
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    _, kind, rate = FULL[method]
    assert type(optimizer).__name__ == kind
    groups = {id(p): group for group in optimizer.param_groups for p in group['params']}
    for name, parameter in model.named_parameters():
        faster = name.startswith('decode_head.') and method in FASTER_HEADS
        assert groups[id(parameter)]['lr'] == pytest.approx(rate * (10 if faster else 1)), name


@pytest.fixture(scope='module')
def demo(tmp_path_factory) -> Path:
    """Eight images of 64 to 80 pixels with pseudo masks: the true ones with a part unlabelled."""
    root = tmp_path_factory.mktemp('demo')
    make_demo_data(root, train=8, val=2, min_size=64, max_size=80)
    (root / 'pseudo').mkdir()
    for path in sorted((root / 'SegmentationClass').glob('train*.png')):
        mask = load_mask(path)
        mask[:9] = 255
        save_mask(root / 'pseudo' / path.name, mask)
    return root


def runner_cfg(name: str, demo: Path, work_dir: Path) -> Config:
    """Two iterations of the tiny recipe, on 64-pixel crops and in this process."""
    complete = name in ('deeplabv2', 'largefov')
    path = TINY[name] if complete else TINY_CONFIGS / 'recipe.py'
    cfg = load_config(path, dict(data_root=str(demo)))
    if not complete:
        small = Config.fromfile(TINY[name])
        cfg.update({key: small[key] for key in ('model', 'pretrained', 'initial_weights')})
    cfg.train_dataloader.dataset.pseudo_mask_dir = str(demo / 'pseudo')
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 2
    cfg.model.data_preprocessor.size = (
        (65, 65) if cfg.model.decode_head.get('align_corners') else (64, 64)
    )
    for step in cfg.train_dataloader.dataset.pipeline:
        if step.type == 'RandomCrop':
            step.crop_size = (64, 64)
    cfg.log_level = 'WARNING'
    return cfg


@pytest.mark.usefixtures('cpu_seconds')
@pytest.mark.parametrize('name', TINY)
def test_trains_saves_loads_and_predicts(name, demo, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    cfg = runner_cfg(name, demo, tmp_path / 'run')
    model_cfg = cfg.model.copy()
    runner = Runner.from_cfg(cfg)
    before = {key: value.clone() for key, value in runner.model.named_parameters()}
    runner.train()  # validates at its end
    assert runner.iter == 2
    unchanged = [n for n, p in runner.model.named_parameters() if torch.equal(before[n], p)]
    frozen = [n for n, p in runner.model.named_parameters() if not p.requires_grad]
    assert {n.split('.')[0] for n in set(unchanged) - set(frozen)} <= {'backbone'}
    assert len(unchanged) < len(before) / 2

    checkpoint = tmp_path / 'run' / 'iter_2.pth'
    torch.manual_seed(1)
    loaded = MODELS.build(model_cfg)
    check_fit(loaded, load_checkpoint_file(checkpoint), checkpoint)
    loaded.load_state_dict(load_checkpoint_file(checkpoint)['state_dict'])
    assert isinstance(loaded, EncoderDecoder)
    runner.model.cfg = loaded.cfg = cfg.copy()
    dumped = init_model(str(next((tmp_path / 'run').glob('*.py'))), str(checkpoint), 'cpu')
    labels = [predict(model, demo) for model in (runner.model, loaded, loaded, dumped)]
    assert labels[0].shape == Image.open(demo / 'JPEGImages/val_0000.jpg').size[::-1]
    assert labels[0].max() < 6
    for other in labels[1:]:
        assert np.array_equal(labels[0], other)


def predict(model: nn.Module, demo: Path) -> np.ndarray:
    """Label map of a validation image at its own size, through mmseg's inference function."""
    model.eval()
    image = np.array(Image.open(demo / 'JPEGImages/val_0000.jpg'))[:, :, ::-1]
    result = inference_model(model, np.ascontiguousarray(image))
    return result.pred_sem_seg.data[0].numpy()

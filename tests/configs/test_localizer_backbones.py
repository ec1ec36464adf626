"""Every backbone with every localizer: full size by its shapes, a tiny one trained and asked for maps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmwsss.utils.config import load_config
from tests.configs.rates import rate_ends

CONFIGS = Path(__file__).parents[2] / 'configs'
K = 20
# Strides of the outputs of each backbone, as its config has it, and what makes it tiny.
STRIDES = {
    'r50': (4, 8, 16, 16),
    'x101': (4, 8, 16, 16),
    'mobilenetv2': (4, 8, 16, 16),
    'r38': (4, 8, 8, 8),
    'swin': (4, 8, 16, 32),
    'mit': (4, 8, 16, 16),
    'vit': (16, 16, 16, 16),
}
TINY = {
    'r50': dict(depth=18, base_channels=4, stem_channels=4),
    'x101': dict(depth=50, base_channels=4, stem_channels=4, groups=2, base_width=2),
    'mobilenetv2': dict(widen_factor=0.1),
    'r38': dict(width=1 / 64),
    'swin': dict(embed_dims=8, depths=(1, 1, 2, 1), num_heads=(1, 2, 2, 2)),
    'mit': dict(embed_dims=8, num_layers=[1, 1, 1, 1]),
    'vit': dict(embed_dims=16, num_layers=4, num_heads=2, out_indices=(0, 1, 2, 3)),
}
METHODS = ('cam', 'sipe', 'rpnet')
TRANSFORMERS = ('swin', 'mit', 'vit')


def config(method: str, backbone: str) -> Config:
    """The VOC config; RPNet's head is put on the CAM config of each backbone."""
    folder = 'sipe' if method == 'sipe' else 'cam'
    return load_config(CONFIGS / folder / f'{folder}_{backbone}_voc.py')


def channels_of(backbone: dict, device: str = 'cpu') -> list[torch.Size]:
    """Shapes of the backbone's outputs for an image of 64 x 64 pixels."""
    # mmseg's transformers cannot be built on the meta device, only moved there.
    with torch.device('cpu' if 'drop_path_rate' in backbone else device):
        model = MODELS.build({**backbone, 'init_cfg': None}).to(device)
    model.eval()  # of mmseg's own it returns None
    with torch.no_grad():
        return [out.shape for out in model(torch.zeros(1, 3, 64, 64, device=device))]


def tiny(method: str, backbone: str) -> Config:
    """The config with few channels and layers, and a head for these channels."""
    cfg = config(method, backbone)
    cfg.model.backbone.update(TINY[backbone], init_cfg=None)
    channels = [shape[1] for shape in channels_of(cfg.model.backbone)]
    head = cfg.model.head
    head.in_channels = channels[-1]
    if method == 'sipe':
        head.update(side_in_channels=channels, side_channels=(4, 4, 8, 8))
    if method == 'rpnet':
        blocks = dict(block_indices=(1, 3), block_channels=(channels[1], channels[3]))
        head.update(type='RPNetHead', proj_channels=8, **blocks)
        head.pop('rectify', None)
    cfg.model.data_preprocessor.size = (64, 64)
    cfg.model.test_cfg.scales = (1.0, 0.5)
    return cfg


def batch(size: tuple[int, int]) -> dict:
    """Two images of one class that fill part of the canvas; a pair, for RPNet."""
    samples = []
    for extra in (3, 7):
        sample = SegDataSample(metainfo=dict(valid_box=(0, 8, size[1], size[0]), group_size=2))
        sample.gt_label = torch.zeros(K)
        sample.gt_label[[2, extra]] = 1
        samples.append(sample)
    inputs = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for _ in samples]
    return dict(inputs=inputs, data_samples=samples)


def test_every_backbone_has_a_config_of_either_method():
    for folder in ('cam', 'sipe'):
        found = {path.stem.split('_')[1] for path in (CONFIGS / folder).glob('*_voc.py')}
        assert found == set(STRIDES)
    assert set(TINY) == set(STRIDES)


@pytest.mark.parametrize('backbone', STRIDES)
def test_full_size_by_shapes(backbone):
    cfg = config('sipe', backbone)
    shapes = channels_of(cfg.model.backbone, 'meta')
    assert tuple(shape[1] for shape in shapes) == tuple(cfg.model.head.side_in_channels)
    assert tuple(64 // shape[2] for shape in shapes) == STRIDES[backbone]
    assert cfg.model.head.in_channels == shapes[-1][1]
    cam = config('cam', backbone)
    assert cam.model.backbone == cfg.model.backbone
    released = dict(rectify='views') if backbone == 'r50' else {}
    assert cam.model.head == dict(
        type='CAMHead', num_classes=K, in_channels=shapes[-1][1], **released
    )
    for found in (cfg, cam):
        assert found.model.backbone.init_cfg.checkpoint == found.pretrained
        assert tuple(found.model.data_preprocessor['size']) == found.crop_size == (512, 512)
        assert list(found.model.test_cfg.scales) == [1.0, 0.5, 1.5, 2.0]
        assert found.train_cfg.max_epochs == rate_ends(found)[-1] == 5
    assert cfg.mask_cfg.refiners == []
    assert cam.mask_cfg.refiners[0].type == 'BackgroundThreshold'


@pytest.mark.usefixtures('cpu_seconds')
@pytest.mark.parametrize('backbone', STRIDES)
@pytest.mark.parametrize('method', METHODS)
def test_trains_and_maps_an_odd_sized_image(method, backbone):
    torch.manual_seed(0)
    cfg = tiny(method, backbone)
    model = MODELS.build(cfg.model)
    model.init_weights()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    model.train()
    loss = model(**model.data_preprocessor(batch((64, 64)), True), mode='loss')
    model.parse_losses(loss)[0].backward()
    # Several processes wait for the gradient of each.
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    for _ in range(2):
        losses = model.train_step(batch((64, 64)), wrapper)
        assert torch.isfinite(losses['loss'])
    check_training(model, before, cfg)

    model.eval()
    for size in ((45, 67), (17, 90)):
        check_maps(model, size, has_background=method == 'sipe')


def check_maps(model: nn.Module, size: tuple[int, int], has_background: bool) -> None:
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    sample = batch(size)['data_samples'][0]
    result = model.test_step(dict(inputs=[image], data_samples=[sample]))[0]
    assert result.pred_map_keys.tolist() == ([0, 3, 4] if has_background else [3, 4])
    assert result.pred_map_scores.shape == (2 + has_background, *size)
    assert torch.isfinite(result.pred_map_scores).all()
    assert 0 <= result.pred_map_scores.min() <= result.pred_map_scores.max() <= 1
    assert result.pred_score.shape == (K,)


def check_training(model: nn.Module, before: dict, cfg: Config) -> None:
    """What is trained has changed, what is frozen has not, by module and by learning rate."""
    frozen = tuple(f'backbone.{name}.' for name in cfg.model.frozen_modules)
    changed = {n for n, p in model.named_parameters() if not torch.equal(before[n], p)}
    assert changed
    assert not any(name.startswith(frozen) for name in changed if frozen)
    assert 'head.classifier.weight' in changed
    assert any(name.startswith('backbone.') for name in changed)
    norms = {n: m for n, m in model.backbone.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert not any(m.training for m in norms.values())
    trained = {name for name, m in norms.items() if m.weight.requires_grad}
    released = cfg.model.get('norm_affine') == 'trained'
    stages = cfg.model.frozen_modules
    assert trained == {n for n in norms if released and n.split('.')[0] not in stages}
    assert bool(norms) == cfg.model.freeze_norm


@pytest.mark.parametrize('name', ['cam/cam_r50_voc', 'sipe/sipe_r50_voc', 'rpnet/rpnet_r50_voc'])
def test_the_resnet_recipes_are_the_released_ones(name):
    """58 batch-norm tensors of layers 3 and 4 are trained; pictures are resized before normalisation."""
    cfg = load_config(CONFIGS / f'{name}.py').model
    cfg.backbone.update(init_cfg=None, base_channels=4, stem_channels=4)
    with torch.device('meta'):
        model = MODELS.build(dict(cfg, head=dict(type='CAMHead', num_classes=K, in_channels=128)))
    trained = [n for n, p in model.backbone.named_parameters() if p.requires_grad]
    norms = [n for n in trained if '.bn' in n or 'downsample.1' in n]
    assert len(norms) == 58
    assert all(n.startswith(('layer3.', 'layer4.')) for n in trained)
    assert cfg.test_cfg.resize == 'uint8'
    assert cfg.head.get('rectify') == ('views' if name.startswith('cam') else None)
    assert not {'valid_cell', 'test_absent_classes'} & set(cfg.head)


def test_the_public_resnet38_recipe_trains_no_norm():
    assert config('cam', 'r38').model.norm_affine == 'frozen'


@pytest.mark.parametrize('backbone', STRIDES)
def test_rates_are_those_of_the_kind_of_backbone(backbone):
    cfg = tiny('sipe', backbone)
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    groups = {id(p): group for group in optimizer.param_groups for p in group['params']}
    transformer = backbone in TRANSFORMERS
    assert type(optimizer).__name__ == ('AdamW' if transformer else 'SGD')
    rate, decay = (6e-5, 0.01) if transformer else (0.1, 1e-4)
    without_decay = 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        group = groups[id(parameter)]
        assert group['lr'] == pytest.approx(rate * (10 if name.startswith('head.') else 1)), name
        without_decay += group['weight_decay'] == 0
        if parameter.ndim > 1 and not any(k in name for k in ('embed', 'token', 'position_bias')):
            assert group['weight_decay'] == decay, name
    assert (without_decay > 0) == transformer

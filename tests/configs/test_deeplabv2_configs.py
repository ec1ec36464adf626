from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from torch import nn

from demo_data import CLASSES as DEMO_CLASSES
from demo_data import make_demo_data
from mmwsss.datasets import COCO14WSSSDataset, VOC12WSSSDataset
from mmwsss.pipeline import read_pipeline
from mmwsss.utils.checkpoint import guard_checkpoints, load_checkpoint_file
from mmwsss.utils.config import load_config
from tests.configs.rates import rate_ends

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / 'configs' / 'deeplabv2').glob('*.py'))
NAMES = [path.stem for path in CONFIGS]
FULL_SIZE = [name for name in NAMES if '_r101_' in name or '_r50_' in name]
DATASET_CLASSES = {
    'VOC12WSSSDataset': len(VOC12WSSSDataset.METAINFO['classes']),
    'COCO14WSSSDataset': len(COCO14WSSSDataset.METAINFO['classes']),
    'WSSSDataset': len(DEMO_CLASSES) + 1,
}
VOC = 'deeplabv2_r101_voc_pseudo'
# As docs/methods/deeplabv2.md gives them for the backbone of a segmenter.
COCO = {'model.backbone.init_cfg.prefix': 'backbone.', 'initial_weights': 'coco'}


def config(name: str, **options: object) -> Config:
    return load_config(ROOT / 'configs' / 'deeplabv2' / f'{name}.py', options)


def shrunk(cfg: Config) -> Config:
    """The same model, with few channels and no file of initial weights."""
    cfg.model.backbone.init_cfg = None
    if cfg.model.backbone.type == 'ResNet':
        cfg.model.backbone.update(depth=18, base_channels=4, stem_channels=4)
        cfg.model.decode_head.in_channels = 32
    elif cfg.model.backbone.type == 'MobileNetV2':
        cfg.model.backbone.widen_factor = 0.1
        cfg.model.decode_head.in_channels = 32
    return cfg


def build(cfg: Config) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def batch(num_classes: int, size: int = 65) -> dict:
    sample = SegDataSample(metainfo=dict(img_shape=(size, size), ori_shape=(size, size)))
    sample.gt_sem_seg = PixelData(data=torch.randint(0, num_classes, (1, size, size)))
    image = torch.randint(0, 256, (3, size, size), dtype=torch.uint8)
    return dict(inputs=[image, image.flip(2)], data_samples=[sample, sample.clone()])


def test_there_are_configs():
    assert len(NAMES) >= 7
    assert len(FULL_SIZE) >= 5
    assert VOC in NAMES


@pytest.mark.parametrize('name', NAMES)
def test_a_small_model_of_each_config_learns_and_predicts(name):
    cfg = shrunk(config(name))
    model = build(cfg)
    num_classes = DATASET_CLASSES[cfg.train_dataloader.dataset.type]
    data = model.data_preprocessor(batch(num_classes), training=True)
    height, width = cfg.crop_size
    assert data['inputs'].shape[2:] == cfg.model.data_preprocessor['size']
    assert 0 <= data['inputs'].shape[2] - height <= 1
    assert 0 <= data['inputs'].shape[3] - width <= 1
    total, _ = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    unused = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert unused == []
    model.eval()
    single = {key: value[:1] for key, value in batch(num_classes).items()}
    with torch.no_grad():
        result = model.test_step(single)[0]
    assert result.seg_logits.data.shape == (num_classes, 65, 65)
    assert result.pred_sem_seg.data.shape == (1, 65, 65)


@pytest.mark.parametrize('name', NAMES)
def test_head_and_dataset_have_the_same_classes(name):
    cfg = config(name)
    assert cfg.model.decode_head.num_classes == DATASET_CLASSES[cfg.train_dataloader.dataset.type]
    assert cfg.val_dataloader.dataset.type == cfg.train_dataloader.dataset.type


@pytest.mark.parametrize('name', NAMES)
def test_learning_rate_falls_until_the_last_iteration(name):
    cfg = config(name)
    assert cfg.max_iters == cfg.train_cfg.max_iters
    assert rate_ends(cfg) == [cfg.max_iters]
    optimizer = torch.optim.SGD(
        [dict(params=[nn.Parameter(torch.zeros(1))], lr=lr) for lr in (1.0, 20.0)], lr=1.0
    )
    scheduler = PARAM_SCHEDULERS.build(
        dict(cfg.param_scheduler[0], end=10), default_args=dict(optimizer=optimizer)
    )
    for step in range(1, 11):
        optimizer.step()
        scheduler.step()
        want = (1 - min(step, 9) / 9) ** 0.9  # 0 is reached in the last of the 10 iterations
        rates = [group['lr'] for group in optimizer.param_groups]
        assert rates == pytest.approx([want, 20 * want], abs=1e-9), step


@pytest.mark.parametrize('name', FULL_SIZE)
def test_ten_images_make_a_step_of_the_published_recipe(name):
    cfg = config(name)
    accumulated = cfg.optim_wrapper.get('accumulative_counts', 1)
    assert cfg.train_dataloader.batch_size * accumulated == 10
    assert cfg.max_iters / accumulated == (100_000 if 'coco14' in name else 20_000)
    assert cfg.crop_size == (321, 321)


@pytest.mark.parametrize(('name', 'decay'), [*((name, 0.0) for name in FULL_SIZE), (VOC, 1.0)])
def test_head_learns_faster_and_its_biases_do_not_decay_unless_asked_to(name, decay):
    cfg = shrunk(config(name))
    if decay:
        for group in cfg.optim_wrapper.paramwise_cfg.custom_keys.values():
            group.update(decay_mult=decay)
    cfg.model.decode_head.dilations = (6, 12, 18, 24)
    if cfg.model.decode_head.type != 'DeepLabV2Head':
        cfg.model.decode_head.pop('dilations')
    model = build(cfg)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    rates = {id(p): group for group in groups for p in group['params']}
    seen = set()
    for key, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert 'bn' in key or 'downsample.1' in key, key
            continue
        kind = 'backbone'
        if key.startswith('decode_head.'):
            kind = 'bias' if key.endswith('.bias') else 'weight'
        seen.add(kind)
        group = rates.pop(id(parameter))
        want = {'backbone': 2.5e-4, 'weight': 2.5e-3, 'bias': 5e-3}[kind]
        assert group['lr'] == pytest.approx(want), key
        assert group['momentum'] == 0.9
        want = 5e-4 * (decay if kind == 'bias' else 1)
        assert group['weight_decay'] == pytest.approx(want), key
    assert seen == {'backbone', 'weight', 'bias'}
    assert rates == {}


def test_the_dilated_resnet_computes_what_the_strided_one_does_at_more_places():
    backbone = config(VOC).model.backbone
    backbone.update(depth=50, base_channels=4, stem_channels=4, init_cfg=None)
    torch.manual_seed(0)
    dense = MODELS.build(backbone)
    strided = MODELS.build(dict(backbone, strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)))
    strided.load_state_dict(dense.state_dict())
    dense.eval()
    strided.eval()
    images = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        at_8, at_32 = dense(images)[0], strided(images)[0]
    assert at_8.shape[2:] == (9, 13)
    torch.testing.assert_close(at_8[:, :, ::4, ::4], at_32, rtol=1e-4, atol=1e-5)


def test_batch_norm_of_resnet101_is_frozen():
    model = build(shrunk(config(VOC)))
    model.train()
    layers = [m for m in model.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(layers) == 20
    assert not any(m.training or m.weight.requires_grad or m.bias.requires_grad for m in layers)


def test_every_config_says_what_it_starts_from():
    found = {name: config(name).initial_weights for name in NAMES}
    assert found.pop('deeplabv2_tiny_demo_pseudo') == 'scratch'
    assert found
    assert set(found.values()) == {'imagenet'}
    for name in found:
        cfg = config(name)
        assert cfg.model.backbone.init_cfg == dict(type='Pretrained', checkpoint=cfg.pretrained)


def test_a_missing_file_of_coco_weights_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = config(VOC, **{**COCO, 'pretrained': 'data/weights/coco.pth'})
    cfg.model.backbone.update(depth=18, base_channels=4, stem_channels=4)
    with pytest.raises(FileNotFoundError, match=r'data/weights/coco\.pth'):
        MODELS.build(cfg.model).init_weights()


def test_coco_weights_fill_the_backbone_and_leave_the_head(tmp_path):
    source = build(shrunk(config('deeplabv2_r101_coco14_pseudo')))
    path = tmp_path / 'coco.pth'
    torch.save({'state_dict': source.state_dict()}, path)
    cfg = config(VOC, **{**COCO, 'pretrained': str(path)})
    assert (cfg.model.backbone.init_cfg.checkpoint, cfg.initial_weights) == (str(path), 'coco')
    cfg.model.backbone.update(depth=18, base_channels=4, stem_channels=4)
    cfg.model.decode_head.in_channels = 32
    model = build(cfg)
    want = source.backbone.state_dict()
    assert all(torch.equal(value, want[key]) for key, value in model.backbone.state_dict().items())
    assert model.decode_head.convs[0].weight.shape[0] == 21


@pytest.mark.parametrize('name', [VOC, 'deeplabv2_r101_coco14_pseudo'])
def test_images_are_resized_by_one_of_five_factors(name):
    cfg = config(name)
    resize = TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[2])
    sizes, steps = set(), set()
    for seed in range(60):
        np.random.seed(seed)  # noqa: NPY002
        image = np.zeros((40, 100, 3), np.uint8)
        mask = np.arange(4000, dtype=np.uint8).reshape(40, 100) % 3 * 10
        results = resize(dict(img=image, gt_seg_map=mask, seg_fields=['gt_seg_map']))
        assert results['gt_seg_map'].shape == results['img'].shape[:2]
        steps |= set(np.unique(results['gt_seg_map']))
        sizes.add(results['img'].shape[:2])
    assert sizes == {(20, 50), (30, 75), (40, 100), (50, 125), (60, 150)}
    assert steps == {0, 10, 20}
    assert cfg.model.decode_head.align_corners is False


def views(cfg, demo):
    """A photo of the demo (its mask included) as the config's ``tta_pipeline`` hands it to a model."""
    results = dict(
        img_id='val_0000',
        img_path=str(demo / 'JPEGImages/val_0000.jpg'),
        seg_map_path=str(demo / 'SegmentationClass/val_0000.png'),
        num_fg_classes=5,
        label_map=None,
        reduce_zero_label=False,
        seg_fields=[],
    )
    for step in cfg.tta_pipeline:
        results = TRANSFORMS.build(step)(results)
    return results


def test_tta_pipeline_makes_ten_views_of_an_image_and_leaves_the_mask(demo):
    results = views(config('deeplabv2_tiny_demo_pseudo'), demo)
    assert len(results['inputs']) == 10
    height, width = results['data_samples'][0].ori_shape
    sizes = [tuple(view.shape[1:]) for view in results['inputs']]
    want = [(height * s + 0.5, width * s + 0.5) for s in (0.5, 0.75, 1.0, 1.25, 1.5)]
    assert sizes == [(int(h), int(w)) for h, w in want for _ in range(2)]
    assert [s.flip for s in results['data_samples']] == [False, True] * 5
    for sample in results['data_samples']:
        assert sample.gt_sem_seg.data.shape == (1, height, width)
    first, mirrored = (view.numpy() for view in results['inputs'][4:6])
    assert np.array_equal(first, mirrored[:, :, ::-1])


@pytest.fixture(scope='module')
def demo(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('demo')
    make_demo_data(root, train=4, val=2, min_size=64, max_size=80)
    return root


def runner_cfg(name: str, demo: Path, work_dir: Path) -> Config:
    """Two iterations of the demo recipe, on 64-pixel images and in this process."""
    cfg = config(name, data_root=str(demo))
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    cfg.model.backbone.update(base_channels=4, stem_channels=4)
    cfg.model.decode_head.in_channels = 32
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 2
    return cfg


def scores(runner: Runner) -> float:
    return runner.test()['mIoU']


@pytest.mark.parametrize('msc', [False, True])
def test_two_iterations_on_a_folder_of_pseudo_masks_then_test_with_and_without_tta(
    demo, tmp_path, monkeypatch, msc
):
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    cfg = runner_cfg('deeplabv2_tiny_demo_pseudo', demo, tmp_path / 'run')
    cfg.train_dataloader.dataset.pseudo_mask_dir = str(demo / 'SegmentationClass')
    if msc:
        cfg.model.update(type='MSCEncoderDecoder', scales=(0.5, 0.75))
        cfg.optim_wrapper.accumulative_counts = 2
    runner = Runner.from_cfg(cfg)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    assert runner.iter == 2
    after = runner.model.state_dict()
    assert not torch.equal(
        before['decode_head.convs.0.weight'], after['decode_head.convs.0.weight']
    )
    checkpoint = tmp_path / 'run' / 'iter_2.pth'
    saved = load_checkpoint_file(checkpoint)['state_dict']
    assert all(torch.equal(saved[key], value) for key, value in after.items())

    plain = runner_cfg('deeplabv2_tiny_demo_pseudo', demo, tmp_path / 'test')
    plain.model = cfg.model
    plain.load_from = str(checkpoint)
    guard_checkpoints(plain)
    tta = plain.copy()
    tta.work_dir = str(tmp_path / 'tta')
    assert 0 <= scores(Runner.from_cfg(plain)) <= 100
    tta.test_dataloader.dataset.pipeline = tta.tta_pipeline
    tta.model = dict(tta.tta_model, module=tta.model)
    assert 0 <= scores(Runner.from_cfg(tta)) <= 100


SMALL = ['cam', 'sipe', 'rpnet', 'amn', 'sipe_irn', 'true_masks']


@pytest.mark.parametrize('method', SMALL)
def test_small_segmenter_begins_with_its_localizers_backbone(method):
    source = 'amn' if method == 'amn' else 'localizer'
    spec = read_pipeline(ROOT / f'configs/pipelines/{method}_lite2_voc12part.py')
    localizer, segmenter = (
        next(stage for stage in spec.stages if stage.name == name) for name in (source, 'segmenter')
    )
    assert segmenter.options['model.backbone.init_cfg.checkpoint'] == f'{{{source}}}'
    backbone = load_config(localizer.config).model.backbone
    prefix = segmenter.options['model.backbone.init_cfg.prefix']
    cfg = load_config(segmenter.config)
    model, kept = MODELS.build(cfg.model), MODELS.build({**backbone, 'init_cfg': None})
    assert {f'{prefix}.{key}' for key in kept.state_dict()} == {
        key for key in model.state_dict() if key.startswith(prefix)
    }
    model.train()
    trained = {n for n, weight in model.backbone.named_parameters() if weight.requires_grad}
    last = ('blocks.3.', 'blocks.4.', 'blocks.5.', 'blocks.6.')
    assert trained == {n for n, _ in model.backbone.named_parameters() if n.startswith(last)}


@pytest.mark.parametrize('method', SMALL)
def test_small_segmenter_is_scored_at_the_photo_and_at_half_its_size(demo, method):
    spec = read_pipeline(ROOT / f'configs/pipelines/{method}_lite2_voc12part.py')
    scored = next(stage for stage in spec.stages if stage.name == 'segmenter_score')
    assert scored.arguments['tta']
    results = views(load_config(scored.config), demo)
    height, width = results['data_samples'][0].ori_shape
    half = (int(height / 2 + 0.5), int(width / 2 + 0.5))
    assert [tuple(view.shape[1:]) for view in results['inputs']] == [half, (height, width)]
    for sample in results['data_samples']:
        assert not sample.get('flip')
        assert sample.gt_sem_seg.data.shape == (1, height, width)

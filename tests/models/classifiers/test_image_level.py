import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from PIL import Image
from torch.nn.modules.batchnorm import _BatchNorm

import mmwsss  # noqa: F401
from mmwsss.functional import fuse_scales, scale_view


def tiny_config(**kwargs):
    cfg = dict(
        type='ImageLevelClassifier',
        data_preprocessor=dict(type='WSSSDataPreProcessor', size=(32, 32)),
        backbone=dict(
            type='ResNet',
            depth=18,
            stem_channels=8,
            base_channels=8,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 1, 1),
            out_indices=(0, 1, 2, 3),
        ),
        head=dict(type='CAMHead', num_classes=4, in_channels=64),
    )
    return {**cfg, **kwargs}


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(tiny_config(**kwargs))


def sample(label=(0, 1, 0, 1), size=(32, 32), **meta):
    data_sample = SegDataSample(metainfo=dict(img_id='a', img_shape=size, ori_shape=size, **meta))
    data_sample.gt_label = torch.tensor(label, dtype=torch.float32)
    return data_sample


def test_loss_is_the_soft_margin_of_the_mean_logits():
    model = build()
    images = torch.randn(2, 3, 32, 32)
    samples = [sample(), sample((1, 0, 0, 0))]
    losses = model(images, samples, mode='loss')
    logits = model.head.classifier(model.backbone(images)[-1]).mean(dim=(2, 3))
    labels = torch.stack([s.gt_label for s in samples])
    prob = logits.sigmoid()
    expected = -(labels * prob.log() + (1 - labels) * (1 - prob).log()).mean()
    assert losses['loss_cls'].item() == pytest.approx(expected.item(), rel=1e-5)


def test_head_gets_the_scales_it_asks_for():
    head = dict(type='RPNetHead', num_classes=4, in_channels=64, block_channels=(16, 64))
    model, images = build(head=head), torch.randn(2, 3, 32, 32)
    asked = {}

    def loss(feats, samples, size, scaled_feats):
        asked.update(feats=feats, size=size, scaled=list(scaled_feats))
        return {}

    model.eval().head.loss = loss
    model(images, [sample(), sample()], mode='loss')
    assert asked['size'] == (32, 32)
    assert asked['feats'][-1].requires_grad
    for scale, feats in zip((0.5, 1.5, 2.0), asked['scaled'], strict=True):
        size = (int(32 * scale),) * 2
        view = torch.nn.functional.interpolate(images, size=size, mode='bilinear')
        for got, want in zip(feats, model.extract_feat(view), strict=True):
            torch.testing.assert_close(got, want)
            assert not got.requires_grad


@pytest.mark.parametrize('size', [(40, 56), (37, 53), (33, 1), (1, 20)])
def test_maps_of_present_classes_at_image_size(size):
    model = build(test_cfg=dict(scales=(1.0, 0.5, 1.5))).eval()
    score, keys, maps = model.class_maps(torch.randn(3, *size), torch.tensor([0.0, 1, 0, 1]))
    assert keys.tolist() == [2, 4]
    assert maps.shape == (2, *size)
    assert maps.min() >= 0
    assert maps.max() < 1
    assert score.shape == (4,)


def test_maps_equal_the_formula():
    model = build(test_cfg=dict(scales=(1.0, 0.5), flip=True)).eval()
    image = torch.randn(3, 36, 44)
    score, keys, maps = model.class_maps(image, torch.tensor([1.0, 0, 0, 1]))
    per_scale, class_logits = [], []
    with torch.no_grad():
        for scale in (1.0, 0.5):
            views = scale_view(image, scale, flip=True)
            logits = model.head.classifier(model.backbone(views)[-1])
            class_logits.append(logits.mean(dim=(0, 2, 3)))
            summed = logits[0] + logits[1].flip(-1)
            per_scale.append(summed.clamp(min=0)[[0, 3]])
    torch.testing.assert_close(maps, fuse_scales(per_scale, (36, 44)))
    torch.testing.assert_close(score, torch.stack(class_logits).mean(dim=0).sigmoid())
    assert keys.tolist() == [1, 4]


def test_stride_shrinks_the_maps():
    model = build(test_cfg=dict(stride=4)).eval()
    maps = model.class_maps(torch.randn(3, 37, 50), torch.tensor([1.0, 0, 0, 0]))[2]
    assert maps.shape == (1, 10, 13)


def test_the_unused_class_of_many_is_never_predicted():
    head = dict(type='CAMHead', in_channels=64, num_classes=301)
    model = build(head=head, test_cfg=dict(labels='predicted', score_threshold=0.0)).eval()
    label = model.predict_label(torch.rand(3, 32, 32))
    assert label.nonzero()[:, 0].tolist() == [i for i in range(301) if i != 254]


def test_labels_may_be_predicted():
    model = build(test_cfg=dict(labels='predicted', score_threshold=0.999)).eval()
    weight = model.head.classifier.weight.data
    for best in range(4):  # although none passes the threshold
        weight.zero_()[best] = 0.01
        keys = model.class_maps(torch.randn(3, 32, 32))[1]
        assert keys.tolist() == [best + 1]


def test_dropout_drops_whole_channels_in_training_only():
    head = build(head=dict(type='CAMHead', num_classes=4, in_channels=64, dropout=0.25)).head
    seen, feats = [], [torch.ones(50, 64, 2, 2)]
    head.classifier.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    head.train()(feats)
    head.eval()(feats)
    dropped = (seen[0] == 0).flatten(2)
    assert torch.equal(dropped.any(2), dropped.all(2))
    assert 0.2 < dropped.float().mean() < 0.3
    assert torch.equal(seen[1], feats[0])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('label', [torch.tensor([0.0, 1, 0, 1]), None])
def test_autocast_changes_no_map(dtype, label):
    model, image = build().eval(), torch.randn(3, 40, 52)
    plain = model.class_maps(image, label)
    with torch.autocast('cpu', dtype=dtype):
        under_autocast = model.class_maps(image, label)
    for got, expected in zip(under_autocast, plain):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)


@pytest.mark.parametrize('precision', ['bfloat16', 'float16'])
def test_half_precision_is_asked_for_and_rounds_the_backbone_only(precision):
    model, image = build(test_cfg=dict(precision=precision)).eval(), torch.randn(3, 40, 52)
    seen = []
    model.backbone.layer4.register_forward_hook(lambda *args: seen.append(args[-1].dtype))
    model.head.register_forward_hook(lambda *args: seen.append(args[-1]['cam_logits'].dtype))
    label = torch.tensor([0.0, 1, 0, 1])
    score, keys, maps = model.class_maps(image, label)
    assert seen == [getattr(torch, precision), torch.float32]
    exact = build().eval().class_maps(image, label)
    assert score.dtype == maps.dtype == torch.float32
    assert keys.tolist() == [2, 4]
    assert 0 < (maps - exact[2]).abs().max() < 0.1


def test_predict_fills_the_samples():
    model = build().eval()
    out = model(torch.randn(1, 3, 32, 32), [sample()], mode='predict')[0]
    assert out.pred_map_keys.tolist() == [2, 4]
    assert out.pred_map_scores.shape == (2, 32, 32)
    assert out.pred_score.shape == (4,)


def test_frozen_parts_stay_frozen():
    model = build(freeze_norm=True, frozen_modules=('conv1', 'layer1')).train()
    model(torch.randn(2, 3, 32, 32), [sample(), sample()], mode='loss')['loss_cls'].backward()
    frozen = {name for name, p in model.backbone.named_parameters() if p.grad is None}
    trained = {name for name, p in model.backbone.named_parameters() if p.grad is not None}
    norms = [m for m in model.backbone.modules() if isinstance(m, _BatchNorm)]
    assert norms
    assert not any(m.training for m in norms)
    assert all(
        name.startswith(('conv1', 'layer1')) or 'bn' in name or 'downsample.1' in name
        for name in frozen
    )
    assert 'layer2.0.conv1.weight' in trained
    assert 'conv1.weight' in frozen
    assert model.backbone.layer2.training


@pytest.mark.parametrize('affine', ['frozen', 'trained'])
def test_affine_of_fixed_norms(affine):
    """Statistics never change; weights and biases get gradients only outside of frozen modules."""
    model = build(freeze_norm=True, norm_affine=affine, frozen_modules=('conv1', 'bn1', 'layer1'))
    buffers = {name: value.clone() for name, value in model.backbone.named_buffers()}
    model.train()
    model(torch.randn(2, 3, 32, 32), [sample(), sample()], mode='loss')['loss_cls'].backward()
    assert buffers
    for name, value in model.backbone.named_buffers():
        assert torch.equal(value, buffers[name]), name
    affine_names = {
        f'{name}.{kind}'
        for name, module in model.backbone.named_modules()
        if isinstance(module, _BatchNorm)
        for kind in ('weight', 'bias')
    }
    trained = {name for name, p in model.backbone.named_parameters() if p.grad is not None}
    outside = {name for name in affine_names if not name.startswith(('bn1', 'layer1'))}
    assert len(outside) == 2 * 15  # 4 + 1 norms in each of layers 2 to 4 of a ResNet-18
    assert trained & affine_names == (outside if affine == 'trained' else set())


def test_views_resized_as_pictures():
    """``resize='uint8'``: each scale is PIL's resize of the picture, normalised afterwards."""
    preprocessor = dict(type='WSSSDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3)
    cfg = dict(scales=(1.0, 0.5, 1.5), resize='uint8')
    model = build(data_preprocessor=preprocessor, test_cfg=cfg).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (36, 44, 3), dtype=np.uint8)
    image = (torch.from_numpy(pixels).permute(2, 0, 1).float() - 120) / 60
    total = torch.zeros(2, 36, 44)
    for scale in cfg['scales']:
        size = (round(44 * scale), round(36 * scale))
        picture = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
        view = (torch.from_numpy(picture).permute(2, 0, 1)[None].float() - 120) / 60
        with torch.no_grad():
            both = model.head.classifier(model.backbone(torch.cat([view, view.flip(-1)]))[-1])
        summed = (both[:1] + both[1:].flip(-1)).clamp(min=0)[:, [0, 3]]
        total += torch.nn.functional.interpolate(summed, size=(36, 44), mode='bilinear')[0]
    maps = model.class_maps(image, torch.tensor([1.0, 0, 0, 1]))[2]
    torch.testing.assert_close(maps, total / (total.amax(dim=(1, 2), keepdim=True) + 1e-5))
    plain = build(data_preprocessor=preprocessor, test_cfg=dict(cfg, resize='float')).eval()
    assert (plain.class_maps(image, torch.tensor([1.0, 0, 0, 1]))[2] - maps).abs().max() > 1e-4


def test_padding_is_zero_after_normalisation():
    model = build(
        data_preprocessor=dict(
            type='WSSSDataPreProcessor', mean=[100.0] * 3, std=[50.0] * 3, size=(8, 8)
        )
    )
    image = torch.full((3, 8, 8), 200, dtype=torch.uint8)
    data = dict(inputs=[image], data_samples=[sample(size=(8, 8), valid_box=(1, 2, 7, 5))])
    out = model.data_preprocessor(data, training=True)['inputs'][0]
    assert out[:, 2:5, 1:7].unique().tolist() == [2.0]
    out[:, 2:5, 1:7] = 0
    assert out.abs().sum() == 0


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(frozen_modules=('',)), "frozen_modules '' is unknown"),
        (dict(frozen_modules=('layer9',)), r"frozen_modules 'layer9' is unknown; .* 'layer\d'"),
        (dict(test_cfg=dict(scale=2)), "key of test_cfg 'scale' is unknown; .* 'scales'"),
        (
            dict(test_cfg=dict(scales=(1, 0))),
            r'smallest of test_cfg\.scales must lie in \(0, inf\)',
        ),
        (
            dict(test_cfg=dict(labels='all')),
            r"test_cfg.labels must be one of \('gt', 'predicted'\)",
        ),
        (dict(test_cfg=dict(resize='pil')), 'test_cfg.resize must be one of'),
        (dict(norm_affine=True), 'norm_affine must be one of .* but got True'),
        (dict(test_cfg=dict(stride=0)), r'stride must lie in \[1, inf\)'),
        (
            dict(head=dict(type='CAMHead', num_classes=0, in_channels=64)),
            r'num_classes must lie in \[1, inf\)',
        ),
        (
            dict(head=dict(type='CAMHead', num_classes=4, in_channels=64, dropout=1.0)),
            r'dropout must lie in \[0, 1\), but got 1.0',
        ),
    ],
)
def test_config_mistakes_fail_when_the_model_is_built(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


@pytest.mark.parametrize(
    ('head', 'index'),
    [
        (dict(type='CAMHead', in_channels=64, in_index=2), 2),
        (
            dict(
                type='SIPEHead',
                in_channels=64,
                in_index=1,
                size_index=1,
                side_in_channels=(32, 64),
                side_channels=(8, 8),
                side_indices=(0, 3),
            ),
            3,
        ),
        (
            dict(
                type='RPNetHead',
                in_channels=64,
                in_index=3,
                block_indices=(1, 3),
                block_channels=(64, 64),
            ),
            3,
        ),
    ],
)
def test_an_output_that_the_backbone_does_not_have_is_named(head, index):
    backbone = {**tiny_config()['backbone'], 'out_indices': (2, 3)}
    model = build(backbone=backbone, head={**head, 'num_classes': 4})
    with pytest.raises(ValueError, match=f'reads output {index} of the backbone, which has 2'):
        model(torch.zeros(1, 3, 32, 32), mode='tensor')


def test_a_head_of_segmenters_is_refused():
    head = dict(type='FCNHead', in_channels=64, channels=8, num_classes=5)
    with pytest.raises(TypeError, match='must make class maps, as CAMHead does, but got FCNHead'):
        build(head=head)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match=r"precision must be one of .*'float32'.* but got 'half'"):
        build(test_cfg=dict(precision='half'))


def test_a_missing_label_names_the_image():
    model = build()
    unlabelled = SegDataSample(metainfo=dict(img_id='dog_7'))
    with pytest.raises(ValueError, match="image 'dog_7': expected a multi-hot gt_label over 4"):
        model(torch.randn(1, 3, 32, 32), [unlabelled], mode='loss')
    with pytest.raises(ValueError, match='but got 5 entries'):
        model(torch.randn(1, 3, 32, 32), [sample((1, 0, 0, 0, 0))], mode='loss')


def test_unknown_mode():
    with pytest.raises(ValueError, match=r"mode must be one of .*'predict'.* but got 'x'"):
        build()(torch.randn(1, 3, 32, 32), mode='x')

from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS

from mmwsss.engine.hooks import CheckInitialWeightsHook
from mmwsss.models import ImageLevelClassifier
from mmwsss.models.backbones import EfficientNetLite
from tests.oracles import efficientnet_lite as oracle

EVERY = (0, 1, 2, 3, 4, 5, 6)


def build(**kwargs) -> EfficientNetLite:
    """A network with random statistics, so that every norm counts."""
    torch.manual_seed(0)
    model = MODELS.build(dict(type='EfficientNetLite', out_indices=EVERY, **kwargs))
    for name, value in model.state_dict().items():
        if 'bn' in name and value.is_floating_point():
            value.uniform_(0.5, 1.5)
    return model.eval()


def package_names(state: dict[str, torch.Tensor], variant: int) -> dict[str, torch.Tensor]:
    """Weights as the registry packages name them, written from a listing of such a file."""
    renamed, number = {}, 0
    ends = {'conv_stem': '_conv_stem', 'bn1': '_bn0'}
    for layer, name in ends.items():
        renamed.update({f'{name}.{k}': v for k, v in entries(state, layer)})
    for stage, count in enumerate(oracle.BLOCKS[variant]):
        for block in range(count):
            ours = ('conv_pw', 'bn1', 'conv_dw', 'bn2', 'conv_pwl', 'bn3')
            theirs = ('_expand_conv', '_bn0', '_depthwise_conv', '_bn1', '_project_conv', '_bn2')
            if stage == 0:
                ours = ('conv_dw', 'bn1', 'conv_pw', 'bn2')
                theirs = ('_depthwise_conv', '_bn1', '_project_conv', '_bn2')
            for layer, name in zip(ours, theirs):
                found = entries(state, f'blocks.{stage}.{block}.{layer}')
                renamed.update({f'_blocks.{number}.{name}.{k}': v for k, v in found})
            number += 1
    assert len(renamed) == len(state)
    return {**renamed, '_conv_head.weight': torch.zeros(1), '_fc.bias': torch.zeros(1000)}


def entries(state: dict[str, torch.Tensor], layer: str) -> list[tuple[str, torch.Tensor]]:
    return [(k.rpartition('.')[2], v) for k, v in state.items() if k.rpartition('.')[0] == layer]


@pytest.mark.parametrize(
    ('variant', 'millions'), [(0, 4.652), (1, 5.417), (2, 6.092), (3, 8.197), (4, 13.007)]
)
def test_names_shapes_and_parameter_count_of_the_published_nets(variant, millions):
    with torch.device('meta'):
        model = EfficientNetLite(variant=variant, out_indices=EVERY)
    found = {
        name.removesuffix('.weight'): tuple(value.shape)
        for name, value in model.named_parameters()
        if name.endswith('.weight')
    }
    assert found == oracle.layer_shapes(variant)
    count = sum(p.numel() for p in model.parameters())
    last = oracle.CHANNELS[variant][-1]
    head = 1280 * (last + 2) + 1000 * 1281  # the published number includes the classifier
    assert (count + head) / 1e6 == pytest.approx(millions, abs=6e-4)


@pytest.mark.parametrize('output_stride', [8, 16, 32])
@pytest.mark.parametrize('dilated', [False, True])
@pytest.mark.parametrize('size', [(64, 64), (45, 70)])
def test_outputs_are_those_of_the_published_architecture(output_stride, dilated, size):
    model = build(output_stride=output_stride, dilated=dilated)
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        found = model(images)
    want = oracle.forward(model.state_dict(), images, 0, output_stride, dilated)
    strides = [min(s, output_stride) for s in (2, 4, 8, 16, 16, 32, 32)]
    assert [f.shape[2:] for f in found] == [tuple(-(-side // s) for side in size) for s in strides]
    for left, right in zip(found, want):
        scale = right.abs().max()
        torch.testing.assert_close(left / scale, right / scale, rtol=1e-4, atol=1e-5)


def test_a_dilated_net_gives_the_published_values_at_every_other_place():
    images = torch.randn(1, 3, 65, 129)
    with torch.no_grad():
        coarse = build()(images)[6]
        fine = build(output_stride=8)(images)[6]
    torch.testing.assert_close(fine[:, :, ::4, ::4], coarse, rtol=1e-4, atol=1e-4)


def test_stages_after_the_last_output_are_not_built():
    model = EfficientNetLite(out_indices=(1, 3))
    assert len(model.blocks) == 4
    assert [f.shape[1] for f in model(torch.randn(1, 3, 32, 32))] == [24, 80]


def test_frozen_stages_get_no_gradient_and_stay_in_evaluation_mode():
    model = build(frozen_stages=3).train()
    frozen = (model.conv_stem, model.bn1, *model.blocks[:3])
    assert not any(p.requires_grad for m in frozen for p in m.parameters())
    assert not any(m.training for part in frozen for m in part.modules())
    assert all(m.training for m in model.blocks[3].modules())
    sum(f.square().mean() for f in model(torch.randn(2, 3, 64, 64))).backward()
    assert all(p.grad.abs().sum() > 0 for n, p in model.blocks[3:].named_parameters())
    assert not any(p.requires_grad for p in build(frozen_stages=0).conv_stem.parameters())
    assert all(p.requires_grad for p in build().parameters())


def test_norm_eval_keeps_the_statistics():
    model = build(norm_eval=True).train()
    before = model.bn1.running_mean.clone()
    model(torch.randn(2, 3, 64, 64))
    assert torch.equal(model.bn1.running_mean, before)
    assert model.conv_stem.training
    model = build().train()
    model(torch.randn(2, 3, 64, 64))
    assert not torch.equal(model.bn1.running_mean, before)


def test_expansions_are_tapped_by_name():
    model = build()
    seen = []
    model.blocks[4][0].act1.register_forward_hook(lambda m, x, y: seen.append(y.clone()))
    layer = dict(model.named_modules())['blocks.4.0.act1']
    assert layer is model.blocks[4][0].act1
    with torch.no_grad():
        outputs = model(torch.randn(1, 3, 64, 64))
    want = model.blocks[4][0].bn1(model.blocks[4][0].conv_pw(outputs[3])).clamp(0, 6)
    torch.testing.assert_close(seen[0], want)
    assert want.shape[1] == 6 * 80


@pytest.mark.parametrize('naming', ['timm', 'package', 'localizer'])
def test_weights_of_both_namings_are_read(naming, tmp_path):
    source = build(variant=1)
    weights = source.state_dict()
    file, prefix = tmp_path / 'weights.pth', {}
    if naming == 'package':
        torch.save(package_names(weights, 1), file)
    elif naming == 'timm':
        torch.save({'state_dict': {**weights, 'classifier.bias': torch.zeros(1000)}}, file)
    else:
        prefix = dict(prefix='backbone.')
        torch.save({'state_dict': {f'backbone.{k}': v for k, v in weights.items()}}, file)
    init_cfg = dict(type='Pretrained', checkpoint=str(file), **prefix)
    model = EfficientNetLite(variant=1, out_indices=EVERY, init_cfg=init_cfg)
    model.init_weights()
    for name, value in weights.items():
        assert torch.equal(model.state_dict()[name], value), name


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    file = tmp_path / 'weights.pth'
    weights = build(variant=1).state_dict()
    init_cfg = dict(type='Pretrained', checkpoint=str(file))
    torch.save(package_names(weights, 1), file)
    with pytest.raises(RuntimeError, match='size mismatch'):
        EfficientNetLite(variant=2, init_cfg=init_cfg).init_weights()
    torch.save({k: v for k, v in weights.items() if not k.startswith('blocks.4')}, file)
    backbone = dict(type='EfficientNetLite', variant=1, init_cfg=init_cfg)
    head = dict(type='CAMHead', num_classes=2, in_channels=320)
    runner = type('Runner', (), {'model': ImageLevelClassifier(backbone, head)})
    with pytest.raises(ValueError, match=r'missing in the file.*blocks\.4\.0\.conv_pw'):
        CheckInitialWeightsHook().before_train(runner)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(variant=5), r'variant must be one of \(0, 1, 2, 3, 4\), but got 5'),
        (dict(output_stride=4), r'output_stride must be one of \(8, 16, 32\), but got 4'),
        (dict(frozen_stages=8), 'frozen_stages must be one of'),
        (dict(out_indices=(2, 1)), r'out_indices must be ascending in 0\.\.6, but got \(2, 1\)'),
        (dict(out_indices=(7,)), 'out_indices must be ascending'),
        (dict(out_indices=()), 'out_indices must be ascending'),
    ],
)
def test_arguments_out_of_range(kwargs, message):
    with pytest.raises(ValueError, match=message):
        EfficientNetLite(**kwargs)

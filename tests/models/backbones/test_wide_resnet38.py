from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS

from mmwsss.models.backbones import WideResNet38
from tests.oracles import wide_resnet38 as oracle

STAGES = (0, 1, 2, 3, 4, 5)


def tiny(**kwargs) -> WideResNet38:
    """A 32nd of the width, with random statistics and scales, so that every norm counts."""
    torch.manual_seed(0)
    model = MODELS.build(dict(type='WideResNet38', width=1 / 32, out_indices=STAGES, **kwargs))
    for name, value in model.state_dict().items():
        if 'bn' in name and value.is_floating_point():
            value.uniform_(0.5, 1.5)
    return model.eval()


def test_names_shapes_and_parameter_count_of_the_published_net():
    with torch.device('meta'):
        model = WideResNet38()
    want = oracle.layer_shapes()
    found = {
        name.removesuffix('.weight'): tuple(value.shape)
        for name, value in model.named_parameters()
        if name.endswith('.weight')
    }
    assert found == want
    assert sum(p.numel() for p in model.parameters()) == oracle.parameter_count() == 105_070_912
    assert {'conv1a', 'b2_2.bn_branch2a', 'b4_5.conv_branch2b1', 'b7.conv_branch1'} <= set(found)


@pytest.mark.parametrize('output_stride', [8, 16])
@pytest.mark.parametrize('size', [(32, 32), (45, 67)])
def test_outputs_are_those_of_the_table(output_stride, size):
    model = tiny(output_stride=output_stride)
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        found = model(images)
    want = oracle.forward(model.state_dict(), images, output_stride)
    assert [f.shape[1] for f in found] == [4, 8, 16, 32, 64, 128]
    last = output_stride
    sizes = [tuple(-(-side // s) for side in size) for s in (2, 4, 8, last, last, last)]
    assert [tuple(f.shape[2:]) for f in found] == sizes
    for left, right in zip(found, want):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4)


def test_stride_16_is_stride_8_at_every_other_place():
    dense, strided = tiny(output_stride=8), tiny(output_stride=16)
    images = torch.randn(1, 3, 65, 81)
    with torch.no_grad():
        at_8, at_16 = dense(images), strided(images)
    for fine, coarse in zip(at_8[3:], at_16[3:]):
        torch.testing.assert_close(fine[:, :, ::2, ::2], coarse, rtol=1e-4, atol=1e-4)


def test_out_indices_choose_outputs_and_do_not_change_them():
    images = torch.randn(1, 3, 33, 33)
    model = tiny()
    with torch.no_grad():
        every = model(images)
        model.out_indices = (1, 4)
        chosen = model(images)
    assert len(chosen) == 2
    assert torch.equal(chosen[0], every[1])
    assert torch.equal(chosen[1], every[4])


def test_dropout_drops_whole_channels_in_training_only():
    model = tiny(dropout=(0.5, 0.5))
    images = torch.randn(1, 3, 33, 33)
    with torch.no_grad():
        assert torch.equal(model(images)[5], model(images)[5])
    seen = []
    model.b6.conv_branch2b2.register_forward_hook(lambda m, x, y: seen.append(x[0]))
    model.b6.dropout.train()
    with torch.no_grad():
        model(images)
    dropped = seen[0].flatten(2).amax(dim=2) == 0
    assert 0.2 < dropped.float().mean() < 0.8
    assert (seen[0].flatten(2)[~dropped] > 0).any()


def test_every_weight_of_the_returned_stages_gets_a_gradient():
    model = tiny().train()
    sum(out.mean() for out in model(torch.randn(2, 3, 32, 32))).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(output_stride=32), r'output_stride must be one of \(8, 16\), but got 32'),
        (dict(out_indices=()), 'out_indices must be ascending'),
        (dict(out_indices=(1, 6)), r'ascending in 0\.\.5, but got \(1, 6\)'),
        (dict(out_indices=(3, 1)), 'out_indices must be ascending'),
        (dict(dropout=(0.3,)), r'number of dropout must lie in \[2, 2\], but got 1'),
        (dict(dropout=(0.3, 1.1)), 'dropout probability has to be between 0 and 1'),
        (dict(width=0), r'width must lie in \(0, inf\)'),
    ],
)
def test_wrong_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        WideResNet38(**{'width': 0.01, **kwargs})

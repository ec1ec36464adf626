from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmwsss.models.heads.deeplabv2_head import DeepLabV2Head
from tests.oracles.segmentation_heads import cross_entropy, deeplabv2_logits


def samples_from(labels: torch.Tensor) -> list[SegDataSample]:
    samples = []
    for label in labels:
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=label[None])
        samples.append(sample)
    return samples


@pytest.mark.parametrize('dilations', [(6, 12, 18, 24), (1, 2, 4), (3,)])
def test_logits_equal_the_sum_of_plain_dilated_convolutions(dilations):
    torch.manual_seed(0)
    head = DeepLabV2Head(3, num_classes=4, dilations=dilations).double()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    features = torch.randn(2, 3, 14, 15, dtype=torch.float64)
    got = head((features,)).detach().numpy()
    branches = [
        (d, conv.weight.detach().numpy(), conv.bias.detach().numpy())
        for d, conv in zip(dilations, head.convs)
    ]
    for n in range(2):
        want = deeplabv2_logits(features[n].numpy(), branches)
        np.testing.assert_allclose(got[n], want, rtol=0, atol=1e-10)


def test_dilation_24_reaches_a_pixel_24_away_and_no_nearer_one():
    head = DeepLabV2Head(1, num_classes=2, dilations=(24,))
    torch.nn.init.ones_(head.convs[0].weight)
    torch.nn.init.zeros_(head.convs[0].bias)
    features = torch.zeros(1, 1, 49, 49)
    features[0, 0, 24, 24] = 1
    reached = head((features,))[0, 0].nonzero().tolist()
    assert reached == [[y, x] for y in (0, 24, 48) for x in (0, 24, 48)]


def test_head_has_only_parameters_that_get_a_gradient():
    head = DeepLabV2Head(3, num_classes=4)
    names = {name for name, _ in head.named_parameters()}
    assert names == {f'convs.{i}.{kind}' for i in range(4) for kind in ('weight', 'bias')}
    assert set(head.state_dict()) == names
    losses = head.loss(
        (torch.randn(2, 3, 9, 9),), samples_from(torch.randint(0, 4, (2, 17, 17))), {}
    )
    losses['loss_ce'].backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_loss_equals_the_plain_mean_over_labelled_pixels():
    torch.manual_seed(1)
    loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
    head = DeepLabV2Head(3, num_classes=4, dilations=(1, 2), loss_decode=loss)
    features = torch.randn(2, 3, 6, 7)
    labels = torch.randint(0, 4, (2, 6, 7))
    labels[:, :2] = 255
    got = head.loss((features,), samples_from(labels), {})['loss_ce'].item()
    logits = head((features,)).detach().numpy()
    assert got == pytest.approx(cross_entropy(logits, labels.numpy()), rel=1e-5)


def test_initial_weights_are_normal_with_standard_deviation_001_and_zero_bias():
    torch.manual_seed(0)
    head = DeepLabV2Head(256, num_classes=21)
    head.init_weights()
    for conv in head.convs:
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.02)
        assert conv.weight.mean().item() == pytest.approx(0, abs=2e-4)
        assert torch.count_nonzero(conv.bias) == 0


def test_other_initialisation_is_taken():
    head = DeepLabV2Head(
        4, num_classes=3, init_cfg=dict(type='Constant', layer='Conv2d', val=2.0, bias=1.0)
    )
    head.init_weights()
    assert torch.all(head.convs[0].weight == 2)
    assert torch.all(head.convs[0].bias == 1)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    head = DeepLabV2Head(8, num_classes=3, dilations=(1,), dropout_ratio=0.5)
    torch.nn.init.normal_(head.convs[0].weight)
    features = (torch.randn(1, 8, 5, 5),)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


def test_reads_the_feature_map_that_in_index_names():
    head = DeepLabV2Head(2, num_classes=3, dilations=(1,), in_index=0)
    torch.nn.init.normal_(head.convs[0].weight)
    features = (torch.randn(1, 2, 4, 4), torch.randn(1, 5, 2, 2))
    torch.testing.assert_close(head(features), head.convs[0](features[0]))


def test_is_built_from_the_registry_of_mmseg():
    head = MODELS.build(dict(type='DeepLabV2Head', in_channels=2, num_classes=3))
    assert isinstance(head, DeepLabV2Head)
    assert head.dilations == (6, 12, 18, 24)


@pytest.mark.parametrize('dilations', [(), (0, 6), (6, -1)])
def test_refuses_dilations_that_are_not_positive(dilations):
    with pytest.raises(ValueError, match=r'smallest of the dilations must lie in \[1, inf\)'):
        DeepLabV2Head(2, num_classes=3, dilations=dilations)


def test_refuses_an_unknown_key():
    with pytest.raises(TypeError, match='dilatoins'):
        DeepLabV2Head(2, num_classes=3, dilatoins=(6,))

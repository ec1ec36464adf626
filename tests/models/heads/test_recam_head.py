from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from tests.oracles import recam as oracle


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(type='ReCAMHead', num_classes=3, in_channels=6, **kwargs))


def samples(*labels):
    made = [SegDataSample() for _ in labels]
    for sample, label in zip(made, labels):
        sample.gt_label = torch.tensor(label)
    return made


def test_loss_adds_the_softmax_to_cams():
    head = build(loss_weights=dict(recam=0.5), in_index=0)
    feature, other = torch.rand(2, 2, 6, 4, 5)
    losses = head.loss([feature, other], samples([1.0, 0, 1], [0, 1.0, 0]), (16, 20))
    logits = head.classifier(feature)
    labels = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    plain = F.multilabel_soft_margin_loss(logits.mean(dim=(2, 3)), labels)
    torch.testing.assert_close(losses['loss_cls'], plain)
    weight = head.reclassifier.weight[:, :, 0, 0].detach().numpy()
    own = [
        oracle.class_features_loop(a.detach().numpy(), f.numpy()) @ weight.T
        for a, f in zip(logits, feature)
    ]
    wanted = 0.5 * oracle.present_loss_loop(own, labels.numpy())
    assert losses['loss_recam'].item() == pytest.approx(wanted, abs=1e-5)
    losses['loss_recam'].backward()  # reaches the first layer by its maps
    assert all(p.grad.abs().max() > 0 for p in head.parameters())


@pytest.mark.parametrize('product', ['signed', 'positive'])
@pytest.mark.parametrize('rectify', ['sum', 'views'])
def test_maps_are_under_the_product_of_both_weights(rectify, product):
    head, feature = build(rectify=rectify, product=product), torch.rand(1, 6, 4, 5)
    outputs = head([feature])
    assert (outputs['cam'] < 0).any() == (rectify == 'sum' and product == 'signed')
    maps = head.maps(outputs, torch.tensor([[1.0, 0, 1]]))
    first, second = (w[:, :, 0, 0] for w in (head.classifier.weight, head.reclassifier.weight))
    assert ((first < 0) & (second < 0)).any()
    weight = first * second
    if product == 'positive':
        weight[(first < 0) | (second < 0)] = 0
    wanted = torch.einsum('kc,nchw->nkhw', weight, feature).clamp(min=0)
    torch.testing.assert_close(maps[:, [0, 2]], wanted[:, [0, 2]])
    assert maps[:, 1].abs().max() == 0


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="for 'cls' and 'recam'"):
        build(loss_weights=dict(sce=1.0))
    with pytest.raises(ValueError, match='product'):
        build(product='negative')


def test_features_without_a_relu_are_rectified_first():
    head, feature = build(in_index=0), torch.randn(2, 6, 4, 5)
    other, labels = torch.rand(2, 6, 4, 5), samples([1.0, 0, 1], [0, 1.0, 0])
    for one, two in zip(head([feature, other]).values(), head([feature.relu(), other]).values()):
        torch.testing.assert_close(one, two)
    losses, wanted = (head.loss([f, other], labels, (16, 20)) for f in (feature, feature.relu()))
    assert losses == wanted

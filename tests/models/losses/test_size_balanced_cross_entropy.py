from __future__ import annotations

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models.decode_heads import ASPPHead, FCNHead, SegformerHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmwsss.functional.size_weights import size_balanced_cross_entropy
from mmwsss.models.losses.size_balanced_cross_entropy import SizeBalancedCrossEntropyLoss
from tests.processes import mean_of_processes


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[0, 1:9, 1:9], labels[0, 12:14, 12:14], labels[1, :4], labels[1, 6] = 1, 1, 2, 255
    return torch.randn(2, 3, 16, 16, generator=generator), labels


def test_is_the_function_times_its_weight(batch):
    loss = MODELS.build(
        dict(
            type='SizeBalancedCrossEntropyLoss',
            tau=4.0,
            class_weight=[0.5, 1, 2],
            loss_weight=0.4,
            total='image',
            normalize='weights',
        )
    )
    sampled = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(1))
    expected = 0.4 * size_balanced_cross_entropy(
        *batch,
        4.0,
        weight=sampled,
        class_weight=torch.tensor([0.5, 1.0, 2.0]),
        total='image',
        normalize='weights',
    )
    got = loss(*batch, weight=sampled, ignore_index=255)
    assert got.item() == pytest.approx(expected.item())
    assert loss.loss_name == 'loss_sw'
    assert list(loss.state_dict()) == []
    assert 'tau=4.0, total=image, normalize=weights' in repr(loss)


@pytest.mark.parametrize('options', [dict(normalize='weights'), dict(avg_non_ignore=True)])
def test_two_processes_have_the_loss_of_the_whole_batch(batch, options):
    logits, labels = batch
    labels[1, 4:] = 255
    loss = SizeBalancedCrossEntropyLoss(**options)
    parts = [(logits[:1], labels[:1]), (logits[1:], labels[1:])]
    found = mean_of_processes(lambda *part: {'loss': loss(*part)}, parts)
    torch.testing.assert_close(found['loss'], loss(*batch))
    assert abs(sum(loss(*part) for part in parts) / 2 - loss(*batch)) > 1e-2


def test_reduction_override_and_avg_factor(batch):
    loss = SizeBalancedCrossEntropyLoss(tau=4.0)
    total = loss(*batch, reduction_override='sum')
    assert loss(*batch, reduction_override='none').shape == (2, 16, 16)
    assert loss(*batch).item() == pytest.approx(total.item() / 512)
    assert loss(*batch, avg_factor=4.0).item() == pytest.approx(total.item() / 4)


@pytest.mark.parametrize(
    ('head', 'options'),
    [
        (FCNHead, dict(num_convs=1)),
        (ASPPHead, dict(dilations=(1, 2))),
        (FCNHead, dict(sampler=dict(type='OHEMPixelSampler', thresh=0.7, min_kept=20))),
        (SegformerHead, dict()),
    ],
)
def test_trains_decode_heads(head, options, batch):
    if head is SegformerHead:
        options = dict(in_channels=[6], in_index=[0])
    else:
        options = dict(in_channels=6, in_index=0, **options)
    decode_head = head(
        channels=4,
        num_classes=3,
        norm_cfg=dict(type='BN'),
        loss_decode=[
            dict(type='SizeBalancedCrossEntropyLoss', tau=4.0, loss_name='loss_sw'),
            dict(type='CrossEntropyLoss', loss_name='loss_ce', avg_non_ignore=True),
        ],
        **options,
    )
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in batch[1]]
    losses = decode_head.loss([torch.randn(2, 6, 8, 8)], samples, None)
    assert losses['loss_sw'] > 0
    losses['loss_sw'].backward()
    grads = [p.grad for p in decode_head.parameters() if p.grad is not None]
    assert grads
    assert any(grad.abs().sum() > 0 for grad in grads)


def test_autocast_computes_in_single_precision(batch):
    logits, labels = batch
    loss = SizeBalancedCrossEntropyLoss(tau=4.0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = loss(logits.bfloat16(), labels)
    assert got.dtype == torch.float32
    assert got.item() == pytest.approx(loss(logits, labels).item(), rel=1e-2)


def test_malformed_arguments(batch):
    with pytest.raises(ValueError, match=r'tau must lie in \[1, inf\], but got 0\.5'):
        SizeBalancedCrossEntropyLoss(tau=0.5)
    with pytest.raises(ValueError, match="but got 'median'"):
        SizeBalancedCrossEntropyLoss(reduction='median')
    with pytest.raises(ValueError, match="but got 'everything'"):
        SizeBalancedCrossEntropyLoss(total='everything')
    with pytest.raises(ValueError, match=r"must contain 'loss'.*'sw'"):
        SizeBalancedCrossEntropyLoss(loss_name='sw')
    with pytest.raises(
        ValueError, match=r'smallest class_weight must lie in \[0, inf\), but got -1'
    ):
        SizeBalancedCrossEntropyLoss(class_weight=[1, -1])
    with pytest.raises(ValueError, match=r'class_weight \(C\), but got .*\(2,\)'):
        SizeBalancedCrossEntropyLoss(class_weight=[1, 1])(*batch)
    with pytest.raises(ValueError, match='set out_channels'):
        SizeBalancedCrossEntropyLoss()(batch[0][:, :1], batch[1])
    with pytest.raises(ValueError, match=r'logits \(N, C, H, W\), .* but got \(2, 3, 9\)'):
        SizeBalancedCrossEntropyLoss()(torch.randn(2, 3, 9), torch.zeros(2, 9, dtype=torch.long))
    with pytest.raises(TypeError, match='unexpected keyword'):
        SizeBalancedCrossEntropyLoss(tua=3)

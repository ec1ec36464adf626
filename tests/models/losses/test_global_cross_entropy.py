from __future__ import annotations

import pytest
import torch
from mmseg.models.losses import CrossEntropyLoss

from mmwsss.models.losses import GlobalCrossEntropyLoss
from tests.processes import mean_of_processes


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 5, 6, generator=generator)
    label = torch.randint(0, 3, (4, 5, 6), generator=generator)
    label[0] = 255
    label[1, :3] = 255
    return logits, label


@pytest.mark.parametrize('weight', [None, torch.rand(4, 5, 6)])
def test_one_process_has_mmsegs_loss(batch, weight):
    wanted = CrossEntropyLoss(avg_non_ignore=True, loss_weight=0.4)
    found = GlobalCrossEntropyLoss(loss_weight=0.4)
    args = (*batch, weight)
    assert torch.equal(found(*args, ignore_index=255), wanted(*args, ignore_index=255))
    assert found.loss_name == 'loss_ce'


def test_the_mean_over_processes_is_the_loss_of_the_whole_batch(batch):
    logits, label = batch
    loss = GlobalCrossEntropyLoss()
    whole = loss(logits, label)
    halved = [(logits[part], label[part]) for part in (slice(0, 2), slice(2, 4))]
    found = mean_of_processes(lambda *part: {'loss': loss(*part)}, halved)
    torch.testing.assert_close(found['loss'], whole)
    local = CrossEntropyLoss(avg_non_ignore=True)
    halves = [local(*part, ignore_index=255) for part in halved]
    assert abs(sum(halves) / 2 - whole) > 1e-3  # what DDP makes of mmseg's


def test_nothing_labelled_gives_zero(batch):
    logits = batch[0].requires_grad_()
    value = GlobalCrossEntropyLoss()(logits, torch.full((4, 5, 6), 255))
    value.backward()
    assert value == 0
    assert torch.isfinite(logits.grad).all()


def test_other_reductions_are_left_alone(batch):
    loss = GlobalCrossEntropyLoss()
    assert loss(*batch, reduction_override='none').shape == (4, 5, 6)
    torch.testing.assert_close(
        loss(*batch, avg_factor=10.0), loss(*batch, reduction_override='none').sum() / 10
    )

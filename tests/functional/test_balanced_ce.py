from __future__ import annotations

import pytest
import torch

from mmwsss.functional.balanced_ce import balanced_cross_entropy
from tests.oracles.recam import balanced_loop


@pytest.mark.parametrize('smoothing', [0.0, 0.4])
@pytest.mark.parametrize('values', [(0, 1, 3, 255), (0, 255), (2, 255), (255, 255)])
def test_equals_the_loop_and_has_its_gradient(values, smoothing):
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(values)[torch.randint(len(values), (2, 3, 5))]
    loss = balanced_cross_entropy(logits, labels, label_smoothing=smoothing)
    wanted = balanced_loop(logits.detach().numpy(), labels.numpy(), smoothing)
    assert loss.item() == pytest.approx(wanted, abs=1e-6)
    counts = torch.full((2,), 7.0)
    over_seven = balanced_cross_entropy(logits, labels, 255, smoothing, counts)
    found = [((labels == 0).sum()), ((labels != 0) & (labels != 255)).sum()]
    alone = [labels.where((labels == 0) == wanted, 255) for wanted in (True, False)]
    sums = [balanced_cross_entropy(logits, x, 255, smoothing) * n for x, n in zip(alone, found)]
    torch.testing.assert_close(over_seven, sum(sums) / 7)
    others = labels.where(labels != 255, 9)
    torch.testing.assert_close(balanced_cross_entropy(logits, others, 9, smoothing), loss)
    assert torch.autograd.gradcheck(
        lambda x: balanced_cross_entropy(x, labels, label_smoothing=smoothing), logits
    )


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r'label_smoothing must lie in \[0, 1\]'):
        balanced_cross_entropy(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1).long(), 255, 1.1)
    with pytest.raises(ValueError, match='shapes must be logits'):
        balanced_cross_entropy(torch.zeros(1, 2, 2, 2), torch.zeros(1, 1, 1).long())

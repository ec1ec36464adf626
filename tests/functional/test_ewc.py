from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmwsss.functional.ewc import (
    check_fisher_fits,
    ewc_penalty,
    mean_fisher,
    sum_squared_gradients,
)


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(0)
    parameters = {'a': torch.randn(3, 2, generator=generator), 'b': torch.randn(4)}
    parameters = {name: p.requires_grad_() for name, p in parameters.items()}
    anchors = {name: p.detach().clone() for name, p in parameters.items()}
    fisher = {name: torch.rand(p.shape, generator=generator) for name, p in parameters.items()}
    return parameters, anchors, fisher


def test_penalty_and_gradient_are_zero_at_the_anchor(state):
    parameters, anchors, fisher = state
    penalty = ewc_penalty(parameters, anchors, fisher, strength=1e6)
    penalty.backward()
    assert penalty.item() == 0
    assert all(p.grad.abs().max() == 0 for p in parameters.values())


def test_two_parameters_by_hand():
    theta = torch.tensor([1.5, -2.0], requires_grad=True)
    anchor, fisher = torch.tensor([1.0, 1.0]), torch.tensor([4.0, 0.5])
    penalty = ewc_penalty({'t': theta}, {'t': anchor}, {'t': fisher}, strength=3.0)
    penalty.backward()
    # 3/2 (4 * 0.25 + 0.5 * 9) = 8.25; gradient 3 F (theta - theta*) = (6, -4.5)
    assert penalty.item() == pytest.approx(8.25)
    assert theta.grad.tolist() == pytest.approx([6.0, -4.5])


def test_gradient_descent_on_two_tasks_ends_at_the_weighted_mean():
    # Task B's loss (theta - 3)^2 / 2 and a penalty around 1 with lambda F = 4: optimum (3 + 4) / 5.
    theta = torch.tensor([1.0], requires_grad=True)
    anchors, fisher = {'t': torch.tensor([1.0])}, {'t': torch.tensor([2.0])}
    for _ in range(100):
        loss = 0.5 * (theta - 3).square().sum() + ewc_penalty({'t': theta}, anchors, fisher, 2.0)
        (gradient,) = torch.autograd.grad(loss, theta)
        theta = (theta - 0.1 * gradient).detach().requires_grad_()
    assert theta.item() == pytest.approx(1.4, abs=1e-5)


def test_frozen_and_new_parameters(state):
    parameters, anchors, fisher = state
    moved = {name: p.detach() + 1 for name, p in parameters.items()}
    everything = ewc_penalty(moved, anchors, fisher, 2.0)
    assert everything.item() == pytest.approx(sum(f.sum().item() for f in fisher.values()))
    only_b = ewc_penalty({'b': moved['b'], 'new': torch.ones(5)}, anchors, fisher, 2.0)
    assert only_b.item() == pytest.approx(fisher['b'].sum().item())
    assert ewc_penalty({}, anchors, fisher, 2.0).item() == 0


def test_low_precision_parameters_are_compared_in_single_precision():
    anchors = {'t': torch.zeros(1, dtype=torch.float16)}
    theta = {'t': torch.full((1,), 1e-3, dtype=torch.float16)}
    penalty = ewc_penalty(theta, anchors, {'t': torch.ones(1)}, strength=2.0)
    assert penalty.dtype == torch.float32
    assert penalty.item() == pytest.approx(1e-6, rel=1e-3)


def test_fisher_of_a_softmax_equals_the_formula():
    # For logits z = W x with one-hot label y, d log p / d W_c = (1[c = y] - p_c) x.
    generator = torch.Generator().manual_seed(1)
    layer = nn.Linear(3, 4, bias=False)
    images, labels = torch.randn(5, 3, generator=generator), torch.tensor([0, 3, 1, 1, 2])
    parameters = dict(layer.named_parameters())

    def gradients():
        for image, label in zip(images, labels):
            loss = F.cross_entropy(layer(image[None]), label[None])
            yield {'weight': torch.autograd.grad(loss, layer.weight)[0]}

    sums, count = sum_squared_gradients(gradients(), parameters)
    fisher = mean_fisher(sums, count)
    p = layer(images).softmax(dim=1).detach()
    residual = F.one_hot(labels, 4) - p  # (5, 4)
    expected = (residual[:, :, None] * images[:, None]).square().mean(dim=0)
    torch.testing.assert_close(fisher['weight'], expected)
    assert count == 5
    assert not fisher['weight'].requires_grad


def test_sums_are_of_images_and_not_of_batches(state):
    parameters, _, _ = state
    one, two = torch.ones(4), -torch.ones(4)
    sums, count = sum_squared_gradients([{'b': one, 'a': None}, {'b': two}], parameters)
    assert (sums['b'].tolist(), sums['a'].sum().item(), count) == ([2.0] * 4, 0.0, 2)
    sums, count = sum_squared_gradients([], parameters)
    assert (sums['b'].sum().item(), count) == (0.0, 0)


def test_gradients_in_half_precision_are_squared_in_single():
    gradient = torch.full((2,), 1e-4, dtype=torch.float16)  # its square is below float16's smallest
    sums, _ = sum_squared_gradients([{'t': gradient}], {'t': gradient})
    assert sums['t'].tolist() == pytest.approx([1e-8] * 2, rel=1e-2)


def test_check_names_what_does_not_fit(state):
    parameters, anchors, fisher = state
    assert check_fisher_fits(parameters, anchors, fisher) == []
    frozen = {**parameters, 'new': nn.Parameter(torch.ones(2)), 'buffer': torch.ones(2)}
    assert check_fisher_fits(frozen, anchors, fisher) == ['new']
    with pytest.raises(ValueError, match=r"'a' must have one shape .*'fisher': \(3, 2\)"):
        check_fisher_fits({'b': parameters['b']}, anchors, fisher)
    with pytest.raises(ValueError, match=r"'b' must have one shape .*'model': \(5,\)"):
        check_fisher_fits({**parameters, 'b': torch.ones(5)}, anchors, fisher)
    with pytest.raises(ValueError, match=r"'b' must .* has \{'model': \(4,\), 'anchors': \(4,\)\}"):
        check_fisher_fits(parameters, anchors, {'a': fisher['a']})
    with pytest.raises(ValueError, match="information of 'b' must be finite"):
        check_fisher_fits(parameters, anchors, {**fisher, 'b': torch.full((4,), torch.nan)})
    with pytest.raises(ValueError, match="information of 'b' must be finite, the latter 0 or more"):
        check_fisher_fits(parameters, anchors, {**fisher, 'b': -fisher['b']})


def test_malformed_arguments(state):
    parameters, _, _ = state
    with pytest.raises(ValueError, match='at least one image, but got 0'):
        mean_fisher({}, 0)
    with pytest.raises(ValueError, match="squared gradients of 'b' must be finite"):
        mean_fisher(*sum_squared_gradients([{'b': torch.full((4,), torch.inf)}], parameters))

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from tests.oracles import weclip as oracle
from tests.processes import mean_of_processes


@pytest.fixture
def head():
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='WeCLIPHead',
            in_channels=[6, 4],
            in_index=[0, 2],
            channels=8,
            num_layers=2,
            num_heads=2,
            num_classes=4,
            radius=1,
            affinity_weight=0.3,
        )
    )
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return head.eval()


def inputs():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, c, 3, 4, generator=generator) for c in (6, 5, 4)]


def norm(layer, x):
    x = (x - x.mean(dim=-1, keepdim=True)) / (
        x.var(dim=-1, correction=0, keepdim=True) + 1e-5
    ).sqrt()
    return x * layer.weight + layer.bias


def decoder_by_hand(head, tokens):
    """Logits of the cells (L, C) of one image, by matrices."""
    for layer in head.layers:
        attn, L = layer.attn.attn, len(tokens)
        x = norm(layer.ln1, tokens) @ attn.in_proj_weight.T + attn.in_proj_bias
        q, k, v = (part.reshape(L, 2, 4).transpose(0, 1) for part in x.chunk(3, dim=1))
        mixed = ((q @ k.transpose(1, 2)) / 4**0.5).softmax(dim=2) @ v
        tokens = tokens + attn.out_proj(mixed.transpose(0, 1).reshape(L, 8))
        first, second = layer.ffn.layers[0][0], layer.ffn.layers[1]
        x = norm(layer.ln2, tokens) @ first.weight.T + first.bias
        tokens = tokens + (x * (1.702 * x).sigmoid()) @ second.weight.T + second.bias
    return tokens @ head.conv_seg.weight[:, :, 0, 0].T + head.conv_seg.bias


@torch.no_grad()
def test_logits_and_affinity_are_those_by_hand(head):
    feats = inputs()
    fused = head.fused(feats)
    for n in range(2):
        parts = []
        for mlp, feat in zip(head.mlps, (feats[0], feats[2])):
            x = feat[n].flatten(1).T
            x = (x @ mlp[0].weight[:, :, 0, 0].T + mlp[0].bias).clamp(min=0)
            parts.append(x @ mlp[2].weight[:, :, 0, 0].T + mlp[2].bias)
        cells = torch.cat(parts, dim=1) @ head.fuse.weight[:, :, 0, 0].T + head.fuse.bias
        torch.testing.assert_close(fused[n].flatten(1).T, cells, rtol=0, atol=1e-5)
        found = head(feats)[n].flatten(1).T
        torch.testing.assert_close(found, decoder_by_hand(head, cells), rtol=0, atol=1e-5)
        wanted = oracle.affinity_loop(fused[n].numpy())
        np.testing.assert_allclose(head.affinity(fused)[n].numpy(), wanted, rtol=0, atol=1e-5)


def losses(head, feats, labels):
    features = head.fused(feats)
    return head.losses(features, head.affinity(features), labels)


def test_losses_are_those_of_the_loops(head):
    labels = torch.randint(0, 4, (2, 6, 8), generator=torch.Generator().manual_seed(2))
    labels[0, 3:] = 255
    found = losses(head, inputs(), labels)
    features = head.fused(inputs())
    logits = torch.nn.functional.interpolate(head.segment(features), size=(6, 8), mode='bilinear')
    halves = oracle.halved_ce_loop(logits.detach().numpy(), labels.numpy())
    cells = labels[:, ::2, ::2].numpy()
    affinity = head.affinity(features).detach().numpy()
    wanted = [*halves, 0.3 * oracle.affinity_loss_loop(affinity, cells, 1)]
    names = ['loss_bg', 'loss_fg', 'loss_affinity']
    assert [found[name].item() for name in names] == pytest.approx(wanted, abs=1e-5)
    assert list(found) == names


@pytest.mark.parametrize(('value', 'zero'), [(0, 'loss_fg'), (3, 'loss_bg'), (255, None)])
def test_labels_of_one_kind_have_a_loss_and_gradients(head, value, zero):
    found = losses(head, inputs(), torch.full((2, 6, 8), value))
    sum(found.values()).backward()
    assert {name for name, loss in found.items() if loss == 0} == (
        {zero} if zero else {'loss_bg', 'loss_fg', 'loss_affinity'}
    )
    gradients = [parameter.grad for parameter in head.parameters()]
    assert all(torch.isfinite(grad).all() for grad in gradients)
    assert any(grad.any() for grad in gradients) == (zero is not None)


def test_two_processes_have_the_gradients_of_the_whole_batch(head):
    labels = torch.randint(0, 4, (2, 6, 8), generator=torch.Generator().manual_seed(2))
    labels[0, :4] = 255
    labels[1] = 0  # no foreground on one of them
    sum(losses(head, inputs(), labels).values()).backward()
    wanted = [parameter.grad.clone() for parameter in head.parameters()]
    head.zero_grad()

    parts = [([feat[n : n + 1] for feat in inputs()], labels[n : n + 1]) for n in range(2)]
    sum(mean_of_processes(partial(losses, head), parts).values()).backward()
    for parameter, grad in zip(head.parameters(), wanted):
        torch.testing.assert_close(parameter.grad, grad, rtol=1e-4, atol=1e-6)


def test_wrong_numbers_are_named():
    cfg = dict(type='WeCLIPHead', in_channels=[8], in_index=[0], channels=8)
    for name, value in dict(num_classes=256, radius=-1, num_layers=-1, affinity_weight=-1).items():
        with pytest.raises(ValueError, match=f'{name} must lie in'):
            MODELS.build({**cfg, 'num_classes': 3, name: value})
    wrong = dict(num_heads=3, loss_decode=[dict(type='GlobalCrossEntropyLoss')])
    for (name, value), message in zip(wrong.items(), ('a multiple of num_heads = 3', 'one loss')):
        with pytest.raises(ValueError, match=message):
            MODELS.build({**cfg, 'num_classes': 3, name: value})

from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS

CFG = dict(
    in_channels=[8, 16], in_index=[0, 1], channels=16, ham_channels=16, num_classes=3,
    norm_cfg=dict(type='GN', num_groups=4), ham_kwargs=dict(MD_R=4),
)  # fmt: skip


@pytest.fixture
def feats():
    return [torch.randn(1, 8, 9, 7), torch.randn(1, 16, 5, 4)]


def build(kind: str):
    torch.manual_seed(0)
    return MODELS.build(dict(type=kind, **CFG))


def test_predictions_repeat_and_leave_the_random_state_alone(feats):
    head = build('SeededLightHamHead').eval()
    state = torch.get_rng_state()
    with torch.no_grad():
        first = head(feats)
        torch.rand(3)
        second = head(feats)
    assert torch.equal(first, second)
    torch.set_rng_state(state)
    with torch.no_grad():
        head(feats)
    assert torch.equal(torch.get_rng_state(), state)
    plain = build('LightHamHead').eval()
    with torch.no_grad():
        assert not torch.equal(plain(feats), plain(feats))


def test_equal_to_mmseg_under_the_same_seed(feats):
    head, plain = build('SeededLightHamHead').eval(), build('LightHamHead').eval()
    plain.load_state_dict(head.state_dict())
    with torch.no_grad():
        torch.manual_seed(head.test_seed)
        assert torch.equal(plain(feats), head(feats))


def test_an_image_has_its_prediction_at_every_place_of_a_batch(feats):
    head = build('SeededLightHamHead').eval()
    batch = [torch.cat([torch.randn_like(x), x]) for x in feats]
    with torch.no_grad():
        torch.testing.assert_close(head(batch)[1:], head(feats))


def test_training_draws_from_the_global_generator(feats):
    head = build('SeededLightHamHead').train()
    head.dropout = None
    torch.manual_seed(1)
    first = head(feats)
    second = head(feats)
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(head(feats), first)

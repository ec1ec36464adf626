from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmwsss.functional.multi_scale import mirror_sum
from tests.oracles import seam as oracle
from tests.processes import mean_of_processes

LABELS = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
SIZE, SMALL = (16, 20), (5, 6)
BOXES = ((0, 0, 20, 16), (0, 0, 12, 16))


def build(**kwargs):
    torch.manual_seed(0)
    cfg = dict(
        type='SEAMHead', num_classes=3, in_channels=6, side_in_channels=(4,), side_indices=(0,),
        side_channels=(5,), correlation_channels=7, hard_fraction=0.3,
    )  # fmt: skip
    return MODELS.build({**cfg, **kwargs})


def features(size, cells):
    return [torch.randn(2, 4, *cells), torch.randn(2, 6, *cells), torch.rand(2, 3, *size)]


def samples(boxes=BOXES):
    made = [SegDataSample(metainfo=dict(valid_box=box)) for box in boxes]
    for sample, label in zip(made, LABELS):
        sample.gt_label = label
    return made


def inside(cells):
    """Cells whose centre lies in the box."""
    masks = np.zeros((2, *cells))
    for mask, (x1, y1, x2, y2) in zip(masks, BOXES):
        for i, j in np.ndindex(cells):
            y, x = (i + 0.5) * SIZE[0] / cells[0], (j + 0.5) * SIZE[1] / cells[1]
            mask[i, j] = y1 <= y < y2 and x1 <= x < x2
    return masks


def resized(maps):
    maps = torch.from_numpy(np.asarray(maps, np.float32))
    return F.interpolate(maps[None], size=SMALL, mode='bilinear', align_corners=False)[0].numpy()


def peak(maps):
    positive = np.maximum(maps, 0)
    return positive / (positive.max(axis=(1, 2), keepdims=True) + 1e-5)


def plain_view(head, feats, n):
    """Scores (K, h, w) and revised scores (K + 1, h, w) of an image on the small grid."""
    logits, correlated = (x[n].detach().numpy() for x in head.logits_and_correlated(feats))
    mask, label = inside(logits.shape[1:])[n], LABELS[n].numpy()[:, None, None]
    scores = peak(logits * mask)
    revised = oracle.correlation_loop(correlated, oracle.winners_loop(scores) * mask, mask)
    with_background = np.concatenate([np.ones((1, 1, 1)), label])
    return resized(scores) * label, resized(peak(revised * mask)) * with_background


def test_losses_are_those_of_the_loop():
    head = build()
    feats, other = features(SIZE, (4, 5)), features(SMALL, (2, 3))
    losses = head.loss(feats, samples(), SIZE, iter([other]))
    mask, er, errors = inside(SMALL), 0.0, [[], []]
    for n in range(2):
        (one, one_revised), (two, two_revised) = (plain_view(head, f, n) for f in (feats, other))
        er += (np.abs(one - two) * mask[n]).sum() / (3 * mask.sum())
        errors[0].append(np.abs(oracle.winners_loop(two) - one_revised))
        errors[1].append(np.abs(oracle.winners_loop(one) - two_revised))
    assert losses['loss_er'].item() == pytest.approx(er, abs=1e-5)
    ecr = sum(oracle.hardest_loop(np.stack(each), mask, 0.3) for each in errors)
    assert losses['loss_ecr'].item() == pytest.approx(ecr, abs=1e-5)
    logits = [head(f)['cam_logits'].mean(dim=(2, 3)) for f in (feats, other)]
    cls = sum(F.multilabel_soft_margin_loss(each, LABELS) for each in logits) / 2
    torch.testing.assert_close(losses['loss_cls'], cls)


def test_padding_takes_no_part_and_gradients_go_where_they_should():
    head = build(loss_weights=dict(cls=0))
    feats, other = features(SIZE, (4, 5)), features(SMALL, (2, 3))
    feats[0].requires_grad_(), feats[1].requires_grad_()
    losses = head.loss(feats, samples(), SIZE, [other])
    losses['loss_er'].backward(retain_graph=True)
    assert feats[1].grad[1, :, :, 3:].abs().max() == 0
    assert feats[1].grad[1, :, :, :3].abs().max() > 0
    assert head.correlation.weight.grad is None
    feats[1].grad = None
    losses['loss_ecr'].backward()
    assert feats[0].grad is None is feats[1].grad
    assert all(p.grad.abs().max() > 0 for p in head.side_convs.parameters())


def test_two_processes_have_the_loss_of_the_whole_batch():
    head = build()
    feats, other = features(SIZE, (4, 5)), features(SMALL, (2, 3))
    whole = head.loss(feats, samples(), SIZE, [other])
    parts = [
        (
            [each[n : n + 1] for each in feats],
            samples()[n : n + 1],
            SIZE,
            [[each[n : n + 1] for each in other]],
        )
        for n in range(2)
    ]
    found = mean_of_processes(head.loss, parts)
    for name, loss in whole.items():
        torch.testing.assert_close(found[name], loss)


def test_images_smaller_than_a_cell_cost_nothing():
    feats, other = features(SIZE, (4, 5)), features(SMALL, (2, 3))
    losses = build().loss(feats, samples([(0, 0, 1, 1)] * 2), SIZE, [other])
    assert losses['loss_er'] == losses['loss_ecr'] == 0


def plain_revised(head, feats, n):
    """Revised scores (K, h, w) of an image without padding."""
    logits, correlated = (x[n].detach().numpy() for x in head.logits_and_correlated(feats))
    winners = oracle.winners_loop(peak(logits))
    return oracle.correlation_loop(correlated, winners, np.ones((4, 5)))[1:]


def test_maps_are_revised_scores_of_the_label_above_their_minimum():
    head, feats = build(), features(SIZE, (4, 5))
    outputs = head(feats)
    maps = head.maps(outputs, LABELS)
    wanted = plain_revised(head, feats, 0)
    np.testing.assert_allclose(outputs['cam'][0].detach().numpy(), wanted, atol=1e-5)
    wanted -= wanted.min(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(maps[0, [0, 2]].detach().numpy(), wanted[[0, 2]], atol=1e-5)
    assert maps[0, 1].abs().max() == 0


def test_image_and_mirror_are_revised_on_their_own():
    head, feats = build(), features(SIZE, (4, 5))
    maps = head.maps(mirror_sum(head(feats)), LABELS[:1])
    wanted = plain_revised(head, feats, 0) + plain_revised(head, feats, 1)[:, :, ::-1]
    wanted -= wanted.min(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(maps[0, [0, 2]].detach().numpy(), wanted[[0, 2]], atol=1e-5)


def test_pixels_are_told_apart_by_the_image_and_the_stages():
    head, feats = build(), features(SIZE, (4, 5))
    feats[0] = torch.rand(2, 4, 7, 8) - 0.5
    small = [F.interpolate(x, size=(4, 5), mode='bilinear') for x in (
        feats[2], F.conv2d(feats[0], head.side_convs[0].weight).clamp(min=0)
    )]  # fmt: skip
    wanted = torch.einsum('oc,nchw->nohw', head.correlation.weight[..., 0, 0], torch.cat(small, 1))
    torch.testing.assert_close(head.logits_and_correlated(feats)[1], wanted)
    assert build(view_scale=0.5).loss_scales == (0.5,)


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='equally long'):
        build(side_indices=(0, 1))
    with pytest.raises(ValueError, match=r'view_scale must lie in \(0, inf\)'):
        build(view_scale=0)

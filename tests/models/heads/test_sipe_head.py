"""SIPEHead: losses and maps against the oracle, gradient routes, switches, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmwsss  # noqa: F401  registers the models
from mmwsss.functional import keep_labelled
from mmwsss.functional.sipe import (
    class_prototypes,
    keep_surest,
    locate_seeds,
    prototype_activation,
    structure_similarity,
)
from mmwsss.models.heads.sipe_head import SIPEHead
from tests.oracles import sipe as oracle

CHANNELS = (4, 6, 8, 10)
SIDES = (2, 2, 3, 3)
K = 3
FEATURES = ('hierarchical', 'semantic')


def make_head(**kwargs):
    torch.manual_seed(0)
    settings = dict(num_classes=K, in_channels=10, side_in_channels=CHANNELS, side_channels=SIDES)
    return SIPEHead(**{**settings, **kwargs})


def make_feats(batch=2, seed=0, dtype=torch.float32, last=(4, 6)):
    """Stages at strides 4, 8, 16, 16 of a 64 x 96 image, all of them leaves with gradients."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [(16, 24), (8, 12), (4, 6), last]
    feats = [
        torch.randn(batch, c, *s, generator=generator).to(dtype) for c, s in zip(CHANNELS, sizes)
    ]
    return [f.requires_grad_() for f in feats]


def make_samples(labels=((1, 0, 1), (0, 1, 0)), boxes=((0, 0, 96, 64), (16, 0, 96, 48))):
    samples = []
    for number, (label, box) in enumerate(zip(labels, boxes)):
        sample = SegDataSample(metainfo=dict(img_id=f'image{number}', valid_box=box))
        sample.set_data(dict(gt_label=torch.tensor(label, dtype=torch.float32)))
        samples.append(sample)
    return samples


def labels_of(samples):
    return torch.stack([s.gt_label for s in samples])


def oracle_maps(
    head,
    feats,
    labels,
    boxes,
    seed_feature,
    cell='nearest',
    mask_scores=True,
    feature='hierarchical',
    bg_attenuation=0.5,
):
    """General CAM, seeds and IS-CAM of each image in NumPy, from the head's weights."""
    f = [x.detach().double().numpy() for x in feats]
    valid = oracle.valid_mask(labels, np.array(boxes), (64, 96), (4, 6), cell)
    results = []
    for n in range(len(labels)):
        logits = np.einsum('kc,chw->khw', _weight(head.classifier), f[3][n])
        scores = oracle.peak_normalize(logits)
        scores = np.concatenate([1 - scores.max(0, keepdims=True), scores])
        scores = oracle.resize(scores, (4, 6), align_corners=True)
        if mask_scores:
            scores = scores * valid[n]
        hierarchical = []
        for conv, stage in zip(head.side_convs, f):
            side = np.einsum('kc,chw->khw', _weight(conv), stage[n])
            side = side / (np.sqrt((side**2).sum(0, keepdims=True)) + 1e-5)
            hierarchical.append(oracle.resize(side, (4, 6), align_corners=False))
        hierarchical = np.concatenate(hierarchical)
        semantic = oracle.resize(f[3][n], (4, 6), align_corners=False)
        features = dict(semantic=semantic, hierarchical=hierarchical)
        similarity = oracle.structure_similarity(features[seed_feature], scores)
        seeds = oracle.locate_seeds(similarity, valid[n], bg_attenuation)
        activation = oracle.prototype_activation(
            oracle.prototypes(seeds, features[feature]), features[feature]
        )
        results.append((scores, seeds, activation))
    return results


def _weight(conv):
    return conv.weight.detach().double().numpy()[:, :, 0, 0]


# --- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize('cell', ['nearest', 'centre'])
@pytest.mark.parametrize('last', [(4, 6), (2, 3)])
@pytest.mark.parametrize('seed', range(2))
def test_losses_equal_the_oracle(seed, last, cell):
    head, feats = make_head(valid_cell=cell), make_feats(seed=seed, last=last)
    samples = make_samples(boxes=((0, 0, 96, 64), (5, 0, 96, 44)))
    losses = head.loss(feats, samples, (64, 96))
    labels = labels_of(samples).numpy()
    boxes = [s.get('valid_box') for s in samples]
    parts = oracle_maps(head, feats, labels, boxes, 'semantic', cell)
    want = np.mean([oracle.gsc_loss(scores, activation) for scores, _, activation in parts])
    assert losses['loss_gsc'].item() == pytest.approx(want, rel=1e-4)

    logits = np.einsum('kc,ncyx->nk', _weight(head.classifier), feats[3].detach().numpy())
    logits = logits / (last[0] * last[1])
    terms = labels * np.log1p(np.exp(-logits)) + (1 - labels) * np.log1p(np.exp(logits))
    assert losses['loss_cls'].item() == pytest.approx(terms.mean(), rel=1e-5)
    assert set(losses) == {'loss_cls', 'loss_gsc'}


@pytest.mark.parametrize('bg_attenuation', [1, 0.5])
@pytest.mark.parametrize('seed_feature', FEATURES)
@pytest.mark.parametrize('feature', FEATURES)
def test_losses_and_maps_of_other_settings_equal_the_oracle(feature, seed_feature, bg_attenuation):
    settings = dict(feature=feature, bg_attenuation=bg_attenuation)
    (at_test,) = {*FEATURES} - {seed_feature}
    head = make_head(seed_feature=seed_feature, test_seed_feature=at_test, **settings)
    feats, samples = make_feats(), make_samples()
    boxes, labels = [s.get('valid_box') for s in samples], labels_of(samples)
    parts = oracle_maps(head, feats, labels.numpy(), boxes, seed_feature, **settings)
    want = np.mean([oracle.gsc_loss(scores, activation) for scores, _, activation in parts])
    got = head.loss(feats, samples, (64, 96))['loss_gsc']
    assert got.item() == pytest.approx(want, rel=1e-4)

    whole = [(0, 0, 96, 64)] * 2
    parts = oracle_maps(head, feats, labels.numpy(), whole, at_test, mask_scores=False, **settings)
    maps = head.maps(head(feats), labels)
    np.testing.assert_allclose(maps.detach().numpy(), [p[2] for p in parts], atol=1e-5)


def test_the_released_cells_are_the_default():
    feats, samples = make_feats(), make_samples(boxes=((0, 0, 96, 64), (5, 0, 96, 44)))
    losses = {
        cell: make_head(**cell_setting).loss(feats, samples, (64, 96))['loss_gsc'].item()
        for cell, cell_setting in {
            'default': {},
            'nearest': dict(valid_cell='nearest'),
            'centre': dict(valid_cell='centre'),
        }.items()
    }
    assert losses['default'] == losses['nearest']
    assert abs(losses['nearest'] - losses['centre']) > 1e-3


def test_absent_classes_compete_by_default():
    feats, labels = make_feats(), labels_of(make_samples())
    default, masked = make_head(), make_head(test_absent_classes='masked')
    released = make_head(test_absent_classes='compete')
    got = default.maps(default(feats), labels)
    torch.testing.assert_close(got, released.maps(released(feats), labels))
    assert not torch.allclose(got, masked.maps(masked(feats), labels))


def test_fewer_seeds_change_test_maps_only():
    feats, samples = make_feats(), make_samples()
    labels = labels_of(samples)
    head, surest = make_head(), make_head(test_seed_fraction=0.5)
    losses = [h.loss(feats, samples, (64, 96))['loss_gsc'].item() for h in (head, surest)]
    assert losses[0] == losses[1]
    outputs = head(feats)
    maps = surest.maps(outputs, labels)
    assert not torch.allclose(maps, head.maps(outputs, labels))
    scores = head._general_cam(outputs, labels, outputs['hierarchical'].shape[2:])
    valid = keep_labelled(torch.ones_like(scores), labels)
    similarity = structure_similarity(outputs['hierarchical'], scores)
    seeds = keep_surest(locate_seeds(similarity, valid), similarity * valid, 0.5)
    prototypes = class_prototypes(seeds, outputs['hierarchical'])
    want = prototype_activation(prototypes, outputs['hierarchical'])
    torch.testing.assert_close(maps, want)


@pytest.mark.parametrize('absent', ['compete', 'masked'])
@pytest.mark.parametrize('last', [(4, 6), (2, 3)])
def test_maps_equal_the_oracle(last, absent):
    head, feats, samples = (
        make_head(test_absent_classes=absent),
        make_feats(last=last),
        make_samples(),
    )
    labels = labels_of(samples)
    maps = head.maps(head(feats), labels)
    whole = [(0, 0, 96, 64)] * 2
    parts = oracle_maps(
        head, feats, labels.numpy(), whole, 'hierarchical', mask_scores=absent == 'masked'
    )
    np.testing.assert_allclose(maps.detach().numpy(), [p[2] for p in parts], atol=1e-5)
    assert head.has_background
    assert maps.shape == (2, K + 1, 4, 6)
    # Some pixels go to absent classes, and so to nobody, only where those compete.
    seeds = sum(p[1].sum() for p in parts)
    assert seeds == 48 if absent == 'masked' else seeds < 48


def test_loss_weights_scale_the_terms():
    feats, samples = make_feats(), make_samples()
    plain = make_head().loss(feats, samples, (64, 96))
    weighted = make_head(loss_weights=dict(cls=2.0, gsc=0.25)).loss(feats, samples, (64, 96))
    torch.testing.assert_close(weighted['loss_cls'], 2 * plain['loss_cls'])
    torch.testing.assert_close(weighted['loss_gsc'], 0.25 * plain['loss_gsc'])


def test_consistency_without_background_is_over_the_classes():
    head, feats, samples = make_head(background_modeling=False), make_feats(), make_samples()
    boxes = [s.get('valid_box') for s in samples]
    parts = oracle_maps(head, feats, labels_of(samples).numpy(), boxes, 'semantic')
    want = np.mean([oracle.gsc_loss(scores[1:], activation[1:]) for scores, _, activation in parts])
    got = head.loss(feats, samples, (64, 96))['loss_gsc']
    assert got.item() == pytest.approx(want, rel=1e-4)


def test_any_stages_and_widths():
    head = make_head(
        side_in_channels=(8, 10), side_channels=(5, 7), side_indices=(2, 3), size_index=3
    )
    outputs = head(make_feats())
    assert outputs['hierarchical'].shape == (2, 12, 4, 6)


# --- gradient routes ---------------------------------------------------------------------------


def gradients(head, feats, samples, key):
    head.zero_grad()
    head.loss(feats, samples, (64, 96))[key].backward()
    return [f.grad is not None and bool(f.grad.abs().sum() > 0) for f in feats]


def has_gradient(module):
    return [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters()]


def test_gsc_trains_sides_classifier_and_last_stage_only():
    head = make_head()
    assert gradients(head, make_feats(), make_samples(), 'loss_gsc') == [False, False, False, True]
    assert has_gradient(head.side_convs) == [True] * 4
    assert has_gradient(head.classifier) == [True]


def test_classification_does_not_train_sides():
    head = make_head()
    assert gradients(head, make_feats(), make_samples(), 'loss_cls') == [False, False, False, True]
    assert has_gradient(head.side_convs) == [False] * 4
    assert has_gradient(head.classifier) == [True]


def test_backbone_gets_no_gradient_through_the_is_cam():
    """With S cut off (a constant classifier), nothing of L_gsc is left for the last stage."""
    head, feats = make_head(), make_feats()
    head.classifier.requires_grad_(False)
    with torch.no_grad():
        head.classifier.weight.zero_()
    assert gradients(head, feats, make_samples(), 'loss_gsc') == [False] * 4
    assert has_gradient(head.side_convs) == [True] * 4


@pytest.mark.parametrize('detach', [True, False])
def test_semantic_prototypes_train_the_last_stage_only_without_detach(detach):
    """A classifier of zeros hands no gradient on, so that what arrives came through the IS-CAM."""
    head = make_head(feature='semantic', detach=detach)
    with torch.no_grad():
        head.classifier.weight.zero_()
    got = gradients(head, make_feats(), make_samples(), 'loss_gsc')
    assert got == [False, False, False, not detach]


def test_detach_can_be_switched_off():
    head = make_head(detach=False)
    assert gradients(head, make_feats(), make_samples(), 'loss_gsc') == [True] * 4


@pytest.mark.parametrize('settings', [dict(gsc=False), dict(feature='semantic')])
def test_sides_that_no_loss_reaches_are_frozen(settings):
    head, feats = make_head(**settings), make_feats()
    losses = head.loss(feats, make_samples(), (64, 96))
    sum(losses.values()).backward()
    assert not any(p.requires_grad for p in head.side_convs.parameters())
    # What is trainable gets a gradient: distributed training needs no search for unused parameters.
    assert all(p.grad is not None for p in head.parameters() if p.requires_grad)
    assert set(head.state_dict()) == set(make_head().state_dict())


def test_gradients_of_the_consistency_loss_are_right():
    head = make_head().double()
    feats = [f.double() for f in make_feats(dtype=torch.float64)]
    samples = make_samples()

    def loss_of(weight):
        with torch.no_grad():
            head.side_convs[1].weight.copy_(torch.from_numpy(weight))
        return head.loss(feats, samples, (64, 96))['loss_gsc'].item()

    start = head.side_convs[1].weight.detach().clone().numpy()
    head.loss(feats, samples, (64, 96))['loss_gsc'].backward()
    got = head.side_convs[1].weight.grad.clone().numpy()
    want = oracle.numeric_gradient(loss_of, start)
    assert np.abs(want).max() > 1e-5
    np.testing.assert_allclose(got, want, atol=1e-7)


# --- invariants --------------------------------------------------------------------------------


def test_absent_classes_are_zero_and_batch_equals_singles():
    head, feats, samples = make_head(), make_feats(), make_samples()
    labels = labels_of(samples)
    together = head.maps(head(feats), labels)
    assert (together[:, 1:][labels == 0] == 0).all()
    assert (together[:, 1:].amax((2, 3))[labels == 1] > 0).any()
    for n in range(2):
        alone = head.maps(head([f[n : n + 1] for f in feats]), labels[n : n + 1])
        torch.testing.assert_close(together[n : n + 1], alone)


def test_mirror_in_mirror_out():
    head, feats, samples = make_head(), make_feats(), make_samples()
    labels = labels_of(samples)
    plain = head.maps(head(feats), labels)
    mirrored = head.maps(head([f.flip(-1) for f in feats]), labels)
    torch.testing.assert_close(mirrored.flip(-1), plain)


def test_mirrored_boxes_give_the_same_loss():
    head, feats = make_head(), make_feats()
    plain = head.loss(feats, make_samples(), (64, 96))
    mirrored = make_samples(boxes=((0, 0, 96, 64), (0, 0, 80, 48)))
    other = head.loss([f.flip(-1) for f in feats], mirrored, (64, 96))
    torch.testing.assert_close(other['loss_gsc'], plain['loss_gsc'])


def test_image_without_any_class_trains():
    head, feats = make_head(), make_feats()
    losses = head.loss(feats, make_samples(labels=((0, 0, 0), (0, 0, 0))), (64, 96))
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_dead_features_train():
    """Zero features everywhere: no seeds to speak of, no NaN."""
    head = make_head()
    feats = [torch.zeros_like(f).requires_grad_() for f in make_feats()]
    losses = head.loss(feats, make_samples(), (64, 96))
    sum(losses.values()).backward()
    for value in (*losses.values(), *(p.grad for p in head.parameters()), feats[3].grad):
        assert value.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_changes_little(dtype):
    head, feats, samples = make_head(), make_feats(), make_samples()
    want = head.loss(feats, samples, (64, 96))
    with torch.autocast('cpu', dtype=dtype):
        got = head.loss(feats, samples, (64, 96))
        maps = head.maps(head(feats), labels_of(samples))
    sum(got.values()).backward()
    for key in want:
        assert got[key].dtype == torch.float32
        assert got[key].item() == pytest.approx(want[key].item(), rel=0.05)
    assert maps.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_the_classification_loss_of_half_logits_is_computed_in_float32(dtype):
    head, labels = make_head(), labels_of(make_samples())
    outputs = {'cam_logits': torch.randn(2, K, 4, 6).to(dtype)}
    logits = head.class_logits(outputs).double().numpy()
    terms = labels.numpy() * np.log1p(np.exp(-logits))
    terms = terms + (1 - labels.numpy()) * np.log1p(np.exp(logits))
    got = head.classification_loss(outputs, labels)
    assert got.item() == pytest.approx(terms.mean(), rel=1e-6)


def test_channels_last_changes_nothing():
    head, feats, samples = make_head(), make_feats(), make_samples()
    want = head.loss(feats, samples, (64, 96))
    strided = [f.contiguous(memory_format=torch.channels_last) for f in feats]
    got = head.to(memory_format=torch.channels_last).loss(strided, samples, (64, 96))
    for key in want:
        torch.testing.assert_close(got[key], want[key])


# --- switches ----------------------------------------------------------------------------------


def test_cam_map_equals_cam_head():
    feats, labels = make_feats(), labels_of(make_samples())
    head = make_head(test_map='cam')
    cam = MODELS.build(dict(type='CAMHead', num_classes=K, in_channels=10))
    cam.load_state_dict(head.classifier.state_dict(prefix='classifier.'))
    assert not head.has_background
    assert set(head(feats)) == {'cam_logits'}
    torch.testing.assert_close(head.maps(head(feats), labels), cam.maps(cam(feats), labels))


def test_cam_with_estimated_background():
    head = make_head(test_map='cam', estimated_background=True)
    feats, labels = make_feats(), labels_of(make_samples())
    maps = head.maps(head(feats), labels)
    logits = head(feats)['cam_logits'].detach().double().numpy()
    for n in range(2):
        scores = oracle.peak_normalize(logits[n])
        np.testing.assert_allclose(maps[n, 0].detach(), 1 - scores.max(0), atol=1e-5)
        scores = scores * labels[n].numpy()[:, None, None]
        np.testing.assert_allclose(maps[n, 1:].detach(), scores, atol=1e-5)


def test_threshold_instead_of_estimated_background():
    feats, labels = make_feats(), labels_of(make_samples())
    estimated = make_head()
    threshold = make_head(estimated_background=False)
    assert not threshold.has_background
    got = threshold.maps(threshold(feats), labels)
    torch.testing.assert_close(got, estimated.maps(estimated(feats), labels)[:, 1:])


def test_no_background_modeling_gives_class_maps():
    feats, labels = make_feats(), labels_of(make_samples())
    head = make_head(background_modeling=False)
    assert not head.has_background
    want = make_head().maps(make_head()(feats), labels)[:, 1:]
    torch.testing.assert_close(head.maps(head(feats), labels), want)


@pytest.mark.parametrize('feature', ['semantic', 'hierarchical'])
@pytest.mark.parametrize('seed_feature', ['semantic', 'hierarchical'])
def test_feature_choices_give_different_maps(feature, seed_feature):
    feats, samples = make_feats(), make_samples()
    head = make_head(feature=feature, seed_feature=seed_feature, test_seed_feature=seed_feature)
    assert set(head(feats)) == {'cam_logits', feature, seed_feature}
    maps = head.maps(head(feats), labels_of(samples))
    assert maps.shape == (2, K + 1, 4, 6)
    if feature == 'semantic':
        other = make_head(test_seed_feature=seed_feature)
        assert not torch.allclose(maps, other.maps(other(feats), labels_of(samples)))


def test_class_logits_are_the_mean_of_the_map():
    head, feats = make_head(), make_feats()
    outputs = head(feats)
    want = outputs['cam_logits'].sum(dim=(2, 3)) / 24
    torch.testing.assert_close(head.class_logits(outputs), want)


def test_builds_from_the_registry():
    head = MODELS.build(dict(type='SIPEHead', num_classes=20))
    assert [tuple(c.weight.shape[:2]) for c in head.side_convs] == [
        (128, 256),
        (128, 512),
        (256, 1024),
        (256, 2048),
    ]
    assert head.classifier.weight.shape == (20, 2048, 1, 1)
    assert all(conv.bias is None for conv in (*head.side_convs, head.classifier))


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(feature='deep'), "feature must be one of .* got 'deep'"),
        (dict(seed_feature='deep'), 'seed_feature must be one of'),
        (dict(test_seed_feature='deep'), 'test_seed_feature must be one of'),
        (dict(test_map='is-cam'), 'test_map must be one of'),
        (dict(valid_cell='corner'), 'valid_cell must be one of'),
        (dict(test_absent_classes='drop'), 'test_absent_classes must be one of'),
        (dict(side_channels=(1, 2)), 'one entry per side convolution'),
        (dict(side_channels=(), side_in_channels=(), side_indices=()), 'one entry per side'),
        (dict(test_seed_fraction=0), r'test_seed_fraction must lie in \(0, 1\]'),
        (dict(bg_attenuation=1.5), r'bg_attenuation must lie in \[0, 1\]'),
        (dict(loss_weights=dict(clss=1.0)), "'cls' and 'gsc', but got .*clss"),
        (dict(loss_weights=dict(cls=-1.0)), 'non-negative'),
        (dict(background_modeling=False, estimated_background=True), 'needs background_modeling'),
        (dict(num_classes=0), 'num_classes'),
    ],
)
def test_wrong_settings_fail_when_built(settings, message):
    with pytest.raises(ValueError, match=message):
        make_head(**settings)


def test_missing_box_names_the_image():
    samples = make_samples()
    samples[1].set_metainfo(dict(valid_box=None))
    with pytest.raises(ValueError, match=r"image 'image1'.*valid_box"):
        make_head().loss(make_feats(), samples, (64, 96))


def test_missing_label_names_the_image():
    samples = make_samples()
    del samples[0].gt_label
    with pytest.raises(ValueError, match='image0'):
        make_head().loss(make_feats(), samples, (64, 96))

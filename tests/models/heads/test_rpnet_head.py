"""RPNetHead: losses and maps against the oracle, groups, dropping, switches, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmwsss  # noqa: F401  registers the models
from mmwsss.functional import foreground_probability, gaussian_smooth, region_prototype
from mmwsss.models.heads.rpnet_head import RPNetHead, drop_pixels
from tests.oracles import rpnet as oracle
from tests.oracles.sipe import numeric_gradient

CHANNELS = (4, 6, 8, 10)
K = 3
SIZE = (64, 96)


def make_head(**kwargs):
    torch.manual_seed(0)
    settings = dict(num_classes=K, in_channels=10, block_channels=(6, 10), proj_channels=5)
    return RPNetHead(**{**settings, **kwargs})


def make_feats(batch=4, seed=0, dtype=torch.float32):
    """Blocks at strides 4, 8, 16, 16 of a 64 x 96 image, all of them leaves with gradients."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [(16, 24), (8, 12), (4, 6), (4, 6)]
    feats = [
        torch.randn(batch, c, *s, generator=generator).to(dtype) for c, s in zip(CHANNELS, sizes)
    ]
    return [f.requires_grad_() for f in feats]


def make_samples(count=4, group_size=None, noise=True):
    """Samples whose first class is shared; every other image is padded on the right."""
    samples = []
    for number in range(count):
        box = (0, 0, 96, 64) if number % 2 == 0 else (0, 0, 64, 64)
        sample = SegDataSample(metainfo=dict(img_id=f'image{number}', valid_box=box))
        if group_size is not None:
            index = number // group_size
            sample.set_metainfo(dict(group_size=group_size, group_index=index, shared_class=0))
        if noise:
            sample.set_metainfo(dict(noise_seed=100 + number))
        sample.gt_label = torch.tensor([1.0, number % 2, 0.0])
        samples.append(sample)
    return samples


def total(losses):
    return sum(value for name, value in losses.items() if name.startswith('loss_'))


def inside(sample, size):
    """Cells whose centre lies in the sample's box."""
    right = sample.get('valid_box')[2]
    return (np.arange(size[1]) + 0.5) * SIZE[1] / size[1] < right


def oracle_regions(head, arrays, samples, kept):
    """Regions of each block and image: {block: [[mask (h, w), ...] of each image]}."""
    released = head.matching == 'same_block'
    regions = {k: [] for k in head.block_indices}
    for n in range(len(samples)):
        for number, k in enumerate(head.block_indices):
            source = head.in_index if released else k
            confidence = oracle.confidence_map(arrays[source][n], head.confidence_peak)
            mask = (confidence > head.confidence_threshold) * inside(samples[n], confidence.shape)
            own = [mask * 1.0]
            if kept is not None:
                dropped = mask * kept[0 if released else number][n, 0].numpy()
                own = [dropped, mask * 1.0] if released else [dropped]
            size = arrays[k].shape[2:]
            regions[k].append([oracle.resize_nearest(m, size) for m in own])
    return regions


def oracle_branches(head, feats, samples, g, kept=None):
    """Logits of both branches (N, K, h, w) in NumPy, densely, from the head's weights."""
    arrays = [f.detach().double().numpy() for f in feats]
    projected = {
        k: [
            oracle.project(
                image, c.weight.detach().double().numpy()[:, :, 0, 0], head.projection_peak
            )
            for image in arrays[k]
        ]
        for k, c in projections(head)
    }
    regions = oracle_regions(head, arrays, samples, kept)
    classifier = head.classifier.weight.detach().double().numpy()[:, :, 0, 0]
    plain, enhanced = [], []
    for n in range(len(samples)):
        group = range(n // g * g, n // g * g + g)
        prototypes = {
            k: [oracle.region_prototype(projected[k][m], r) for m in group for r in own[m]]
            for k, own in regions.items()
        }
        if head.matching == 'same_block':
            size = arrays[head.in_index].shape[2:]
            own = {k: projected[k][n] for k in head.block_indices}
            weight, padding = oracle.released_foreground(own, prototypes, size), 'zeros'
        else:
            pooled = np.stack([p for own in prototypes.values() for p in own])
            weight = oracle.foreground_probability(projected[head.in_index][n], pooled)
            padding = 'replicate'
        if head.sigma is not None:
            weight = oracle.gaussian_smooth(weight, head.sigma, head.kernel_size, padding)
        feature = arrays[head.in_index][n]
        plain.append(np.einsum('kc,cyx->kyx', classifier, feature))
        enhanced.append(np.einsum('kc,cyx->kyx', classifier, weight * feature))
    return np.stack(plain), np.stack(enhanced)


def projections(head):
    return [(int(name), conv) for name, conv in head.projections.items()]


def oracle_classification(maps, labels):
    logits = maps.mean((2, 3))
    terms = labels * np.log1p(np.exp(-logits)) + (1 - labels) * np.log1p(np.exp(logits))
    return terms.mean()


def labels_of(samples):
    return torch.stack([s.gt_label for s in samples])


# --- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize('g', [1, 2, 4])
@pytest.mark.parametrize(
    'settings',
    [
        {},
        dict(sigma=None),
        dict(confidence_peak='image'),
        dict(projection_peak='image'),
        dict(block_indices=(1, 2)),
        dict(matching='same_block'),
        dict(matching='same_block', sigma=None, block_indices=(1, 2)),
    ],
)
def test_losses_equal_the_oracle(g, settings):
    if 'block_indices' in settings:
        settings = dict(settings, block_channels=(6, 8))
    head, feats, samples = make_head(drop_prob=0.0, **settings), make_feats(), make_samples()
    samples = make_samples(group_size=g)
    losses = head.loss(feats, samples, SIZE)
    plain, enhanced = oracle_branches(head, feats, samples, g)
    labels = labels_of(samples).numpy()
    want = {
        'loss_cls': oracle_classification(plain, labels),
        'loss_cls_enhanced': oracle_classification(enhanced, labels),
        'loss_consistency': 10 * oracle.normalized_consistency(plain, enhanced[None], labels),
    }
    assert losses.keys() == {*want, 'foreground_std'}
    for name, value in want.items():
        assert losses[name].item() == pytest.approx(value, rel=2e-4), name


@pytest.mark.parametrize('matching', ['classified', 'same_block'])
def test_losses_with_dropping_equal_the_oracle(matching):
    head, feats, samples = make_head(matching=matching), make_feats(), make_samples(group_size=2)
    assert head.training
    blocks = [(8, 12), (4, 6)] if matching == 'classified' else [(4, 6)]
    kept = drop_pixels([torch.ones(4, 1, *size) for size in blocks], samples, 0.5)
    plain, enhanced = oracle_branches(head, feats, samples, 2, kept)
    labels = labels_of(samples).numpy()
    want = 10 * oracle.normalized_consistency(plain, enhanced[None], labels)
    got = head.loss(feats, samples, SIZE)['loss_consistency']
    assert got.item() == pytest.approx(want, rel=2e-4)


@pytest.mark.parametrize('matching', ['classified', 'same_block'])
def test_consistency_target_is_the_mean_of_the_scales(matching):
    """Of the normalised maps, resized to scale 1; the other scales have no gradient."""
    head, feats = make_head(matching=matching, drop_prob=0.0), make_feats()
    samples, labels = make_samples(group_size=2), labels_of(make_samples()).numpy()
    scaled = [
        [torch.nn.functional.interpolate(f.detach().flip(2), scale_factor=s) for f in feats]
        for s in (0.5, 2)
    ]
    plain, enhanced = oracle_branches(head, feats, samples, 2)
    targets = [enhanced]
    for other in scaled:
        maps = oracle_branches(head, other, samples, 2)[1]
        targets.append([[oracle.resize_bilinear(m, (4, 6)) for m in image] for image in maps])
    want = 10 * oracle.normalized_consistency(plain, np.stack(targets), labels)
    leaves = [[f.requires_grad_() for f in other] for other in scaled]
    got = head.loss(feats, samples, SIZE, leaves)['loss_consistency']
    assert got.item() == pytest.approx(want, rel=2e-4)
    got.backward()
    assert feats[3].grad.abs().sum() > 0
    assert all(f.grad is None for other in leaves for f in other)


def test_which_scales_the_loss_asks_for():
    assert make_head().loss_scales == (0.5, 1.5, 2.0)
    assert make_head(consistency_scales=(1.0,)).loss_scales == ()
    assert make_head(consistency='raw').loss_scales == ()


def test_raw_consistency_equals_the_oracle():
    head = make_head(consistency='raw', drop_prob=0.0, loss_weights=dict(consistency=1.0))
    feats, samples = make_feats(), make_samples(group_size=2)
    # The logits of a classifier that copies a channel are that channel of both branches.
    copies = []
    for channel in range(10):
        with torch.no_grad():
            head.classifier.weight.zero_()[0, channel] = 1
        copies.append([maps[:, 0] for maps in oracle_branches(head, feats, samples, 2)])
    plain, enhanced = (np.stack(maps, axis=1) for maps in zip(*copies))
    want = oracle.raw_consistency(plain, enhanced)
    assert head.loss(feats, samples, SIZE)['loss_consistency'].item() == pytest.approx(
        want, rel=1e-4
    )


@pytest.mark.parametrize('matching', ['classified', 'same_block'])
def test_gradients_of_the_consistency_loss_are_right(matching):
    head = make_head(drop_prob=0.0, matching=matching).double()
    feats, samples = make_feats(dtype=torch.float64), make_samples(group_size=2)
    weight = head.projections['1'].weight

    def loss_of(values):
        with torch.no_grad():
            weight.copy_(torch.from_numpy(values))
        return head.loss(feats, samples, SIZE)['loss_consistency'].item()

    start = weight.detach().clone().numpy()
    head.loss(feats, samples, SIZE)['loss_consistency'].backward()
    got = weight.grad.clone().numpy()
    want = numeric_gradient(loss_of, start)
    assert np.abs(want).max() > 1e-4
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize('peak', ['image', 'channel'])
def test_shortcuts_equal_the_plain_formulation(peak):
    """Division, projection before the mean, second classification, in torch: values and gradients."""

    def plain_weight(head, feats, masks):
        projected, dims = {}, (1, 2, 3) if peak == 'image' else (2, 3)
        for index, conv in projections(head):
            f = feats[index]
            projected[index] = conv((f / f.amax(dims, keepdim=True)).relu())
        own = [region_prototype(projected[i], m) for i, m in zip(head.block_indices, masks)]
        groups = torch.stack(own, 1).view(2, -1, 5).repeat_interleave(2, 0)
        return gaussian_smooth(foreground_probability(projected[3], groups))

    grads = []
    for plain in (True, False):
        head, feats = make_head(projection_peak=peak).double(), make_feats(dtype=torch.float64)
        masks = [(f.detach() > 0.2).any(1, keepdim=True).double() for f in (feats[1], feats[3])]
        if plain:
            enhanced = head.classifier(plain_weight(head, feats, masks) * feats[3])
        else:
            enhanced = head._foreground_weight(feats, masks, 2) * head.classifier(feats[3])
        enhanced.square().sum().backward()
        grads.append([enhanced.detach(), feats[1].grad, *(p.grad for p in head.parameters())])
    rtol, atol = (1e-6, 1e-9) if peak == 'image' else (1e-3, 1e-4)  # eps of the peak
    for a, b in zip(*grads):
        assert a.abs().max() > 1e-6
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


def test_one_peak_per_image_cancels_and_one_per_channel_does_not():
    feats, masks = make_feats(), [torch.ones(4, 1, 8, 12), torch.ones(4, 1, 4, 6)]
    by_image, by_channel = make_head(projection_peak='image'), make_head()
    scaled = [f * torch.linspace(1, 3, f.shape[1]).view(1, -1, 1, 1) for f in feats]
    weights = [
        h._foreground_weight(f, masks, 2) for h in (by_image, by_channel) for f in (feats, scaled)
    ]
    assert not torch.allclose(weights[0], weights[1], atol=1e-3)
    torch.testing.assert_close(weights[2], weights[3], atol=1e-4, rtol=0)


# --- groups ------------------------------------------------------------------------------------


@pytest.mark.parametrize('g', [1, 2, 3, 4])
@pytest.mark.parametrize('groups', [1, 3])
@pytest.mark.parametrize('matching', ['classified', 'same_block'])
def test_every_group_size_trains(g, groups, matching):
    head = make_head(matching=matching)
    feats, samples = make_feats(g * groups), make_samples(g * groups, group_size=g)
    losses = head.loss(feats, samples, SIZE)
    total(losses).backward()
    assert all(value.isfinite() for value in losses.values())
    # What is trainable gets a gradient: distributed training needs no search for unused parameters.
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
    assert feats[1].grad.abs().sum() > 0
    assert feats[0].grad is None


def test_an_image_sees_the_prototypes_of_its_group_only():
    head, feats, samples = make_head(), make_feats(), make_samples(group_size=2)

    def consistency(changed):
        values = [f.detach().clone() for f in feats]
        for f in values:
            f[changed] = f[changed].flip(1)  # other responses, other prototypes
        return head._branches(values, samples, SIZE)[0]

    before, partner, other = consistency([]), consistency([1]), consistency([2])
    assert not torch.allclose(partner[0], before[0])
    torch.testing.assert_close(other[:2], before[:2])


def test_group_size_comes_from_the_samples_or_the_config():
    feats = make_feats()
    by_samples = make_head().loss(feats, make_samples(group_size=2), SIZE)
    by_config = make_head(group_size=2).loss(feats, make_samples(), SIZE)
    alone = make_head().loss(feats, make_samples(), SIZE)
    assert by_samples['loss_consistency'] == by_config['loss_consistency']
    assert by_samples['loss_consistency'] != alone['loss_consistency']


def test_ranks_together_equal_one_process():
    """Each rank's share of the groups has the mean loss of the whole batch, dropping included."""
    head, feats, samples = make_head(), make_feats(), make_samples(group_size=2)
    torch.manual_seed(1)
    whole = head.loss(feats, samples, SIZE)
    torch.manual_seed(2)
    shares = [
        head.loss([f[start : start + 2] for f in feats], samples[start : start + 2], SIZE)
        for start in (0, 2)
    ]
    for name, value in whole.items():
        torch.testing.assert_close(value, (shares[0][name] + shares[1][name]) / 2)


def wrong_group(**meta):
    samples = make_samples(group_size=2)
    samples[1].set_metainfo(meta)
    return samples


@pytest.mark.parametrize(
    ('settings', 'samples', 'message'),
    [
        ({}, make_samples(3, group_size=2), r'whole groups of group_size=\[2\] images'),
        (dict(group_size=3), make_samples(4), r'whole groups of group_size=\[3\] images'),
        (
            dict(group_size=4),
            make_samples(4, group_size=2),
            r'group_size=\[2, 4\] images',
        ),
        ({}, wrong_group(group_size=4), r'group_size=\[2, 4\] images'),
        ({}, wrong_group(group_index=7), r'group_size=\[2\] .* groups \[0, 7, 1, 1\]'),
    ],
)
def test_broken_groups_are_refused(settings, samples, message):
    with pytest.raises(ValueError, match=message):
        make_head(**settings).loss(make_feats(len(samples)), samples, SIZE)


# --- dropping ----------------------------------------------------------------------------------


@pytest.mark.parametrize('prob', [0.1, 0.5, 0.9])
def test_share_of_dropped_pixels(prob):
    (kept,) = drop_pixels([torch.ones(4, 1, 60, 60)], make_samples(), prob)
    assert kept.mean().item() == pytest.approx(1 - prob, abs=0.02)
    assert set(kept.unique().tolist()) == {0.0, 1.0}


def test_draws_belong_to_the_sample():
    masks = [torch.ones(4, 1, 8, 12), torch.ones(4, 1, 4, 6)]
    samples = make_samples()
    first, again = drop_pixels(masks, samples, 0.5), drop_pixels(masks, samples, 0.5)
    turned = drop_pixels(masks, samples[::-1], 0.5)
    for a, b, c in zip(first, again, turned):
        assert torch.equal(a, b)
        assert torch.equal(a, c.flip(0))
        assert not torch.equal(a[0], a[1])


def test_without_noise_seed_the_global_generator_draws():
    masks, samples = [torch.ones(4, 1, 8, 12)], make_samples(noise=False)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(drop_pixels(masks, samples, 0.5)[0])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_dropping_is_for_training():
    feats, samples = make_feats(), make_samples()
    losses = [
        make_head(drop_prob=p).train(mode).loss(feats, samples, SIZE)['loss_consistency'].item()
        for p, mode in [(0.5, True), (0.5, False), (0.0, True)]
    ]
    assert losses[0] != losses[1] == losses[2]


def test_no_prototype_of_padding():
    head, feats, samples = make_head(drop_prob=0.0), make_feats(), make_samples()
    masks = head._training_masks(feats, samples, SIZE)
    assert [tuple(m.shape) for m in masks] == [(4, 1, 8, 12), (4, 1, 4, 6)]
    assert (masks[0][1, :, :, 8:] == 0).all()
    assert (masks[0][0, :, :, 8:] > 0).any()
    everywhere = make_head(drop_prob=0.0, skip_padding=False)
    assert (everywhere._training_masks(feats, samples, SIZE)[0][1, :, :, 8:] > 0).any()


def test_boxes_are_needed_only_to_skip_padding():
    samples = make_samples()
    samples[1].set_metainfo(dict(valid_box=None))
    make_head(skip_padding=False).loss(make_feats(), samples, SIZE)
    with pytest.raises(ValueError, match=r"image 'image1'.*valid_box"):
        make_head().loss(make_feats(), samples, SIZE)


# --- maps --------------------------------------------------------------------------------------


def test_plain_map_equals_cam_head():
    feats, labels, head = make_feats(), labels_of(make_samples()), make_head()
    cam = MODELS.build(dict(type='CAMHead', num_classes=K, in_channels=10))
    cam.load_state_dict(head.classifier.state_dict(prefix='classifier.'))
    assert not head.has_background
    assert set(head(feats)) == {'cam_logits'}
    torch.testing.assert_close(head.maps(head(feats), labels), cam.maps(cam(feats), labels))


def test_enhanced_map_equals_the_oracle():
    """Each image is a group of its own, whatever the training had, and nothing is dropped."""
    head, feats = make_head(test_map='enhanced', group_size=2).eval(), make_feats()
    samples = make_samples()
    for sample in samples:
        sample.set_metainfo(dict(valid_box=(0, 0, 96, 64)))
    _, enhanced = oracle_branches(head, feats, samples, 1)
    labels = labels_of(samples)
    want = np.maximum(enhanced, 0) * labels.numpy()[:, :, None, None]
    np.testing.assert_allclose(head.maps(head(feats), labels).detach(), want, atol=1e-4)


def test_both_maps_come_from_one_checkpoint():
    make_head(test_map='enhanced').load_state_dict(make_head().state_dict())


# --- the given foreground ----------------------------------------------------------------------


def test_detached_foreground_has_no_gradient():
    head, feats, samples = make_head(detach=True), make_feats(), make_samples(group_size=2)
    losses = head.loss(feats, samples, SIZE)
    free = make_head().loss(feats, samples, SIZE)
    for name, value in losses.items():
        torch.testing.assert_close(value, free[name])
    total(losses).backward()
    assert [f.grad is not None for f in feats] == [False, False, False, True]
    assert not any(p.requires_grad for p in head.projections.parameters())
    assert head.classifier.weight.grad.abs().sum() > 0
    assert set(head.state_dict()) == set(make_head().state_dict())


def test_spread_of_the_foreground_is_reported():
    head, feats, samples = make_head(drop_prob=0.0), make_feats(), make_samples(group_size=2)
    weight, _ = head._branches(feats, samples, SIZE)
    want = np.mean([weight[n].detach().numpy().std() for n in range(4)])
    got = head.loss(feats, samples, SIZE)['foreground_std']
    assert got.item() == pytest.approx(want, rel=1e-4)
    assert not got.requires_grad
    with torch.no_grad():  # every projected feature points in one direction
        for conv in head.projections.values():
            conv.weight.copy_(torch.ones(5, 1, 1, 1).expand_as(conv.weight))
    collapsed = head.loss([f.abs() for f in feats], samples, SIZE)
    assert collapsed['foreground_std'] < 1e-3
    assert collapsed['loss_consistency'] < 1e-5


# --- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize('blocks', [(3,), (0,), (0, 1, 2, 3), (3, 1), (0, 2)])
@pytest.mark.parametrize('matching', ['classified', 'same_block'])
def test_any_blocks(blocks, matching):
    channels = [CHANNELS[b] for b in blocks]
    head = make_head(block_indices=blocks, block_channels=channels, matching=matching)
    compared = {3} if matching == 'classified' else set()
    assert [int(name) for name in head.projections] == sorted({*compared, *blocks})
    losses = head.loss(make_feats(), make_samples(group_size=2), SIZE)
    total(losses).backward()
    assert all(p.grad is not None for p in head.parameters())


def test_loss_weights_scale_the_terms():
    feats, samples = make_feats(), make_samples(group_size=2)
    plain = make_head().loss(feats, samples, SIZE)
    weights = dict(cls=2.0, cls_enhanced=0.5, consistency=1.0)
    weighted = make_head(loss_weights=weights).loss(feats, samples, SIZE)
    torch.testing.assert_close(weighted['loss_cls'], 2 * plain['loss_cls'])
    torch.testing.assert_close(weighted['loss_cls_enhanced'], plain['loss_cls_enhanced'] / 2)
    torch.testing.assert_close(weighted['loss_consistency'], plain['loss_consistency'] / 10)


def test_defaults_are_the_papers():
    head = MODELS.build(dict(type='RPNetHead', num_classes=20))
    assert head.loss_weights == dict(cls=1.0, cls_enhanced=1.0, consistency=10.0)
    assert head.block_indices == (1, 3)
    assert (head.confidence_threshold, head.drop_prob) == (0.3, 0.5)
    assert (head.sigma, head.kernel_size, head.test_map) == (3.0, 5, 'plain')
    shapes = [tuple(conv.weight.shape[:2]) for conv in head.projections.values()]
    assert shapes == [(256, 512), (256, 2048)]


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_changes_little(dtype):
    head, feats, samples = make_head(), make_feats(), make_samples(group_size=2)
    want = head.loss(feats, samples, SIZE)
    with torch.autocast('cpu', dtype=dtype):
        got = head.loss(feats, samples, SIZE)
    total(got).backward()
    for name, value in want.items():
        assert got[name].dtype == torch.float32
        assert got[name].item() == pytest.approx(value.item(), rel=0.05)
    assert all(p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize('settings', [{}, dict(consistency='raw')])
def test_dead_features_and_unlabelled_images_train(settings):
    head = make_head(**settings)
    feats = [torch.zeros_like(f).requires_grad_() for f in make_feats()]
    samples = make_samples(group_size=2)
    for sample in samples:
        sample.gt_label = torch.zeros(K)
    losses = head.loss(feats, samples, SIZE)
    total(losses).backward()
    for value in (*losses.values(), *(p.grad for p in head.parameters()), feats[3].grad):
        assert value.isfinite().all()


def test_channels_last_changes_nothing():
    head, feats, samples = make_head(), make_feats(), make_samples(group_size=2)
    want = head.loss(feats, samples, SIZE)
    strided = [f.contiguous(memory_format=torch.channels_last) for f in feats]
    got = head.to(memory_format=torch.channels_last).loss(strided, samples, SIZE)
    for name, value in want.items():
        torch.testing.assert_close(got[name], value)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(block_indices=(1,)), 'each block once'),
        (dict(block_indices=(1, 1)), 'each block once'),
        (dict(block_indices=(), block_channels=()), 'each block once'),
        (dict(block_indices=(1, -1)), 'counted from 0'),
        (dict(in_index=-1), 'counted from 0'),
        (dict(block_channels=(6, 12)), r'in_channels=10, but got .*\(6, 12\)'),
        (dict(matching='all'), 'matching must be one of'),
        (dict(projection_peak='all'), 'projection_peak must be one of'),
        (dict(consistency_scales=(0.5, 1.0)), 'consistency_scales must be positive, 1 first'),
        (dict(consistency_scales=()), 'consistency_scales must be positive, 1 first'),
        (dict(consistency_scales=(1.0, 0.0)), 'consistency_scales must be positive, 1 first'),
        (dict(group_size=0), r'group_size must lie in \[1, inf\)'),
        (dict(confidence_threshold=1.1), r'confidence_threshold must lie in \[0, 1\]'),
        (dict(confidence_peak='all'), 'confidence_peak must be one of'),
        (dict(drop_prob=-0.1), r'drop_prob must lie in \[0, 1\]'),
        (dict(consistency='l2'), 'consistency must be one of'),
        (dict(test_map='best'), 'test_map must be one of'),
        (dict(loss_weights=dict(gsc=1.0)), "'consistency', but got .*gsc"),
        (dict(loss_weights=dict(cls=-1.0)), 'non-negative'),
    ],
)
def test_wrong_settings_fail_when_built(settings, message):
    with pytest.raises(ValueError, match=message):
        make_head(**settings)

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmwsss.functional.ia_miou import (
    InstanceRecords,
    ia_miou,
    ia_miou_from_records,
    instance_ious,
    instances_in_mask,
)
from tests.oracles.ia_miou import ia_miou_loop, instance_ious_loop

SCORES = ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L')


def random_boxes(rng, shape, count):
    """Boxes (rows, columns) of all sizes down to one pixel."""
    for _ in range(count):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        h, w = rng.integers(1, 8, size=2)
        yield slice(y, y + h), slice(x, x + w)


def random_scene(seed, shape=(24, 31), num_classes=4, form='map'):
    """A prediction, a ground truth and its instances, in one of three forms.

    Boxes are painted over each other, so objects touch, occlude and cut each other; the prediction is
    a disturbed ground truth plus false positives; a tenth of the images has no prediction at all.
    """
    rng = np.random.default_rng(seed)
    gt = np.zeros(shape, dtype=np.int64)
    instances = np.zeros(shape, dtype=np.int64)
    masks = []
    boxes = list(random_boxes(rng, shape, int(rng.integers(0, 61))))
    for i, box in enumerate(boxes, start=1):
        c = int(rng.integers(1, num_classes))
        gt[box], instances[box] = c, i
        mask = np.zeros(shape, dtype=bool)
        mask[box] = True
        masks.append((mask, c))
    pred = np.roll(gt, tuple(rng.integers(-1, 2, size=2)), axis=(0, 1))
    for box in random_boxes(rng, shape, int(rng.integers(0, 12))):
        pred[box] = rng.integers(0, num_classes)
    if rng.random() < 0.1:
        pred[:] = 0
    if rng.random() < 0.2:
        pred[rng.random(shape) < 0.05] = 255
    for box in random_boxes(rng, shape, int(rng.integers(0, 5))):
        gt[box] = 255
        if rng.random() < 0.5:
            instances[box] = 255
    given = {'map': instances, 'masks': masks, 'none': None}[form]
    return pred, gt, given


def same_records(got, expected):
    rows = sorted(zip(got.classes.tolist(), got.areas.tolist(), got.ious.tolist()))
    assert [row[:2] for row in rows] == [row[:2] for row in sorted(expected)]
    for row, wanted in zip(rows, sorted(expected)):
        assert row[2] == pytest.approx(wanted[2], abs=1e-9)


@pytest.mark.parametrize('form', ['map', 'masks', 'none'])
@pytest.mark.parametrize('block', range(10))
def test_records_equal_plain_loop(form, block):
    seen = 0
    for seed in range(block * 12, block * 12 + 12):
        pred, gt, given = random_scene(seed, form=form)
        expected = instance_ious_loop(pred, gt, given, num_classes=4)
        same_records(instance_ious(pred, gt, given, num_classes=4), expected)
        seen += len(expected)
    assert seen > 100


@pytest.mark.parametrize('include_background', [False, True])
@pytest.mark.parametrize('form', ['map', 'masks', 'none'])
def test_scores_equal_plain_loop(form, include_background):
    scenes = [random_scene(seed, (40, 45), form=form) for seed in range(300, 308)]
    rng = np.random.default_rng(0)
    big = np.zeros((160, 130), dtype=np.int64)
    big[:100, :100], big[105:, :50], big[110:140, 60:80] = 1, 2, 3
    noisy = np.where(rng.random(big.shape) < 0.3, 0, big)
    given = None if form == 'none' else instances_in_mask(big)
    if form == 'masks':
        given = [(given == i, int(big[given == i][0])) for i in range(1, given.max() + 1)]
    scenes.append((noisy, big, given))
    preds, gts, instances = zip(*scenes)
    arguments = preds, gts, None if form == 'none' else instances, 4, 255
    got = ia_miou(*arguments, include_background=include_background)
    expected = ia_miou_loop(*arguments, include_background)
    for key in SCORES:
        assert not math.isnan(expected[key])
        assert got[key] == pytest.approx(expected[key], abs=1e-9)
    np.testing.assert_allclose(got['per_class'], expected['per_class'], atol=1e-9)


def two_objects():
    """A 40 x 40 object (medium) and a 10 x 10 one (small) of class 1, and their instance map."""
    gt = np.zeros((100, 100), dtype=np.int64)
    gt[10:50, 10:50], gt[70:80, 70:80] = 1, 1
    return gt, instances_in_mask(gt)


def test_perfect_prediction_scores_one():
    gt, instances = two_objects()
    for given in (None, [instances]):
        scores = ia_miou([gt], [gt], given, num_classes=2)
        assert scores['IA-mIoU'] == scores['IA_S'] == scores['IA_M'] == 1.0
        assert math.isnan(scores['IA_L'])
        assert scores['num_instances'] == {'all': 2, 'S': 1, 'M': 1, 'L': 0}


def test_perfect_prediction_of_overlapping_masks_scores_one():
    first, second = np.zeros((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    first[2:12, 2:12], second[8:18, 8:18] = True, True
    gt = (first | second).astype(np.int64)
    records = instance_ious(gt, gt, [(first, 1), (second, 1)], num_classes=2)
    assert records.ious.tolist() == [1.0, 1.0]
    assert records.areas.tolist() == [100, 100]


def test_overlapping_masks_by_hand():
    first, second = np.zeros((6, 10), dtype=bool), np.zeros((6, 10), dtype=bool)
    first[1, 1:5], second[1, 3:9] = True, True  # 4 and 6 pixels, 2 of them common
    gt = (first | second).astype(np.int64)
    pred = np.zeros_like(gt)
    pred[0:2, 2:5] = 1  # 6 pixels: 3 of the first, 2 of the second, the upper 3 on nobody
    records = instance_ious(pred, gt, [(first, 1), (second, 1)], num_classes=2)
    assert records.ious == pytest.approx([3 / (4 + 3 * 3 / 5), 2 / (6 + 3 * 2 / 5)])


def test_occluded_instance_keeps_its_mask():
    back, front = np.zeros((10, 10), dtype=bool), np.zeros((10, 10), dtype=bool)
    back[2:8, 2:8], front[5:8, 2:8] = True, True
    gt = np.where(front, 2, np.where(back, 1, 0))
    records = instance_ious(gt, gt, [(back, 1), (front, 2)], num_classes=3)
    assert records.areas.tolist() == [36, 18]
    assert records.ious == pytest.approx([0.5, 1.0])


def test_empty_prediction_scores_zero():
    gt, _ = two_objects()
    scores = ia_miou([np.zeros_like(gt)], [gt], num_classes=2)
    assert [scores[key] for key in SCORES[:3]] == [0.0, 0.0, 0.0]


def test_one_blob_over_two_instances_is_shared_in_proportion():
    gt = np.zeros((4, 20), dtype=np.int64)
    gt[1:3, 1:5], gt[1:3, 9:17] = 1, 1  # 8 and 16 pixels
    pred = np.zeros_like(gt)
    pred[1:3, 3:15] = 1  # 24 pixels: 4 + 12 inside, 8 between them
    records = instance_ious(pred, gt, num_classes=2)
    assert records.ious == pytest.approx([4 / (8 + 8 * 4 / 16), 12 / (16 + 8 * 12 / 16)])


def test_component_touching_by_one_pixel_belongs_to_the_instance():
    gt = np.zeros((10, 10), dtype=np.int64)
    gt[0:3, 0:3] = 1
    pred = np.zeros_like(gt)
    pred[2:7, 2:7] = 1  # one of its 25 pixels lies on the instance
    assert instance_ious(pred, gt, num_classes=2).ious == pytest.approx([1 / (9 + 24)])
    pred[2, 2] = 0  # a touch by a corner is no overlap
    assert instance_ious(pred, gt, num_classes=2).ious.tolist() == [0.0]


def test_components_are_eight_connected():
    gt = np.zeros((10, 10), dtype=np.int64)
    gt[0:3, 0:3] = 1
    pred = np.zeros_like(gt)
    pred[0:3, 0:3], pred[3:5, 3:5] = 1, 1  # joined by a corner
    assert instance_ious(pred, gt, num_classes=2).ious == pytest.approx([9 / 13])


def test_background_is_one_more_class_scored_per_image():
    gt, instances = two_objects()
    gt[0] = 255
    pred = np.where(instances == 2, 0, gt)  # 100 of its pixels are predicted to be background
    pred[90:, :10], pred[0], pred[1] = 2, 1, 255  # false positives, ignored, undecided
    background = (gt == 0).sum()
    arguments = [pred, np.zeros_like(gt)], [gt, np.ones_like(gt)], None, 3
    without, scores = (ia_miou(*arguments, include_background=b) for b in (False, True))
    iou = (background - 100 - 100) / (background + 100)
    assert scores['per_class'][0] == pytest.approx(iou)  # the second image has no background
    assert scores['IA-mIoU'] == pytest.approx((iou + without['per_class'][1]) / 2)
    assert math.isnan(without['per_class'][0])
    assert scores['num_per_class'].tolist() == [1, 3, 0]
    assert scores['num_instances'] == without['num_instances']
    for key in ('IA_S', 'IA_M', 'IA_L'):
        assert scores[key] == without[key]
    records = instance_ious(pred, gt, instances, 3, include_background=True)
    assert (records.classes[-1], records.areas[-1]) == (0, background)


def test_false_positives_change_nothing():
    gt, instances = two_objects()
    pred = gt.copy()
    pred[10:20, 80:95] = 1  # same class, on no instance
    before = ia_miou([gt], [gt], [instances], num_classes=3)
    pred[60:65, 10:30] = 2  # a class that is nowhere
    after = ia_miou([pred], [gt], [instances], num_classes=3)
    assert [after[key] for key in SCORES[:3]] == [before[key] for key in SCORES[:3]]
    assert math.isnan(after['per_class'][2])


def test_prediction_of_another_class_lowers_only_by_what_it_covers():
    gt, instances = two_objects()
    pred = gt.copy()
    pred[70:75, 70:80] = 2
    records = instance_ious(pred, gt, instances, num_classes=3)
    assert records.ious == pytest.approx([1.0, 0.5])


def test_ignored_pixels_are_removed_first():
    gt, instances = two_objects()
    pred = gt.copy()
    pred[50:60, 10:50] = 1  # too long, but there gt is ignored
    gt[50:60] = 255
    assert instance_ious(pred, gt, instances, num_classes=2).ious == pytest.approx([1.0, 1.0])
    with_void = np.where(gt == 255, 255, instances)
    assert instance_ious(pred, gt, with_void, num_classes=2).ious == pytest.approx([1.0, 1.0])


def test_ignored_pixels_cut_a_component():
    gt = np.zeros((5, 12), dtype=np.int64)
    gt[:, :4] = 1
    pred = np.ones_like(gt)
    gt[:, 4] = 255
    assert instance_ious(pred, gt, num_classes=2).ious.tolist() == [1.0]


def test_instance_cut_by_ignore_is_one_with_a_map_and_two_without():
    gt = np.zeros((6, 11), dtype=np.int64)
    gt[1:5, 1:10] = 1
    instances = gt.copy()
    gt[:, 5] = 255
    pred = np.zeros_like(gt)
    pred[1:5, 1:5] = 1
    with_map = instance_ious(pred, gt, instances, num_classes=2)
    assert with_map.areas.tolist() == [32]
    assert with_map.ious == pytest.approx([0.5])
    without = instance_ious(pred, gt, num_classes=2)
    assert without.areas.tolist() == [16, 16]
    assert sorted(without.ious.tolist()) == [0.0, 1.0]


def test_ignored_instance_is_dropped():
    gt, instances = two_objects()
    gt[instances == 2] = 255
    assert instance_ious(gt, gt, instances, num_classes=2).areas.tolist() == [1600]


def test_absent_classes_are_nan_and_left_out():
    gt, instances = two_objects()
    gt[instances == 2] = 3
    pred = np.where(gt == 3, 0, gt)
    scores = ia_miou([pred], [gt], [instances], num_classes=5)
    np.testing.assert_array_equal(scores['per_class'], [np.nan, 1.0, np.nan, 0.0, np.nan])
    assert scores['IA-mIoU'] == 0.5
    assert scores['num_per_class'].tolist() == [0, 1, 0, 1, 0]


def test_no_instances_at_all():
    empty = np.zeros((5, 5), dtype=np.int64)
    for given in (None, [empty], [[]]):
        scores = ia_miou([empty + 1], [empty], given, num_classes=3)
        assert all(math.isnan(scores[key]) for key in SCORES)
        assert scores['num_instances']['all'] == 0
    assert math.isnan(ia_miou([], [], num_classes=3)['IA-mIoU'])


@pytest.mark.parametrize(
    ('area', 'size'), [(1, 'S'), (1023, 'S'), (1024, 'M'), (9215, 'M'), (9216, 'L')]
)
def test_size_bounds(area, size):
    scores = ia_miou_from_records(
        InstanceRecords(np.array([1]), np.array([area]), np.array([0.25])), num_classes=2
    )
    assert scores[f'IA_{size}'] == 0.25
    assert scores['num_instances'][size] == scores['num_instances']['all'] == 1


def test_means_within_class_over_the_data_set_then_over_classes():
    records = [
        InstanceRecords(np.array([1, 1]), np.array([5, 2000]), np.array([0.2, 1.0])),
        InstanceRecords(np.array([1, 2]), np.array([7, 9]), np.array([0.0, 0.9])),
    ]
    scores = ia_miou_from_records(records, num_classes=3)
    assert scores['IA-mIoU'] == pytest.approx((0.4 + 0.9) / 2)
    assert scores['IA_S'] == pytest.approx((0.1 + 0.9) / 2)
    assert scores['IA_M'] == 1.0
    np.testing.assert_allclose(scores['per_class_S'], [np.nan, 0.1, 0.9])


def test_figure_4_growing_on_the_small_object_moves_ia_miou_linearly():
    gt = np.zeros((200, 200), dtype=np.int64)
    gt[:120, :150], gt[150:170, 150:170] = 1, 1  # 18000 and 400 pixels
    ia, miou = [], []
    for rows in range(0, 21, 5):
        pred = gt.copy()
        pred[150 + rows : 170] = 0
        ia.append(ia_miou([pred], [gt], num_classes=2)['IA-mIoU'])
        miou.append((pred & gt).sum() / (pred | gt).sum())
    assert ia == pytest.approx([0.5, 0.625, 0.75, 0.875, 1.0])
    assert max(miou) - min(miou) < 0.025


def test_generators_are_read_one_image_at_a_time():
    alive = []

    def images():
        for _ in range(3):
            alive.append(1)
            yield np.eye(6, dtype=np.int64)

    def truths():
        for n, image in enumerate(images()):
            assert len(alive) <= 2 * n + 2
            yield image

    scores = ia_miou(images(), truths(), num_classes=2)
    assert scores['IA-mIoU'] == 1
    assert scores['num_instances']['all'] == 3


@pytest.mark.parametrize('seed', range(5))
def test_invariances(seed):
    scenes = [random_scene(100 * seed + i) for i in range(6)]
    preds, gts, instances = zip(*scenes)
    scores = ia_miou(preds, gts, instances, num_classes=4)
    backwards = ia_miou(preds[::-1], gts[::-1], instances[::-1], num_classes=4)
    parts = [instance_ious(*scene, num_classes=4) for scene in scenes]
    merged = ia_miou_from_records(parts[1::2] + parts[0::2], num_classes=4)
    rng = np.random.default_rng(seed)
    names = np.concatenate([[0], rng.permutation(np.arange(300, 361))])
    renamed = [np.where(i == 255, 255, names[np.where(i == 255, 0, i)]) for i in instances]
    relabelled = ia_miou(preds, gts, renamed, num_classes=4)
    wide = [np.where(i == 255, 255, i * 100_000) for i in instances]
    far_apart = ia_miou(preds, gts, wide, num_classes=4)
    flipped = ia_miou(*([x[::-1, ::-1] for x in y] for y in (preds, gts, instances)), num_classes=4)
    for other in (backwards, merged):
        assert [other[key] for key in SCORES[:2]] == [scores[key] for key in SCORES[:2]]
    for other in (relabelled, far_apart, flipped):
        assert [other[key] for key in SCORES[:2]] == pytest.approx(
            [scores[key] for key in SCORES[:2]], abs=1e-12
        )


def test_masks_equal_map_when_nothing_overlaps():
    pred, gt, instances = random_scene(7)
    instances = np.where(gt == 255, 0, instances)
    masks = [
        (instances == i, int(gt[instances == i][0])) for i in np.unique(instances) if i not in (0,)
    ]
    gt_map = instance_ious(pred, gt, np.where(gt == 255, 255, instances), num_classes=4)
    gt_masks = instance_ious(pred, gt, masks, num_classes=4)
    assert len(gt_map.ious) > 5
    for a, b in zip(gt_map, gt_masks):
        np.testing.assert_array_equal(a, b)


def test_takes_tensors_and_small_types_and_leaves_arguments_alone():
    pred, gt, instances = random_scene(3)
    expected = instance_ious(pred, gt, instances, num_classes=4)
    copies = [x.astype(np.uint8) for x in (pred, gt, instances)]
    tensors = [torch.from_numpy(x.copy()) for x in copies]
    for arguments in (copies, tensors, [pred, gt, instances]):
        got = instance_ious(*arguments, num_classes=4)
        np.testing.assert_array_equal(got.ious, expected.ious)
    for changed, original in zip((pred, gt, instances), copies):
        np.testing.assert_array_equal(changed, original)


def test_class_ids_beyond_the_type_of_the_prediction_are_no_hit():
    gt, pred = np.full((4, 4), 257, np.uint16), np.ones((4, 4), np.uint8)
    records = instance_ious(pred, gt, num_classes=300)
    assert (records.classes.tolist(), records.ious.tolist()) == ([257], [0.0])


def test_contradictions_are_refused():
    gt, instances = two_objects()
    two_classes = gt.copy()
    two_classes[10:12, 10:50] = 2  # 80 of 1600 pixels
    with pytest.raises(ValueError, match=r'image 0: .*instance 1 .*\{1: 1520, 2: 80\}'):
        ia_miou([gt], [two_classes], [instances], num_classes=3)
    on_background = np.where(instances == 2, 0, gt)
    with pytest.raises(ValueError, match='instance 2 must lie on one foreground class'):
        instance_ious(gt, on_background, instances, num_classes=3)
    with pytest.raises(ValueError, match=r'without any instance, .*\{1: 1700\}'):
        instance_ious(gt, gt, np.zeros_like(gt), num_classes=3)
    with pytest.raises(ValueError, match=r'without any instance, .*\{1: 1700\}'):
        instance_ious(gt, gt, [], num_classes=3)
    with pytest.raises(ValueError, match='instance 0 of class 2 has 1600 of 1600 pixels'):
        instance_ious(gt, gt, [(instances == 1, 2)], num_classes=3)
    masks = [(instances == 1, 1), (instances == 2, 1)]
    with pytest.raises(ValueError, match='instance 1 of class 1 has 100 of 100 pixels'):
        instance_ious(gt, on_background, masks, num_classes=3)


def test_tolerance_is_a_share_of_the_instance():
    gt, instances = two_objects()
    gt[10:12, 10:50] = 0  # 80 of 1600 pixels = 0.05
    masks = [(instances == 1, 1), (instances == 2, 1)]
    for given in (instances, masks):
        records = instance_ious(gt, gt, given, num_classes=2, tolerance=0.05)
        assert records.ious == pytest.approx([0.95, 1.0])
        with pytest.raises(ValueError, match='contradict each other'):
            instance_ious(gt, gt, given, num_classes=2, tolerance=0.0499)


def test_single_pixels_on_no_instance_are_allowed():
    gt, instances = two_objects()
    gt[50, 10:50] = 1  # a row of class 1 below the first object that no instance claims
    records = instance_ious(gt, gt, instances, num_classes=2)
    assert records.ious == pytest.approx([1600 / 1640, 1.0])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(pred=np.zeros((4, 5), int)), r'pred must be \(4, 4\), but got shape \(4, 5\)'),
        (dict(pred=np.full((4, 4), 7)), r'pred must hold class ids 0\.\.2 .* but holds \[7\]'),
        (dict(gt=np.full((4, 4), -1)), r'gt must hold class ids 0\.\.2 .* but holds \[-1\]'),
        (dict(gt=np.zeros((1, 4, 4), int)), r'gt must be \(H, W\), but got shape \(1, 4, 4\)'),
        (dict(instances=np.zeros((4, 5), int)), r'instances must be \(4, 4\), but'),
        (
            dict(instances=[(np.zeros((3, 4), bool), 1)]),
            r'instance 0 must be a mask \(4, 4\) .* a mask \(3, 4\)',
        ),
        (dict(instances=[(np.zeros((4, 4), bool), 3)]), r'a class in 1\.\.2, but .* class 3'),
        (dict(instances=[(np.zeros((4, 4), bool), 0)]), r'a class in 1\.\.2, but .* class 0'),
        (dict(tolerance=1.1), r'tolerance must lie in \[0, 1\], but got 1.1'),
        (dict(tolerance=-0.1), 'but got -0.1'),
    ],
)
def test_malformed_arguments(change, message):
    arguments = dict(pred=np.zeros((4, 4), int), gt=np.zeros((4, 4), int), num_classes=3)
    with pytest.raises(ValueError, match=message):
        instance_ious(**{**arguments, **change})


def test_wrong_types_and_lengths():
    with pytest.raises(TypeError, match='pred must hold integers, but holds float64'):
        instance_ious(np.zeros((4, 4)), np.zeros((4, 4), int))
    with pytest.raises(ValueError, match='one of them ends after 1'):
        ia_miou([np.zeros((2, 2), int)], [np.zeros((2, 2), int)] * 2)

"""Functions that take arrays take what a person has in hand, and leave it as it is."""

import numpy as np
import pytest
import torch

from mmwsss import functional as F
from mmwsss.io import ClassMaps, load_mask, save_mask

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (9, 12, 3)).astype(np.uint8)
LABELS = np.repeat(np.repeat(RNG.integers(0, 3, (3, 4)), 3, 0), 3, 1)
PROBS = RNG.random((3, 9, 12)).astype(np.float32)
PREDICTED = np.roll(LABELS, 1, axis=1)
COUNTS = np.array([[1, 0, 0], [0, 1, 0], [1, 2, 0]])


def frozen(array):
    """What ``np.asarray`` of a PIL image is: read-only."""
    array = array.copy()
    array.setflags(write=False)
    return array


def strided(array):
    """Every second element of a larger array."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def channels_last(array):
    """The same shape and values, with the first axis the fastest in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)


def big_endian(array):
    """As some files store numbers."""
    return array.astype(array.dtype.newbyteorder('>'))


KINDS = {
    'read-only': frozen,
    'list': lambda array: array.tolist(),
    'non-contiguous': strided,
    'channels-last': channels_last,
    'mirrored': lambda array: np.ascontiguousarray(array[..., ::-1])[..., ::-1],
    'big-endian': big_endian,
    'torch': lambda array: torch.from_numpy(array.copy()),
}
LABEL_KINDS = {
    **KINDS,
    'uint8': lambda array: array.astype(np.uint8),
    'int32': lambda array: array.astype(np.int32),
    'uint16': lambda array: array.astype(np.uint16),
    'uint64': lambda array: array.astype(np.uint64),
    'read-only uint8': lambda array: frozen(array.astype(np.uint8)),
}
PROB_KINDS = {**KINDS, 'float64': lambda array: array.astype(np.float64)}


def save_and_load(labels, path):
    save_mask(path, labels)
    return load_mask(path)


ON_LABELS = {
    'dense_crf_labels': lambda x: F.dense_crf_labels(PHOTO, x, 3),
    'confusion_counts(gt)': lambda x: F.confusion_counts(LABELS, x, 3),
    'confusion_counts(pred)': lambda x: F.confusion_counts(x, LABELS, 3),
    'threshold_counts': lambda x: F.threshold_counts(PROBS[1:], [1, 2], x, [0.2, 0.5], 3).intersect,
    'instance_ious(gt)': lambda x: F.instance_ious(LABELS, x, num_classes=3).ious,
    'instance_ious(pred)': lambda x: F.instance_ious(x, LABELS, num_classes=3).ious,
    'ia_miou(gt)': lambda x: F.ia_miou([PREDICTED], [x], num_classes=3)['IA-mIoU'],
    'ia_miou(pred)': lambda x: F.ia_miou([x], [PREDICTED], num_classes=3)['IA-mIoU'],
    'instances_in_mask': lambda x: F.instances_in_mask(x),
    'sample_pixels': lambda x: F.sample_pixels(x, 20),
    'select_seed_pixels': lambda x: F.select_seed_pixels(PROBS, x),
    'fit_pixel_svm': lambda x: F.fit_pixel_svm(PROBS, x, 20).predict(PROBS),
    'svm_expand': lambda x: F.svm_expand(PROBS, x, 20),
}
ON_PROBS = {
    'dense_crf': lambda x: F.dense_crf(PHOTO, x),
    'confident_labels': lambda x: F.confident_labels(PHOTO, x, [1, 2, 3]),
    'confident_labels_threshold_free': lambda x: F.confident_labels_threshold_free(
        PHOTO, x, [1, 2]
    ),
    'threshold_counts': lambda x: F.threshold_counts(x, [0, 1, 2], LABELS, [0.2], 3).intersect,
    'select_seed_pixels': lambda x: F.select_seed_pixels(x, LABELS),
    'fit_pixel_svm': lambda x: F.fit_pixel_svm(x, LABELS, 20).predict(PROBS),
    'PixelSVM.predict': lambda x: F.fit_pixel_svm(PROBS, LABELS, 20).predict(x),
    'svm_expand': lambda x: F.svm_expand(x, LABELS, 20),
    'ClassMaps': lambda x: ClassMaps([0, 1, 2], x, (9, 12)).full_size_scores(),
}
ON_PHOTO = {
    'dense_crf': lambda x: F.dense_crf(x, PROBS),
    'dense_crf_labels': lambda x: F.dense_crf_labels(x, LABELS, 3),
    'confident_labels': lambda x: F.confident_labels(x, PROBS, [1, 2, 3]),
    'confident_labels_threshold_free': lambda x: F.confident_labels_threshold_free(
        x, PROBS, [1, 2]
    ),
}
ON_COUNTS = {
    'iou_from_areas(intersect)': lambda x: F.iou_from_areas(x, COUNTS + 2, COUNTS + 1),
    'iou_from_areas(pred)': lambda x: F.iou_from_areas(COUNTS, x, COUNTS + 1),
    'iou_from_areas(gt)': lambda x: F.iou_from_areas(COUNTS, COUNTS + 1, x),
    'iou_from_counts': lambda x: F.iou_from_counts(x),
    'mean_iou': lambda x: F.mean_iou(x),
    'balanced_subset': lambda x: F.balanced_subset(x, 1, 2),
}


def cases(functions, kinds):
    return [(f, k) for f in functions for k in kinds]


def same(got, wanted):
    assert not torch.is_tensor(got) or not got.requires_grad
    np.testing.assert_array_equal(np.asarray(got), np.asarray(wanted))


def check(function, kind, example):
    given = kind(example)
    before = np.array(given)
    same(function(given), function(example))
    np.testing.assert_array_equal(np.array(given), before)


@pytest.mark.parametrize(('name', 'kind'), cases(ON_LABELS, LABEL_KINDS))
def test_labels(name, kind):
    check(ON_LABELS[name], LABEL_KINDS[kind], LABELS)


@pytest.mark.parametrize('kind', LABEL_KINDS)
def test_size_weights(kind):
    check(lambda x: F.size_weights(x, tau=5), LABEL_KINDS[kind], np.stack([LABELS, LABELS[::-1]]))


@pytest.mark.parametrize(('name', 'kind'), cases(ON_PROBS, PROB_KINDS))
def test_probabilities(name, kind):
    check(ON_PROBS[name], PROB_KINDS[kind], PROBS)


@pytest.mark.parametrize(('name', 'kind'), cases(ON_PHOTO, [k for k in KINDS if k != 'list']))
def test_photos(name, kind):
    check(ON_PHOTO[name], KINDS[kind], PHOTO)


@pytest.mark.parametrize('kind', LABEL_KINDS)
def test_mask_files(tmp_path, kind):
    check(lambda x: save_and_load(x, tmp_path / 'a.png'), LABEL_KINDS[kind], LABELS)


@pytest.mark.parametrize(('name', 'kind'), cases(ON_COUNTS, KINDS))
def test_counts(name, kind):
    check(ON_COUNTS[name], KINDS[kind], COUNTS)

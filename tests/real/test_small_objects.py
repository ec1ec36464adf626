"""IA-mIoU and PASCAL-B on real instance maps and annotations, where they are there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mmwsss.datasets.pascal_b_builder import (
    CLASSES,
    count_objects,
    list_candidates,
    read_category_table,
    read_source,
    render,
)
from mmwsss.evaluation.folder import MeanIoUScore, score_masks
from mmwsss.evaluation.instance_score import InstanceScore, read_category_map
from mmwsss.functional.ia_miou import ia_miou, instance_ious
from mmwsss.functional.polygons import segmentation_to_mask
from mmwsss.io import load_mask, save_mask
from tests.oracles.ia_miou import instance_ious_loop

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get('MMWSSS_DATA', ROOT.parent / 'shared' / 'data')) / 'coco_mini'

pytestmark = pytest.mark.skipif(
    not (DATA / 'voc20').is_dir(), reason=f'real images are not there: {DATA} (MMWSSS_DATA)'
)


def disturbed(gt, seed):
    """A prediction: the mask moved, with blocks of other classes in it."""
    rng = np.random.default_rng(seed)
    pred = np.roll(np.where(gt == 255, 0, gt), rng.integers(-9, 10, size=2), axis=(0, 1))
    for _ in range(12):
        y, x = rng.integers(0, gt.shape[0]), rng.integers(0, gt.shape[1])
        h, w = rng.integers(1, 60, size=2)
        pred[y : y + h, x : x + w] = rng.choice(np.unique(pred))
    return pred


@pytest.fixture(scope='module')
def voc20():
    """Predictions, masks and instance maps of all 155 images."""
    found = []
    for seed, path in enumerate(sorted((DATA / 'voc20/SegmentationClass').glob('*.png'))):
        gt = load_mask(path)
        instances = load_mask(DATA / 'voc20/SegmentationObject' / path.name)
        found.append((disturbed(gt, seed), gt, instances))
    assert len(found) == 155
    return found


def shrunk(array, step=4):
    return np.ascontiguousarray(array[::step, ::step])


def test_equals_the_plain_loop_on_real_instances(voc20):
    seen = 0
    for scene in voc20[::5]:
        scene = [shrunk(array) for array in scene]
        for given in (scene[2], None):
            expected = sorted(instance_ious_loop(scene[0], scene[1], given))
            got = instance_ious(scene[0], scene[1], given)
            rows = sorted(zip(*(column.tolist() for column in got)))
            np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-9)
            seen += len(expected)
    assert seen > 200


def test_scores_of_the_whole_set(voc20):
    preds, gts, instances = zip(*voc20)
    perfect = ia_miou(gts, gts, instances)
    scores = ia_miou(preds, gts, instances)
    backwards = ia_miou(preds[::-1], gts[::-1], instances[::-1])
    assert perfect['IA-mIoU'] > 0.9  # touching objects of one class share a component
    assert 0.2 < scores['IA-mIoU'] < 0.9
    assert scores['IA_S'] < scores['IA_M'] < scores['IA_L']
    assert scores['num_instances']['all'] == 761
    for key in ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L'):
        assert backwards[key] == scores[key]


def test_masks_have_the_areas_that_coco_states():
    files = [DATA / f'annotations/instances_{split}2017.json' for split in ('train', 'val')]
    source = read_source(files, 'coco', read_category_table())
    differences = []
    for name, image in source.images.items():
        for annotation in source.annotations.get(name, ()):
            if annotation['iscrowd']:  # what is stated there is not the area of the run lengths
                continue
            mask = segmentation_to_mask(
                annotation['segmentation'], (image['height'], image['width'])
            )
            difference = abs(int(mask.sum()) - annotation['area'])
            assert difference <= 0.05 * annotation['area'] + 30, annotation['id']
            differences.append(difference / annotation['area'])
    assert len(differences) > 300
    assert np.median(differences) < 0.01


def test_rendered_sets_are_consistent():
    files = [DATA / f'annotations/instances_{split}2017.json' for split in ('train', 'val')]
    source = read_source(files, 'coco', read_category_table())
    candidates = list_candidates(source)
    assert len(candidates) == 77
    for candidate in candidates[::8]:
        classes, instances = render(candidate)
        scores = ia_miou([np.where(classes == 255, 0, classes)], [classes], [instances])
        assert scores['num_instances']['all'] == count_objects(classes, instances).sum() > 0


def test_folder_scores_with_instance_maps_and_annotation_files(tmp_path):
    truth = DATA / 'voc20' / 'SegmentationClass'
    ids = sorted(path.stem for path in truth.glob('*.png'))[::12]
    for seed, name in enumerate(ids):
        save_mask(tmp_path / f'{name}.png', disturbed(load_mask(truth / f'{name}.png'), seed))
    score = InstanceScore(CLASSES, DATA / 'voc20' / 'SegmentationObject')
    found = score_masks(tmp_path, truth, CLASSES, ids, [MeanIoUScore(CLASSES), score]).numbers
    masks = [[load_mask(folder / f'{name}.png') for name in ids]
             for folder in (tmp_path, truth, DATA / 'voc20' / 'SegmentationObject')]  # fmt: skip
    assert found['errors'] == {}
    assert found['IA-mIoU'] == ia_miou(*masks)['IA-mIoU']
    assert 0 < found['IA_S'] < found['IA_L'] < 1


def test_masks_made_of_annotations_agree_with_the_instances_in_the_file(tmp_path):
    file = DATA / 'annotations/instances_val2017.json'
    source = read_source([file], 'coco', read_category_table())
    candidates = list_candidates(source)[::3]
    for candidate in candidates:
        save_mask(tmp_path / f'{candidate.name}.png', render(candidate)[0])
    score = InstanceScore(CLASSES, file, read_category_map(None, CLASSES))
    found = score_masks(tmp_path, tmp_path, CLASSES, None, [score]).numbers
    assert found['errors'] == {}
    assert found['num_scored'] == len(candidates) > 10
    # An object is its whole mask, also behind others, so even the true mask misses the hidden parts.
    assert 0.85 < found['IA-mIoU'] < 1

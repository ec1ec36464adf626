from __future__ import annotations

import json

import numpy as np
import pytest

from mmwsss.datasets import VOC12WSSSDataset
from mmwsss.evaluation.folder import score_masks
from mmwsss.evaluation.instance_score import InstanceScore, read_category_map
from mmwsss.functional.ia_miou import ia_miou
from mmwsss.io import save_mask

CLASSES = ['background', 'cat', 'dog']
IDS = ['a', 'b', 'c']


def scene(seed):
    """Ground truth of two touching cats and a dog with an ignored row; a prediction with holes."""
    rng = np.random.default_rng(seed)
    gt, instances = np.zeros((2, 40, 60), np.int64)
    gt[2:20, 5:40], instances[2:20, 5:20], instances[2:20, 20:40] = 1, 1, 2
    gt[25:30, 30:33], instances[25:30, 30:33] = 2, 3
    gt[0] = instances[0] = 255
    pred = np.where(rng.random(gt.shape) < 0.2, 0, gt)
    return np.where(pred == 255, 1, pred), gt, instances


@pytest.fixture
def folders(tmp_path):
    for seed, name in enumerate(IDS):
        for folder, content in zip(('pred', 'gt', 'instances'), scene(seed)):
            save_mask(tmp_path / folder / f'{name}.png', content)
    return tmp_path


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('given', [True, False])
def test_folder_scores_are_those_of_the_function(folders, given, workers):
    source = folders / 'instances' if given else None
    score = InstanceScore(CLASSES, source)
    found = score_masks(folders / 'pred', folders / 'gt', CLASSES, IDS, [score], workers=workers)
    preds, gts, instances = zip(*map(scene, range(3)))
    expected = ia_miou(preds, gts, instances if given else None, 3)
    for key in ('IA-mIoU', 'IA_S'):
        assert found.numbers[key] == expected[key]
    assert found.numbers['IA_M'] is found.numbers['IA_L'] is None
    assert found.numbers['num_instances'] == dict(
        all=9 if given else 6, S=9 if given else 6, M=0, L=0
    )
    assert found.numbers['instances_S'] == dict(cat=6 if given else 3, dog=3)
    assert found.numbers['IA_per_class']['dog'] == expected['per_class'][2]
    assert ('connected components' in found.text) == (not given)
    assert 'IA-mIoU' in found.text


def test_a_score_states_whether_background_is_in(folders):
    preds, gts, instances = zip(*map(scene, range(3)))
    for include, text in ((False, 'left out'), (True, 'one more class, once per image')):
        score = InstanceScore(CLASSES, folders / 'instances', include_background=include)
        found = score_masks(folders / 'pred', folders / 'gt', CLASSES, IDS, [score])
        expected = ia_miou(preds, gts, instances, 3, include_background=include)
        assert found.numbers['IA-mIoU'] == expected['IA-mIoU']
        assert found.numbers['IA_includes_background'] is include
        assert ('background' in found.numbers['IA_per_class']) == include
        assert f'background in IA-mIoU: {text}' in found.text


def test_an_image_whose_maps_contradict_each_other_fails_by_name(folders):
    wrong = scene(1)[2]
    wrong[2:20, 5:8] = 3  # a part of a cat belongs to the dog
    save_mask(folders / 'instances' / 'b.png', wrong)
    (folders / 'instances' / 'c.png').unlink()
    score = InstanceScore(CLASSES, folders / 'instances')
    found = score_masks(folders / 'pred', folders / 'gt', CLASSES, IDS, [score])
    assert found.report.done == ['a']
    assert 'instance 3 must lie on one foreground class' in found.report.failed['b']
    assert 'not found' in found.report.failed['c']
    assert found.numbers['num_instances']['all'] == 3


def test_tolerance_allows_some_contradiction(folders):
    wrong = scene(1)[2]
    wrong[10, 6] = 3  # one pixel of 16
    save_mask(folders / 'instances' / 'b.png', wrong)
    strict, lenient = (InstanceScore(CLASSES, folders / 'instances', tolerance=t) for t in (0, 0.1))
    found = score_masks(folders / 'pred', folders / 'gt', CLASSES, ['b'], [lenient])
    assert found.report.done == ['b']
    assert found.numbers['instance_tolerance'] == 0.1
    assert 'up to 10% of one may contradict' in found.text
    failed = score_masks(folders / 'pred', folders / 'gt', CLASSES, ['b'], [strict]).report.failed
    assert 'contradict' in failed['b']
    with pytest.raises(ValueError, match='tolerance must lie in'):
        InstanceScore(CLASSES, tolerance=2)


def test_categories_of_a_file_find_their_classes(folders, tmp_path):
    box = [[30, 25, 33, 25, 33, 30, 30, 30]]
    cats = [[5, 2, 20, 2, 20, 20, 5, 20], [20, 2, 40, 2, 40, 20, 20, 20]]
    polygons = [(cats[:1], 7), (cats[1:], 7), (box, 8)]
    content = dict(
        images=[
            dict(id=i, file_name=f'{name}.jpg', height=40, width=60) for i, name in enumerate(IDS)
        ],
        categories=[dict(id=7, name='kitten'), dict(id=8, name='dog'), dict(id=9, name='car')],
        annotations=[
            dict(id=9 * i + k, image_id=i, category_id=c, segmentation=p, iscrowd=0)
            for i in range(3)
            for k, (p, c) in enumerate(polygons)
        ],
    )
    (tmp_path / 'instances.json').write_text(json.dumps(content))
    (tmp_path / 'map.json').write_text('{"kitten": "cat", "dog": "dog"}')
    names = read_category_map(tmp_path / 'map.json', CLASSES)
    by_file = InstanceScore(CLASSES, tmp_path / 'instances.json', names)
    by_map = InstanceScore(CLASSES, folders / 'instances')
    found, same = (
        score_masks(folders / 'pred', folders / 'gt', CLASSES, IDS, [score]).numbers
        for score in (by_file, by_map)
    )
    assert found['errors'] == {}
    assert found['IA_per_class'] == pytest.approx(same['IA_per_class'])
    assert found['instances'] == same['instances']
    plain = InstanceScore(CLASSES, tmp_path / 'instances.json')
    failed = score_masks(folders / 'pred', folders / 'gt', CLASSES, IDS, [plain]).report.failed
    assert 'classes without any instance' in failed['a']


def test_category_maps(tmp_path):
    voc = VOC12WSSSDataset.METAINFO['classes']
    names = read_category_map(None, voc)
    assert (names['airplane'], names['couch'], names['television_set']) == (
        'aeroplane', 'sofa', 'tvmonitor')  # fmt: skip
    assert 'truck' not in names
    assert set(names.values()) == set(voc[1:])
    assert read_category_map(None, CLASSES) is None
    with pytest.raises(FileNotFoundError, match='category map not found'):
        read_category_map(tmp_path / 'none.json', CLASSES)
    (tmp_path / 'list.json').write_text('["cat"]')
    with pytest.raises(ValueError, match=r'list\.json must be a JSON object'):
        read_category_map(tmp_path / 'list.json', CLASSES)

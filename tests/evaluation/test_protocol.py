from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmwsss.evaluation import score_maps, score_masks
from mmwsss.evaluation.protocol import uses_ground_truth
from mmwsss.io import ClassMaps, make_record, save_class_maps, save_mask, write_record

SAYS_SO = 'the best on the ground truth'
CLASSES = ['background', 'cat']


@pytest.mark.parametrize('said', [True, False])
def test_the_field_decides_whatever_the_text_says(said):
    assert uses_ground_truth([{'uses_ground_truth': said}], SAYS_SO) is said
    assert uses_ground_truth([{'uses_ground_truth': said}], 'config') is said
    assert uses_ground_truth([{}, {'uses_ground_truth': said}], None) is said
    assert uses_ground_truth([{'uses_ground_truth': said}, {'uses_ground_truth': not said}]) is said


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (None, False),
        ('config', False),
        ('a few validation masks', False),
        ('8 train images, refiners DenseCRF, no CRF, threshold 0.3 from the config', False),
        ('threshold 0.3: best of a sweep, uses ground truth', True),
        ('the best on the ground truth of these very images', True),
        ('sweep on the masks of the training images, while the recipe was sought', True),
    ],
)
def test_older_files_are_told_by_their_text(text, expected):
    assert uses_ground_truth([{}, {'uses_ground_truth': None}], text) is expected


def test_every_stored_score_is_told_apart():
    """All protocols in ``results/``, some of them older than the field."""
    paths = sorted((Path(__file__).parents[2] / 'results').glob('*/seed*.json'))
    assert paths
    found = {}
    for path in paths:
        for score in json.loads(path.read_text('utf-8'))['scores']:
            details = score.get('details', {})
            found[score['what']] = uses_ground_truth([score, details], score['protocol'])
    assert found['maps at best threshold'] is True
    assert found['maps without threshold'] is False
    assert found['segmenter on pseudo masks'] is False
    assert found['masks of CAM of the same network'] is True


@pytest.fixture
def folder(tmp_path):
    """Write the true mask, a mask and the maps of one image."""
    save_mask(tmp_path / 'gt' / 'a.png', np.array([[0, 1]]))
    save_mask(tmp_path / 'masks' / 'a.png', np.array([[0, 1]]))
    save_class_maps(tmp_path / 'maps' / 'a.npz', ClassMaps([1], np.full((1, 1, 2), 0.5), (1, 2)))
    return tmp_path


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({'threshold': 0.3, 'threshold_source': 'config'}, False),
        ({'threshold': 0.3, 'threshold_source': SAYS_SO}, True),
        ({'threshold_source': 'config', 'uses_ground_truth': True}, True),
        (None, None),
    ],
)
def test_scores_of_masks_say_whether_they_used_ground_truth(folder, settings, expected):
    if settings is not None:
        manifest = make_record('masks', CLASSES, 'train', ['a'], settings=settings)
        write_record(folder / 'masks', manifest)
    content = score_masks(folder / 'masks', folder / 'gt', CLASSES).content
    assert content['uses_ground_truth'] is expected


def test_the_best_threshold_says_that_it_used_ground_truth(folder):
    content = score_maps(folder / 'maps', folder / 'gt', CLASSES).content
    assert content['uses_ground_truth'] is True

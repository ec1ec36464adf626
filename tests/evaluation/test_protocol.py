from __future__ import annotations

import pytest

from mmwsss.evaluation.protocol import uses_ground_truth

SAYS_SO = 'the best on the ground truth'


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
    import json
    from pathlib import Path

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

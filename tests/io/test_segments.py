from __future__ import annotations

import json

import numpy as np
import pytest

from mmwsss.functional.polygons import decode_rle, encode_rle
from mmwsss.io import load_segments, save_segments

SIZE = (5, 7)


def masks():
    return np.random.default_rng(0).random((4, *SIZE)) > 0.5


def test_segments_come_back(tmp_path):
    save_segments(tmp_path / 'a.json', masks())
    np.testing.assert_array_equal(load_segments(tmp_path / 'a.json', SIZE), masks())
    save_segments(tmp_path / 'none.json', [])
    assert load_segments(tmp_path / 'none.json', SIZE).shape == (0, *SIZE)


@pytest.mark.parametrize('value', [True, False])
def test_run_lengths_of_a_full_and_an_empty_mask(value):
    mask = np.full(SIZE, value)
    assert encode_rle(mask)['counts'] == ([0, 35] if value else [35])
    np.testing.assert_array_equal(decode_rle(encode_rle(mask)), mask)


def test_run_lengths_are_cocos():
    api = pytest.importorskip('pycocotools.mask')
    for mask in masks():
        ours = api.frPyObjects(encode_rle(mask), *SIZE)
        assert ours['counts'] == api.encode(np.asfortranarray(mask.astype(np.uint8)))['counts']


def test_sams_files_are_read(tmp_path):
    """As its script and as SA-1B have it: compressed run lengths beside other fields."""
    api = pytest.importorskip('pycocotools.mask')
    entries = []
    for mask in masks():
        rle = api.encode(np.asfortranarray(mask.astype(np.uint8)))
        rle = {'size': list(rle['size']), 'counts': rle['counts'].decode()}
        entries.append({'segmentation': rle, 'area': int(mask.sum()), 'bbox': [0, 0, 1, 1]})
    for content in (entries, {'image': {'image_id': 1}, 'annotations': entries}):
        (tmp_path / 'a.json').write_text(json.dumps(content))
        np.testing.assert_array_equal(load_segments(tmp_path / 'a.json', SIZE), masks())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'[{"size": [5, 7], "counts": [35]', 'no JSON of segments'),
        (b'\xff\xfe', 'no JSON of segments'),
        (b'[' * 100000, 'no JSON of segments'),
        (b'7', 'expected a list'),
        (b'{"masks": []}', 'annotations'),
        (b'[3]', 'must be polygons or run lengths'),
        (b'[{"segmentation": [[0, 0, 3, 0, 3, 3]]}]', 'expected run lengths'),
        (b'[{"size": [7, 5], "counts": [35]}]', r'must be \(5, 7\), but is \[7, 5\]'),
        (b'[{"size": [5, 7], "counts": [36]}]', 'add up to'),
        (b'[{"size": [5, 7], "counts": [36, -1]}]', '>= 0'),
        (b'[{"size": [5, 7], "counts": null}]', 'integers'),
        (b'[{"size": [5, 7], "counts": "\\u0000"}]', 'unknown character'),
    ],
)
def test_foreign_files_are_refused_by_name(tmp_path, content, message):
    (tmp_path / 'bad.json').write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_segments(tmp_path / 'bad.json', SIZE)
    assert str(error.value).startswith(str(tmp_path / 'bad.json'))


def test_more_segments_than_memory_are_refused(tmp_path):
    (tmp_path / 'many.json').write_text('[' + '0,' * 300 + '0]')
    with pytest.raises(ValueError, match='301 segments, expected at most 21 of'):
        load_segments(tmp_path / 'many.json', (10_000, 10_000))

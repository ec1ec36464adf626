from __future__ import annotations

import sys

import numpy as np
import pytest

from mmwsss.functional.polygons import decode_rle, rasterize_polygons, segmentation_to_mask


def encode(mask):
    """Run lengths of a mask, down the columns, zeros first."""
    flat = mask.T.ravel()
    counts, value, run = [], False, 0
    for pixel in flat:
        if pixel != value:
            counts.append(run)
            value, run = pixel, 0
        run += 1
    return [*counts, run]


def compress(counts):
    """COCO's string of run lengths, written from its description."""
    text = ''
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            digit = value & 0x1F
            value >>= 5
            more = value != -1 if digit & 0x10 else value != 0
            text += chr((digit | 0x20 if more else digit) + 48)
    return text


@pytest.mark.parametrize('seed', range(10))
def test_run_lengths_there_and_back(seed):
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.random((6, 5)) < 0.5, np.ones((rng.integers(1, 40), 9))).astype(bool)
    counts = encode(mask)
    for form in (counts, compress(counts), compress(counts).encode()):
        got = decode_rle({'size': list(mask.shape), 'counts': form})
        np.testing.assert_array_equal(got, mask)


def test_a_known_string():
    # 3 x 3 with a one in the middle: runs 4, 1, 4.
    mask = decode_rle({'size': [3, 3], 'counts': '414'})
    assert mask.astype(int).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_rectangle_covers_whole_pixels():
    mask = rasterize_polygons([[2, 1, 6, 1, 6, 4, 2, 4]], (6, 8))
    expected = np.zeros((6, 8), dtype=bool)
    expected[1:4, 2:6] = True
    np.testing.assert_array_equal(mask, expected)


def test_union_of_polygons_cut_at_the_border():
    mask = rasterize_polygons([[-3, -3, 2, -3, 2, 2, -3, 2], [4, 4, 9, 4, 9, 9, 4, 9]], (6, 6))
    assert mask.sum() == 8
    assert mask[:2, :2].all()
    assert mask[4:, 4:].all()


@pytest.mark.parametrize('seed', range(5))
def test_area_of_a_triangle(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 200, size=(2, 3))
    area = abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])) / 2
    mask = segmentation_to_mask([np.stack([x, y], 1).ravel().tolist()], (200, 200))
    assert mask.sum() == pytest.approx(area, abs=0.02 * area + 10)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -1e9, 61.0])
def test_corners_far_away_are_refused(value):
    # The library would reserve memory for the way there, or crash.
    with pytest.raises(ValueError, match=r'must lie in -60\.\.60, but one is '):
        rasterize_polygons([[0, 0, value, 5, 3, 3]], (6, 6))
    assert rasterize_polygons([[0, 0, 60, 0, 60, 60, 0, 60]], (6, 6)).all()


def test_the_same_pixels_as_the_coco_api(mask_api):
    rng = np.random.default_rng(0)
    for _ in range(20):
        polygons = [rng.uniform(-5, 60, size=2 * n).tolist() for n in (3, 7)]
        wanted = mask_api.decode(mask_api.merge(mask_api.frPyObjects(polygons, 50, 40)))
        np.testing.assert_array_equal(segmentation_to_mask(polygons, (50, 40)), wanted == 1)
    runs = mask_api.encode(np.asfortranarray(wanted))
    np.testing.assert_array_equal(segmentation_to_mask(runs, (50, 40)), wanted == 1)
    assert not segmentation_to_mask([], (50, 40)).any()


@pytest.fixture
def mask_api():
    return pytest.importorskip(
        'pycocotools.mask', reason='pycocotools, the extra "coco", is missing'
    )


def test_missing_pycocotools_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pycocotools', None)
    with pytest.raises(ImportError, match='pip install pycocotools'):
        segmentation_to_mask([[0, 0, 5, 5, 0, 5]], (6, 6))
    assert segmentation_to_mask({'size': [6, 6], 'counts': [0, 36]}, (6, 6)).all()


def test_malformed():
    with pytest.raises(ValueError, match='at least three corners'):
        rasterize_polygons([[0, 0, 5, 5]], (6, 6))
    with pytest.raises(ValueError, match='at least three corners'):
        rasterize_polygons([[0, 0, 5, 5, 3, 3, 1]], (6, 6))
    with pytest.raises(ValueError, match='must be a list of numbers'):
        segmentation_to_mask([[[0, 0], [5, 5, 1]]], (6, 6))
    with pytest.raises(ValueError, match='add up to 2 x 3 = 6, but add up to 5'):
        decode_rle({'size': [2, 3], 'counts': [1, 2, 2]})
    with pytest.raises(ValueError, match='unknown character'):
        decode_rle({'size': [2, 3], 'counts': '4 2'})
    with pytest.raises(ValueError, match='end in the middle'):
        decode_rle({'size': [2, 3], 'counts': 'Q'})
    with pytest.raises(ValueError, match=r"'size' .* must be \(6, 6\), but is \[2, 3\]"):
        segmentation_to_mask({'size': [2, 3], 'counts': [6]}, (6, 6))


@pytest.mark.parametrize(
    ('segmentation', 'message'),
    [
        (None, 'polygons or run lengths, but is a NoneType'),
        (5, 'polygons or run lengths, but is a int'),
        ([5], 'at least three corners'),
        ({}, r"'size' of run lengths must be \(6, 6\), but is None"),
        ({'size': None, 'counts': []}, r"'size' of run lengths must be \(6, 6\), but is None"),
        ({'size': [2], 'counts': []}, r"'size' of run lengths must be \(6, 6\), but is \[2\]"),
        ({'size': [6, 6], 'counts': None}, 'run lengths must be integers'),
        ({'size': [6, 6], 'counts': [2**70]}, 'run lengths must be integers'),
        ({'size': [6, 6], 'counts': [35.9, 0.1]}, 'run lengths must be integers'),
        ({'size': [6, 6], 'counts': [2**62, 2**62, 2**62, 2**62, 36]}, 'add up to 6 x 6 = 36'),
        ({'size': [10**6, 10**6], 'counts': [10**12]}, r"'size' of run lengths must be \(6, 6\)"),
    ],
)
def test_what_is_no_segmentation_is_named(segmentation, message):
    with pytest.raises(ValueError, match=message):
        segmentation_to_mask(segmentation, (6, 6))

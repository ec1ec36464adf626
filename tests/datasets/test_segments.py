from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.converters import Superpixels, convert_segments, mask_folder, segment_file
from mmwsss.io import load_segments
from tests.datasets.tiny import IDS, SIZES, make_tiny
from tests.tools.run import run_here


@pytest.fixture
def root(tmp_path):
    return make_tiny(tmp_path)


def test_superpixels_cover_each_image_once_and_are_kept(root):
    make = partial(convert_segments, str(root / 'images'), root / 'out')
    assert make(Superpixels(count=6)).done == IDS
    for name in IDS:
        segments = load_segments(root / f'out/{name}.json', SIZES[name])
        assert len(segments) > 2
        assert (segments.sum(axis=0) == 1).all()
    assert make(Superpixels(count=20)).skipped == IDS
    assert make(Superpixels(count=20), overwrite=True).done == IDS
    assert len(load_segments(root / f'out/{IDS[0]}.json', SIZES[IDS[0]])) > len(segments)
    path = str(root / 'images/first.jpg')
    squares, like = (
        np.stack(list(Superpixels(6, weight)('first', path))) for weight in (1e4, 1e-3)
    )
    assert squares.shape != like.shape or (squares != like).any()
    with pytest.raises(ValueError, match='count must lie in'):
        Superpixels(count=0)


def test_folders_of_pngs_and_files_of_sam(root):
    """The masks of an image as a folder, then the file made of them as another source."""
    masks = np.random.default_rng(0).random((2, *SIZES['first'])) > 0.5
    (root / 'png/first').mkdir(parents=True)
    Image.fromarray(masks[0].astype(np.uint8) * 255).save(root / 'png/first/0.png')
    colours = np.zeros((*SIZES['first'], 4), np.uint8)
    colours[masks[1], 2] = 1  # so dark a blue that it is black as grey
    colours[..., 3] = 255
    Image.fromarray(colours).save(root / 'png/first/1.png')
    (root / 'png/second').mkdir()
    empty = convert_segments(
        str(root / 'images'), root / 'out', partial(mask_folder, str(root / 'png')), ids=['second']
    )
    assert 'holds 0 masks (.png), expected 1 to' in empty.failed['second']
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(root / 'png/second/0.png')
    make = partial(convert_segments, str(root / 'images'))
    report = make(root / 'out', partial(mask_folder, str(root / 'png')))
    assert report.done == ['first']
    assert '0.png is 9 x 9, expected (10, 8)' in report.failed['second']
    assert 'masks must be a folder' in report.failed['third']
    np.testing.assert_array_equal(load_segments(root / 'out/first.json', SIZES['first']), masks)
    again = make(root / 'again', partial(segment_file, str(root / 'out')), ids=['first', '../x'])
    assert again.done == ['first']
    assert 'stays inside' in again.failed['../x']
    np.testing.assert_array_equal(load_segments(root / 'again/first.json', SIZES['first']), masks)


def test_the_tool_reports_failures_and_missing_folders(root):
    (root / 'images/first.jpg').write_bytes(b'')
    words = [root / 'images', '--out', root / 'out', '--workers', 0]
    done = run_here('dataset_converters/segments.py', *words)
    assert done.returncode == 1
    assert 'failed: first' in done.stderr
    done = run_here('dataset_converters/segments.py', *words, '--masks', root / 'none')
    assert done.returncode == 2
    assert 'error: --masks must be a folder' in done.stderr

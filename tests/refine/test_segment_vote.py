from __future__ import annotations

import numpy as np
import pytest

from mmwsss.functional.segment_vote import segment_vote
from mmwsss.io import ClassMaps, save_segments
from mmwsss.refine import RefinerChain, SegmentVote

SIZE = (6, 8)


@pytest.fixture
def folder(tmp_path):
    segments = np.zeros((2, *SIZE), bool)
    segments[0, 1:5, 1:5] = True
    segments[1, :, 6:] = True
    save_segments(tmp_path / 'deep/a.json', segments)
    return tmp_path, segments


def test_maps_vote_by_their_argmax_and_labels_as_they_are(folder):
    root, segments = folder
    scores = np.zeros((2, *SIZE), np.float32)
    scores[0], scores[1, 2:6, 2:5] = 0.3, 1
    maps = ClassMaps(np.array([0, 4]), scores, SIZE)
    found = RefinerChain([dict(type='SegmentVote', segment_dir=str(root))])(maps, None, 'deep/a')
    labels = 4 * scores[1].astype(np.uint8)
    np.testing.assert_array_equal(found, segment_vote(labels, segments))
    assert (found == 4).sum() == 19
    covered = SegmentVote(str(root), min_share=0.9, min_cover=0.7)(labels, None, 'deep/a')
    assert (covered == found).all()
    assert (SegmentVote(str(root), max_area=0.1)(labels, None, 'deep/a') == labels).all()
    assert (
        SegmentVote(str(root), min_share=0.9, min_cover=1)(labels, None, 'deep/a') == 4
    ).sum() == 3


def test_what_is_missing_or_leaves_the_folder_is_named(folder):
    labels = np.zeros(SIZE, np.uint8)
    with pytest.raises(FileNotFoundError, match=r'segments not found: .*b\.json'):
        SegmentVote(str(folder[0]))(labels, None, 'b')
    with pytest.raises(
        FileNotFoundError, match='segment_dir, from `mmwsss data segments`, must be a folder'
    ):
        SegmentVote(str(folder[0] / 'no'))(labels, None, 'a')
    with pytest.raises(FileNotFoundError, match='segment_dir'):
        SegmentVote(str(folder[0] / 'no')).input_files()
    assert SegmentVote(str(folder[0])).input_files() == [str(folder[0])]
    with pytest.raises(ValueError, match='stays inside'):
        SegmentVote(str(folder[0] / 'deep'))(labels, None, '../deep/a')
    with pytest.raises(ValueError, match='must be'):
        SegmentVote(str(folder[0]))(labels[1:], None, 'deep/a')
    with pytest.raises(ValueError, match=r'max_area must lie in \[0, 1\]'):
        SegmentVote('x', max_area=-1)

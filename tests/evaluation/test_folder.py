from __future__ import annotations

import numpy as np
import pytest

from mmwsss.evaluation.folder import (
    MeanIoUScore,
    PairScore,
    resolve_classes,
    score_maps,
    score_masks,
)
from mmwsss.io import (
    ClassMaps,
    Protocol,
    RecordError,
    find_ids,
    find_mask,
    make_record,
    read_record,
    save_class_maps,
    save_mask,
    write_record,
)
from tests.oracles.confusion import plain_iou

CLASSES = ['background', 'cat', 'dog', 'cow']
IDS = ['a', 'b', 'sub/c']
SHAPES = {'a': (5, 6), 'b': (4, 9), 'sub/c': (7, 3)}


@pytest.fixture
def folders(tmp_path):
    """Write three masks and their ground truth; class 3 is nowhere, some are .npy."""
    rng = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        save_mask(tmp_path / 'gt' / f'{name}.png', rng.choice([0, 1, 2, 255], shape))
        pred = rng.choice([0, 1, 2, 255], shape, p=[0.4, 0.3, 0.25, 0.05])
        save_mask(tmp_path / 'pred' / f'{name}.png', pred)
    (tmp_path / 'pred' / 'b.png').unlink()
    np.save(tmp_path / 'pred' / 'b.npy', rng.choice([0, 1, 2], SHAPES['b']))
    return tmp_path / 'pred', tmp_path / 'gt'


def flat_masks(folder, names) -> np.ndarray:
    from mmwsss.io import load_mask

    return np.concatenate([load_mask(find_mask(folder, name)).ravel() for name in names])[None]


@pytest.mark.parametrize('workers', [0, 2])
def test_scores_equal_a_loop_over_all_pixels(folders, workers, tmp_path):
    pred, gt = folders
    score = score_masks(pred, gt, CLASSES, workers=workers)
    expected = plain_iou(flat_masks(pred, IDS), flat_masks(gt, IDS), 4)
    (found,) = score.scores
    assert found.per_class['cow'] is None
    np.testing.assert_allclose([found.per_class[name] for name in CLASSES[:3]], expected[:3])
    assert found.miou == pytest.approx(np.nanmean(expected))
    assert (found.protocol.images, found.protocol.failed) == (3, 0)
    assert score.numbers['ignore_index'] == 255
    assert score.numbers['undecided_pixels'] > 0
    assert score.numbers['pixels'] == (flat_masks(gt, IDS) != 255).sum()
    write_record(tmp_path / 'scores.json', score.record)
    assert read_record(tmp_path / 'scores.json') == score.record
    assert score.report.exit_code == 0


def test_text_says_what_was_scored(folders):
    pred, gt = folders
    text = score_masks(pred, gt, CLASSES).text
    assert f'scored: masks in {pred}' in text
    assert f'against: {gt}, ignore label 255' in text
    assert 'images: 3\n' in text
    assert 'made by: unknown (no record)' in text
    assert 'counted as misses' in text


def test_failures_are_named_and_the_rest_is_scored(folders):
    pred, gt = folders
    (pred / 'a.png').unlink()
    (gt / 'b.png').write_bytes((gt / 'b.png').read_bytes()[:60])
    score = score_masks(pred, gt, CLASSES, ids=[*IDS, '../x', 'nowhere'])
    failed = score.report.failed
    assert list(failed) == ['a', 'b', '../x', 'nowhere']
    assert 'pred/a.png' in failed['a']
    assert 'mask not found' in failed['a']
    assert 'gt/b.png is not a whole PNG' in failed['b']
    assert 'must be a relative path' in failed['../x']
    assert score.numbers['mIoU'] == pytest.approx(
        np.nanmean(plain_iou(flat_masks(pred, ['sub/c']), flat_masks(gt, ['sub/c']), 4))
    )
    assert 'images: 1 of 5; 4 FAILED' in score.text
    assert score.report.exit_code == 1


def test_size_mismatch_and_unknown_class_are_named(folders):
    pred, gt = folders
    save_mask(pred / 'a.png', np.zeros((6, 5), int))
    save_mask(pred / 'sub/c.png', np.full((7, 3), 4))
    failed = score_masks(pred, gt, CLASSES).report.failed
    assert 'a.png: the mask is 6 x 5 (height x width), expected 5 x 6' in failed['a']
    assert 'c.png holds class ids outside the list: 4' in failed['sub/c']


def test_nothing_scored_says_so(folders):
    pred, gt = folders
    score = score_masks(pred, gt, CLASSES, ids=['nowhere'])
    assert score.text.endswith('nothing could be scored')
    assert score.numbers['mIoU'] is None


def test_manifest_is_shown_and_checked(folders):
    pred, gt = folders
    settings = {'refiners': [{'type': 'BackgroundThreshold', 'threshold': 0.3}]}
    protocol = Protocol('train', threshold=0.3, threshold_source='config', crf=False)
    manifest = make_record(
        'masks', CLASSES, 'train', IDS, settings=settings, complete=False, protocol=protocol
    )
    write_record(pred, manifest)
    score = score_masks(pred, gt, CLASSES)
    assert 'masks: 3 train images, no CRF, threshold 0.3: config' in score.text
    assert 'not complete' in score.text
    with pytest.raises(RecordError, match=r'classes\[2\] does not fit: found "dog"'):
        score_masks(pred, gt, ['background', 'cat', 'cow', 'dog'])
    with pytest.raises(RecordError, match='kind does not fit: found "masks", expected "maps"'):
        score_maps(pred, gt, CLASSES)


class PixelSum(PairScore):
    """Own score: the sum of the predicted ids, and the names seen."""

    def __init__(self) -> None:
        self.names, self.sum = [], 0

    def count(self, name, pred, gt):
        return name, int(pred.astype(int).sum())

    def add(self, counts) -> None:
        self.names.append(counts[0])
        self.sum += counts[1]

    def result(self):
        return {'sum': self.sum}

    def table(self) -> str:
        return f'sum {self.sum}'


def test_further_scores_share_the_pass(folders):
    pred, gt = folders
    own = PixelSum()
    score = score_masks(pred, gt, CLASSES, scores=[MeanIoUScore(CLASSES), own], workers=2)
    assert own.names == IDS
    assert score.numbers['sum'] == flat_masks(pred, IDS).astype(int).sum()
    assert score.numbers['mIoU'] > 0
    assert f'sum {own.sum}' in score.text


@pytest.fixture
def map_folders(tmp_path):
    """Write two class maps of half size whose best threshold is known."""
    gt = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
    for name, background in (('a', True), ('b', True)):
        scores = np.array([[[0.9, 0.1]], [[0.4, 0.8]]], np.float32)
        keys = [0, 1] if background else [1]
        save_class_maps(tmp_path / 'maps' / f'{name}.npz', ClassMaps(keys, scores, (2, 4)))
        save_mask(tmp_path / 'gt' / f'{name}.png', gt)
    return tmp_path / 'maps', tmp_path / 'gt'


def test_threshold_table_of_a_folder(map_folders):
    score = score_maps(*map_folders, CLASSES, thresholds=(0.2, 0.55, 0.75))
    # full-size scores of class 1: 0.4, 0.5, 0.7, 0.8; everything above 0.2 is class 1
    expected = [(0 + 0.5) / 2, 1.0, (2 / 3 + 0.5) / 2]
    best, argmax = score.scores
    np.testing.assert_allclose([value for _, value in best.curve], expected)
    assert [threshold for threshold, _ in best.curve] == [0.2, 0.55, 0.75]
    assert (best.protocol.threshold, best.protocol.uses_ground_truth) == (0.55, True)
    assert (argmax.protocol.threshold, argmax.protocol.uses_ground_truth) == (None, False)
    assert (best.miou, argmax.miou) == (1.0, 1.0)
    assert best.per_class == {'background': 1.0, 'cat': 1.0, 'dog': None, 'cow': None}
    assert 'uses ground truth' in score.text


def test_broken_map_is_named(map_folders):
    maps, gt = map_folders
    (maps / 'a.npz').write_bytes((maps / 'a.npz').read_bytes()[:100])
    save_mask(gt / 'b.png', np.zeros((4, 2), int))
    score = score_maps(maps, gt, CLASSES)
    assert 'a.npz is not a readable class map' in score.report.failed['a']
    assert 'b.png: the mask is 4 x 2' in score.report.failed['b']
    assert 'nothing could be scored' in score.text


def test_map_thresholds_must_increase(map_folders):
    with pytest.raises(ValueError, match='strictly increasing'):
        score_maps(*map_folders, CLASSES, thresholds=(0.5, 0.4))


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'pred must be a folder.*nowhere'):
        score_masks(tmp_path / 'nowhere', tmp_path, CLASSES)
    with pytest.raises(ValueError, match=r'holds no \.png or \.npy file'):
        score_masks(tmp_path, tmp_path, CLASSES)


def test_find_ids_leaves_out_hidden_files(folders):
    pred, _ = folders
    (pred / '.tmp-x.png').write_bytes(b'')
    assert find_ids(pred, ('.png', '.npy')) == IDS


def test_long_lists_of_classes_leave_out_255(tmp_path):
    (tmp_path / 'names.txt').write_text(''.join(f'class {i}\n' for i in range(300)))
    names = resolve_classes(str(tmp_path / 'names.txt'))
    assert (len(names), names[254], names[256]) == (302, 'class 253', 'class 254')


def test_resolve_classes(tmp_path):
    voc = resolve_classes('voc', None)
    assert (len(voc), voc[0], voc[15]) == (21, 'background', 'person')
    assert len(resolve_classes('coco14', 81)) == 81
    (tmp_path / 'names.txt').write_text('cat\npotted plant\n')
    assert resolve_classes(str(tmp_path / 'names.txt')) == ['background', 'cat', 'potted plant']
    assert resolve_classes(None, 3, tmp_path) == ['background', 'class 1', 'class 2']
    write_record(tmp_path, make_record('masks', CLASSES, 'train', IDS))
    assert resolve_classes(None, None, tmp_path) == CLASSES


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (
            (None, None, 'pred'),
            ValueError,
            r'classes \(voc, coco14 or a text file\) or, to score, --num-classes$',
        ),
        (('voc', 20), ValueError, '--num-classes is 20, but there are 21 class names'),
        (('vok',), FileNotFoundError, "no file 'vok'"),
    ],
)
def test_resolve_classes_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        resolve_classes(*arguments)


FOUR = np.zeros((4, 5), np.uint8)
ONE, MANY = FOUR.copy(), np.ones_like(FOUR)
ONE[0] = 1
BOTH = ONE.copy()
BOTH[1, 0] = 2


@pytest.mark.parametrize(
    ('pred', 'gt', 'warning'),
    [
        (FOUR, FOUR, 'true masks hold background only'),
        (FOUR, ONE * 255, 'true masks hold background only'),
        (ONE, FOUR, 'true masks hold background only'),
        (FOUR, ONE, 'nothing but background'),
        (np.full_like(FOUR, 255), ONE, 'all pixels of the masks are undecided (255)'),
        (MANY, ONE, '100% of the pixels are foreground'),
        (ONE, BOTH, 'no mask has dog'),
        (1 - ONE, ONE, 'nothing but background score as much or more, 37.5'),
        (ONE * 2, ONE, 'no mask has cat'),
    ],
)
def test_worthless_scores_say_so(tmp_path, pred, gt, warning):
    save_mask(tmp_path / 'pred/a.png', pred)
    save_mask(tmp_path / 'gt/a.png', gt)
    scored = score_masks(tmp_path / 'pred', tmp_path / 'gt', ['background', 'cat', 'dog'])
    assert warning in ' '.join(scored.scores[0].protocol.notes)
    assert warning in scored.text


@pytest.mark.parametrize('kind', ['masks', 'maps'])
def test_classes_that_no_true_mask_has_are_left_out_and_named(tmp_path, kind):
    save_mask(tmp_path / 'gt/a.png', ONE)
    save_mask(tmp_path / 'masks/a.png', BOTH)
    scores = np.stack([BOTH == 1, BOTH == 2]).astype(np.float32)
    save_class_maps(tmp_path / 'maps/a.npz', ClassMaps(np.array([1, 2]), scores, BOTH.shape))
    score = {'masks': score_masks, 'maps': score_maps}[kind]
    scored = score(tmp_path / kind, tmp_path / 'gt', ['background', 'cat', 'dog'])
    assert scored.scores[0].miou == pytest.approx((14 / 15 + 1) / 2)
    assert 'left out of the mean: dog' in ' '.join(scored.scores[0].protocol.notes)
    assert scored.scores[0].per_class['dog'] is None


@pytest.mark.parametrize('gt', [BOTH, 2 - BOTH])
def test_good_scores_have_no_warning(tmp_path, gt):
    save_mask(tmp_path / 'pred/a.png', gt)
    save_mask(tmp_path / 'gt/a.png', gt)
    scored = score_masks(tmp_path / 'pred', tmp_path / 'gt', ['background', 'cat', 'dog'])
    assert 'WARNING' not in scored.text

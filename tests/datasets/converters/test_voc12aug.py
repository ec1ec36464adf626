import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmwsss.datasets.converters import convert_voc12aug, read_sbd_mat
from mmwsss.io.mask_io import load_mask, save_mask

SIZE = (6, 8)


def write_mat(path, mask):
    savemat(path, {'GTcls': {'Segmentation': mask, 'Boundaries': np.zeros(3)}})


def filled(value):
    return np.full(SIZE, value, np.uint8)


@pytest.fixture
def folders(tmp_path):
    """VOC: a train, b val. SBD: a, b (both also in VOC), c, d."""
    voc, sbd = tmp_path / 'voc', tmp_path / 'cls'
    sbd.mkdir()
    (voc / 'JPEGImages').mkdir(parents=True)
    (voc / 'ImageSets/Segmentation').mkdir(parents=True)
    for name, value in [('a', 1), ('b', 2)]:
        save_mask(voc / f'SegmentationClass/{name}.png', filled(value))
    for name, value in [('a', 11), ('b', 12), ('c', 3), ('d', 20)]:
        Image.new('RGB', SIZE[::-1]).save(voc / f'JPEGImages/{name}.jpg')
        write_mat(sbd / f'{name}.mat', filled(value))
    (voc / 'ImageSets/Segmentation/train.txt').write_text('a\n')
    (voc / 'ImageSets/Segmentation/val.txt').write_text('b\n')
    return voc, sbd


def lists_and_masks(voc):
    ids = (voc / 'ImageSets/Segmentation/train_aug.txt').read_text().split()
    masks = {p.stem: int(load_mask(p).max()) for p in (voc / 'SegmentationClassAug').glob('*.png')}
    return ids, masks


@pytest.mark.parametrize('workers', [0, 2])
def test_vocs_masks_come_first_and_val_is_left_out(folders, workers):
    voc, sbd = folders
    report = convert_voc12aug(voc, sbd, workers=workers)
    assert report.exit_code == 0
    ids, masks = lists_and_masks(voc)
    assert ids == ['a', 'c', 'd']
    assert masks == {'a': 1, 'b': 2, 'c': 3, 'd': 20}


def test_a_folder_that_may_only_be_read_stays_as_it_is(folders, tmp_path):
    voc, sbd = folders
    before = sorted(voc.rglob('*'))
    convert_voc12aug(voc, sbd, out=tmp_path / 'made')
    assert sorted(voc.rglob('*')) == before
    assert lists_and_masks(tmp_path / 'made') == (
        ['a', 'c', 'd'],
        {'a': 1, 'b': 2, 'c': 3, 'd': 20},
    )


def test_png_masks_give_the_same(folders, tmp_path):
    voc, sbd = folders
    for path in sbd.iterdir():
        save_mask(tmp_path / f'png/{path.stem}.png', read_sbd_mat(path))
    convert_voc12aug(voc, tmp_path / 'png')
    assert lists_and_masks(voc)[1] == {'a': 1, 'b': 2, 'c': 3, 'd': 20}


def test_a_failure_is_named_and_the_next_run_finishes(folders):
    voc, sbd = folders
    write_mat(sbd / 'c.mat', filled(21))
    report = convert_voc12aug(voc, sbd)
    assert report.exit_code == 1
    assert list(report.failed) == ['c']
    assert 'holds class ids outside the list: 21; expected 0 .. 20' in report.failed['c']
    assert not (voc / 'ImageSets/Segmentation/train_aug.txt').exists()
    write_mat(sbd / 'c.mat', filled(3))
    report = convert_voc12aug(voc, sbd)
    assert (report.done, report.skipped, report.failed) == (['c'], ['a', 'd', 'b'], {})
    assert lists_and_masks(voc)[0] == ['a', 'c', 'd']


def test_masks_follow_their_source(folders, tmp_path):
    voc, sbd = folders
    save_mask(tmp_path / 'numbers/c.png', filled(7))
    save_mask(tmp_path / 'numbers/d.png', filled(20))
    convert_voc12aug(voc, tmp_path / 'numbers')
    report = convert_voc12aug(voc, sbd)
    assert (report.done, report.skipped) == (['c', 'd'], ['a', 'b'])
    assert lists_and_masks(voc)[1] == {'a': 1, 'b': 2, 'c': 3, 'd': 20}


def test_masks_of_unknown_origin_and_companions_of_macos(folders, tmp_path):
    voc, sbd = folders
    (sbd / '._c.mat').write_bytes(b'finder')
    save_mask(voc / 'SegmentationClassAug/c.png', filled(5))
    with pytest.raises(ValueError, match='SegmentationClassAug holds masks of unknown origin'):
        convert_voc12aug(voc, sbd)
    assert load_mask(voc / 'SegmentationClassAug/c.png').max() == 5
    convert_voc12aug(voc, sbd, out=tmp_path / 'made')
    assert lists_and_masks(tmp_path / 'made')[0] == ['a', 'c', 'd']


def test_other_size_and_missing_image_are_named(folders):
    voc, sbd = folders
    write_mat(sbd / 'c.mat', np.zeros((2, 3), np.uint8))
    (voc / 'JPEGImages/d.jpg').unlink()
    failed = convert_voc12aug(voc, sbd).failed
    assert 'the mask is 2 x 3 (height x width), expected 6 x 8' in failed['c']
    assert 'd.jpg' in failed['d']


@pytest.mark.parametrize(
    ('content', 'message'),
    [(b'hello', 'is not a readable .mat file'), (None, 'with GTcls.Segmentation')],
)
def test_files_that_are_not_sbds(tmp_path, content, message):
    path = tmp_path / 'x.mat'
    if content is None:
        savemat(path, {'other': 1})
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_sbd_mat(path)


def test_wrong_folders(folders, tmp_path):
    voc, sbd = folders
    with pytest.raises(
        FileNotFoundError, match=r"SBD must be a folder, but there is none at '.*nope'"
    ):
        convert_voc12aug(voc, tmp_path / 'nope')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='but holds neither'):
        convert_voc12aug(voc, tmp_path / 'empty')
    save_mask(sbd / 'a.png', filled(0))
    with pytest.raises(ValueError, match='but holds both'):
        convert_voc12aug(voc, sbd)
    with pytest.raises(FileNotFoundError, match=r'train\.txt'):
        convert_voc12aug(tmp_path, sbd)

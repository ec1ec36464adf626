"""Odd names and lists: what any tool writes, every other reads back."""

import csv

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets import WSSSDataset
from mmwsss.datasets.converters import convert_folder
from mmwsss.datasets.label_sources.coco import image_name
from mmwsss.datasets.splits import ids_of_folder, read_split
from mmwsss.evaluation.folder import score_maps, score_masks
from mmwsss.io import (
    ClassMaps,
    check_writable_ids,
    find_ids,
    find_mask,
    id_of_path,
    ids_of_lines,
    read_id_list,
    safe_join,
    save_class_maps,
    save_mask,
    write_ids,
)

ODD_IDS = [
    'plain',
    'v1.2',
    'IMG 001',
    'photo 1',
    'photo -1',
    'a.jpg',
    'b.PNG',
    'sub/deeper/c',
    'my trip/IMG (3)',
    '[set] {1}',
    "it's, 50% #1",
    'semi;colon|pipe',
    '-dash',
    '1',
    'Straße/größe é',
    'e\u0301',
    '日本/写真',
    'id',
    'quote"d"',
    'x.tar.gz',
    'C',
    'trailing.',
    '~tilde',
    'a=b&c',
    'dots..inside',
    'tab\tinside',
    'blank ',
    'tab\t',
]


@pytest.mark.parametrize('name', ODD_IDS)
def test_a_list_of_one_odd_id_is_read_back(tmp_path, name):
    write_ids(tmp_path / 'list.txt', [name])
    assert read_id_list(tmp_path / 'list.txt') == [name]
    assert read_split(str(tmp_path / 'list.txt')) == [name]


def test_all_odd_ids_go_through_lists_labels_maps_masks_and_scores(tmp_path):
    mask = np.zeros((3, 3), np.uint8)
    mask[0] = 1
    maps = ClassMaps(np.array([1]), (mask == 1)[None].astype(np.float32), mask.shape)
    for i, name in enumerate(ODD_IDS):
        path = safe_join(tmp_path / 'images', name, ['.png', '.JPG', '.Jpeg'][i % 3])
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path, format='PNG')
        save_mask(safe_join(tmp_path / 'masks', name, '.png'), mask)
        save_class_maps(safe_join(tmp_path / 'maps', name, '.npz'), maps)
    with (tmp_path / 'names.csv').open('w', newline='', encoding='utf-8') as file:
        rows = [[f'{name}.jpg', 'cat' * (i % 2)] for i, name in enumerate(ODD_IDS)]
        csv.writer(file).writerows([['filename', 'labels'], *rows])
    report, _ = convert_folder(str(tmp_path / 'images'), tmp_path, str(tmp_path / 'names.csv'))
    assert report.failed == {}
    dataset = WSSSDataset(
        data_root=str(tmp_path),
        data_prefix={'img_path': 'images', 'seg_map_path': 'masks'},
        classes='classes.txt',
        ann_file='train.txt',
        labels={'source': 'csv', 'path': 'labels.csv'},
    )
    labels = {info['img_id']: info['img_label'] for info in dataset}
    assert labels == {name: [1] * (i % 2) for i, name in enumerate(ODD_IDS)}
    ids = sorted(ODD_IDS)
    assert sorted(read_split(str(tmp_path / 'labels.csv'))) == ids
    assert ids_of_folder(str(tmp_path / 'images')) == ids
    assert find_ids(tmp_path / 'masks', ('.png',)) == ids
    listed = read_id_list(tmp_path / 'train.txt')
    classes = ['background', 'cat']
    for scored in (
        score_masks(tmp_path / 'masks', tmp_path / 'masks', classes, listed),
        score_maps(tmp_path / 'maps', tmp_path / 'masks', classes, listed),
    ):
        assert scored.report.failed == {}
        assert scored.scores[0].miou == 1


@pytest.mark.parametrize(
    'name', ['back\\slash', ' blank', 'line\nbreak', 'a.jpg b.png', 'a.jpg b.npy', 'nul\0', '\ttab']
)
def test_names_that_no_list_can_hold_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r'1 names cannot stand in a list.*rename'):
        write_ids(tmp_path / 'list.txt', ['fine', name])
    if '\0' not in name:
        (tmp_path / f'{name}.png').touch()
        with pytest.raises(ValueError, match='rename the files'):
            ids_of_folder(str(tmp_path))
    assert not (tmp_path / 'list.txt').exists()


@pytest.mark.parametrize(
    ('lines', 'ids'),
    [
        ('x 1|y -1|z  0', ['x', 'y', 'z']),
        ('2008_000002 -1|2008_000003  1', ['2008_000002', '2008_000003']),
        ('photo 1|photo b', ['photo 1', 'photo b']),
        ('/JPEGImages/x.jpg /SegmentationClass/x.png', ['x']),
        ('/JPEGImages/x.jpg\t/SegmentationClass/x.png', ['x']),
        ('JPEGImages/x.jpg,SegmentationClass/x.png', ['x']),
        ('img/sub/x.jpg gt/sub/x.png', ['sub/x']),
        ('img/my x.JPG gt/my x.PNG', ['my x']),
        ('img/x.jpg gt/x_mask.png', ['x']),
        ('img/x.tiff gt/x.png', ['x']),
        ('img/y.bmp', ['img/y']),
        ('img/x.jpg gt/x.npy', ['x']),
        ('/JPEGImages/x.jpg', ['x']),
        ('/data/VOC/JPEGImages/sub/x.jpg', ['sub/x']),
        ('/data/images/VOC/JPEGImages/x.jpg', ['x']),
        ('/photos/x.jpg', ['x']),
        (r'C:\data\images\trip\x.JPG', ['trip/x']),
        (r'trip\x.jpg', ['trip/x']),
        ('./trip/x.jpeg', ['trip/x']),
        ('.\\x', ['x']),
        ('x.JPG|y.Jpeg|z.PNG|v1.2', ['x', 'y', 'z', 'v1.2']),
        ('\ufeffx\r|  y \r||', ['x', 'y']),
        ('x.gif', ['x.gif']),
        ('.png', ['.png']),
    ],
)
def test_lists_of_others(lines, ids):
    assert list(ids_of_lines(lines.split('|'), 'list')) == ids


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        ('|  ', 'list names no image'),
        ('x|x.jpg', 'more than once.*x .the first: line 1, line 2'),
        ('x 1|x -1', 'more than once'),
        ('trip/x|trip\\x', 'more than once'),
    ],
)
def test_lists_that_name_nothing_or_twice(lines, message):
    with pytest.raises(ValueError, match=message):
        ids_of_lines(lines.split('|'), 'list')


@pytest.mark.parametrize(
    ('path', 'name'),
    [('a\\b.JPG', 'a/b'), ('v1.2', 'v1.2'), ('/x/images/a/b.png', 'a/b'), ('D:/x/y.png', 'y')],
)
def test_ids_of_label_files(tmp_path, path, name):
    assert id_of_path(path) == name
    (tmp_path / 'labels.csv').write_text(f'id,labels\n{path},cat\n')
    assert read_split(str(tmp_path / 'labels.csv')) == [name]
    assert image_name({'id': 1, 'file_name': path}, 'f.json') == name


@pytest.mark.parametrize('suffix', ['.PNG', '.NPY'])
def test_masks_with_suffixes_in_capitals_are_found(tmp_path, suffix):
    (tmp_path / f'v1.2{suffix}').touch()
    (tmp_path / '.cache').mkdir()
    (tmp_path / '.cache/a.png').touch()
    (tmp_path / 'b.Png').touch()  # nor does find_mask
    assert find_ids(tmp_path, ('.png', '.npy')) == ['v1.2']
    assert find_mask(tmp_path, 'v1.2').name == f'v1.2{suffix}'


def test_many_ids_are_fine():
    check_writable_ids((f'{i:012d}' for i in range(20000)), 'list')


def test_read_id_list(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_bytes('\ufeffa\r\n\r\n b/c \r\nd\r\n'.encode())
    assert read_id_list(path) == ['a', 'b/c', 'd']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'\n  \n', 'names no image'),
        (b'a\nb\na\n', '1 images more than once, expected each once: a'),
        (b'\xff\xfe\x00', 'not a text file'),
    ],
)
def test_read_id_list_errors_name_the_file(tmp_path, content, message):
    path = tmp_path / 'train.txt'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_id_list(path)
    assert str(path) in str(error.value)


def test_read_id_list_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nothing\.txt'):
        read_id_list(tmp_path / 'nothing.txt')

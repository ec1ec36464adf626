import json

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets import WSSSDataset
from mmwsss.datasets.converters import convert_folder, doubtful_classes
from mmwsss.io.mask_io import save_mask


def convert(tiny, **changes):
    options = {'labels': str(tiny / 'labels.csv'), 'progress': False, **changes}
    return convert_folder(str(tiny / 'images'), tiny / 'out', **options)


def test_labels_and_masks_give_the_same_files(tiny):
    convert(tiny)
    first = {p.name: p.read_text() for p in (tiny / 'out').iterdir()}
    convert(tiny, labels=None, masks=str(tiny / 'masks'), classes=['cat', 'dog'])
    assert {p.name: p.read_text() for p in (tiny / 'out').iterdir()} == first
    assert first['labels.csv'] == 'id,class names\nfirst,cat\nsecond,cat;dog\nthird,\n'
    assert first['classes.txt'] == 'cat\ndog\n'
    assert first['train.txt'] == 'first\nsecond\n'
    assert sorted(first) == ['classes.txt', 'labels.csv', 'statistics.json', 'train.txt']


def test_statistics(tiny):
    _, statistics = convert(tiny)
    assert statistics == {
        'images': 3,
        'failed': 0,
        'unlabeled': ['third'],
        'classes_per_labelled_image': 1.5,
        'height': {'min': 9, 'max': 12},
        'width': {'min': 8, 'max': 16},
        'splits': {'train': {'images': 2, 'images_with_class': {'cat': 2, 'dog': 1}}},
    }
    assert json.loads((tiny / 'out/statistics.json').read_text()) == statistics


def test_doubtful_classes_are_told():
    def of(**counts):
        return {'splits': {'train': {'images': 12, 'images_with_class': counts}}}

    assert doubtful_classes(of(cat=5, dog=4, cart=9)) == []
    assert doubtful_classes({**of(umbrella=8, umbrela=2)}) == [
        "class 'umbrela' (2 images) is nearly 'umbrella' (8 images): a misspelling in the labels?"
    ]
    assert doubtful_classes(of(cat=5, dog=1)) == ['1 classes have a single training image: dog']


def test_the_dataset_reads_what_it_writes(tiny):
    convert(tiny)
    dataset = WSSSDataset(
        data_root=str(tiny / 'out'),
        data_prefix={'img_path': str(tiny / 'images')},
        classes='classes.txt',
        ann_file='train.txt',
        labels={'source': 'csv', 'path': 'labels.csv'},
    )
    assert [info['img_label'] for info in dataset] == [[1], [1, 2]]


def test_val_is_drawn_by_seed_and_disjoint(tmp_path):
    (tmp_path / 'images').mkdir()
    names = [f'{i:02d}' for i in range(20)]
    for name in names:
        Image.new('RGB', (3, 3)).save(tmp_path / f'images/{name}.png')
    (tmp_path / 'labels.csv').write_text(''.join(f'{name},cat\n' for name in names))
    drawn = {}
    for seed in (0, 0, 1):
        convert(tmp_path, val_fraction=0.25, seed=seed)
        train, val = ((tmp_path / f'out/{s}.txt').read_text().split() for s in ('train', 'val'))
        assert len(val) == 5
        assert sorted(train + val) == names
        assert drawn.setdefault(seed, val) == val
    assert drawn[0] != drawn[1]


def test_failures_are_named_and_left_out(tiny):
    (tiny / 'images/second.png').write_bytes((tiny / 'images/second.png').read_bytes()[:60])
    Image.new('RGB', (3, 3)).save(tiny / 'images/extra.jpg')
    (tiny / 'labels.csv').write_text((tiny / 'labels.csv').read_text() + 'gone,cat\n')
    report, statistics = convert(tiny)
    assert report.exit_code == 1
    assert sorted(report.failed) == ['extra', 'gone', 'second']
    assert 'an image, but no label' in report.failed['extra']
    assert 'a label, but no image' in report.failed['gone']
    assert statistics['failed'] == 3
    assert (tiny / 'out/train.txt').read_text() == 'first\n'


def test_bad_masks_are_named(tiny):
    save_mask(tiny / 'masks/first.png', np.zeros((3, 3), np.uint8))
    save_mask(tiny / 'masks/second.png', np.full((10, 8), 9, np.uint8))
    (tiny / 'masks/third.png').unlink()
    with pytest.raises(ValueError, match=r'no image of .* is in order') as error:
        convert(tiny, labels=None, masks=str(tiny / 'masks'), classes=['cat', 'dog'])
    for text in ('3 x 3', 'outside the list: 9', 'mask not found'):
        assert text in str(error.value)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'labels': None, 'masks': 'x'}, 'classes must be given'),
        ({'val_fraction': 1.0}, r'val_fraction must lie in \[0, 1\), but got 1.0'),
        ({'val_fraction': -0.1}, 'val_fraction must lie'),
        (
            {'classes': ['cat', 'dgo']},
            r"line 3: .* class 'dog' is unknown; the closest valid name is 'dgo'",
        ),
    ],
)
def test_bad_arguments(tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        convert(tiny, **changes)


def test_classes_keep_their_given_order(tiny):
    convert(tiny, classes=['dog', 'cat', 'cow'])
    assert (tiny / 'out/classes.txt').read_text() == 'dog\ncat\ncow\n'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('picture,what\nfirst,cat\nsecond,dog\nthird,\n', "line 1: 'picture' is no image"),
        ('first,"cat, x"\nsecond,dog;cat\nthird,\n', "class 'cat, x': a class name must not hold"),
    ],
)
def test_odd_labels_make_no_classes(tiny, text, message):
    (tiny / 'odd.csv').write_text(text)
    with pytest.raises(ValueError, match=message):
        convert(tiny, labels=str(tiny / 'odd.csv'))


def test_labels_that_teach_nothing_are_told(tiny):
    (tiny / 'odd.csv').write_text('id,defect\nfirst,1\nsecond,1\nthird,0\n')
    _, statistics = convert(tiny, labels=str(tiny / 'odd.csv'))
    constant, negatives = doubtful_classes(statistics)
    assert 'all 2 training images have the same label defect' in constant
    assert (
        '1 images have no label and are in no list: third; they can train as negatives' in negatives
    )
    _, statistics = convert(tiny, classes=['cat', 'cow', 'dog'])
    assert '1 classes have no training image: cow' in doubtful_classes(statistics)

from typing import ClassVar

import numpy as np
import pytest

from mmwsss.datasets import VOC12WSSSDataset, WSSSDataset
from mmwsss.datasets.samplers import SeededSampler
from mmwsss.datasets.subsets import choose_fraction
from mmwsss.io.mask_io import save_mask
from mmwsss.io.record import RecordError, make_record, write_record
from tests.datasets.tiny import CLASSES, IDS, LABELS, tiny_mask

LOAD_MASK = [{'type': 'LoadImage'}, {'type': 'LoadMask'}, {'type': 'PackWSSSInputs'}]


def build(tiny, **changes):
    options = {
        'data_root': str(tiny),
        'classes': 'classes.txt',
        'data_prefix': {'img_path': 'images', 'seg_map_path': 'masks'},
        'ann_file': 'lists/train.txt',
        'labels': {'source': 'csv', 'path': 'labels.csv'},
    }
    options.update(changes)
    return WSSSDataset(**options)


def test_data_info(tiny):
    dataset = build(tiny)
    assert len(dataset) == 2
    assert dataset.get_data_info(1) == {
        'img_id': 'second',
        'img_path': str(tiny / 'images/second.png'),
        'seg_map_path': str(tiny / 'masks/second.png'),
        'img_label': [1, 2],
        'num_fg_classes': 2,
        'label_map': None,
        'reduce_zero_label': False,
        'seg_fields': [],
        'sample_idx': 1,
    }
    assert dataset.metainfo['classes'] == CLASSES
    assert dataset.metainfo['palette'] == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert dataset.num_fg_classes == 2
    assert dataset.get_cat_ids(1) == [1, 2]


def test_without_masks_and_labels(tiny):
    dataset = build(tiny, labels=None, data_prefix={'img_path': 'images', 'seg_map_path': None})
    info = dataset.get_data_info(0)
    assert 'seg_map_path' not in info
    assert 'img_label' not in info
    with pytest.raises(ValueError, match='built without labels'):
        dataset.get_cat_ids(0)


@pytest.mark.parametrize('ann_file', ['', 'labels.csv', 'lists/all.txt'])
def test_split_from_folder_csv_or_list(tiny, ann_file):
    dataset = build(tiny, ann_file=ann_file, unlabeled='keep')
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert {info['img_id']: info['img_label'] for info in infos} == LABELS
    assert [info['img_id'] for info in infos] == IDS


def test_labels_from_masks_default_to_the_true_masks(tiny, tmp_path):
    pseudo = tmp_path / 'pseudo'
    for name in ('first', 'second'):
        save_mask(pseudo / f'{name}.png', np.zeros((2, 2), np.uint8))
    dataset = build(tiny, labels={'source': 'masks'}, pseudo_mask_dir=str(pseudo))
    assert dataset.get_cat_ids(1) == [1, 2]
    assert dataset.get_data_info(1)['seg_map_path'] == str(pseudo / 'second.png')


def test_item_through_the_pipeline(tiny):
    sample = build(tiny, pipeline=LOAD_MASK)[1]['data_samples']
    assert sample.gt_label.tolist() == [1.0, 1.0]
    np.testing.assert_array_equal(sample.gt_sem_seg.data[0].numpy(), tiny_mask('second'))
    assert sample.img_id == 'second'


def test_iterating_ends_and_negative_indices_count_from_the_end(tiny):
    dataset = build(tiny)
    assert [info['img_id'] for info in dataset] == ['first', 'second']
    assert dataset[-1]['img_id'] == 'second'


def test_repr_has_the_counts(tiny, log):
    dataset = build(tiny)
    text = (
        "WSSSDataset 'train': 2 images, 2 foreground classes; images per class (csv): cat 2, dog 1"
    )
    assert repr(dataset) == text
    assert log().count(f'INFO {text}') == 1
    assert 'not loaded yet' in repr(build(tiny, lazy_init=True))


def test_unlabeled_images_are_named_dropped_or_kept(tiny):
    with pytest.raises(ValueError, match="1 of 3 images of the split 'all' have no label: third"):
        build(tiny, ann_file='lists/all.txt', unlabeled='error')
    dropped = build(tiny, ann_file='lists/all.txt', unlabeled='drop')
    assert [info['img_id'] for info in dropped] == ['first', 'second']
    assert '1 images without label left out' in repr(dropped)
    kept = build(tiny, ann_file='lists/all.txt')
    assert len(kept) == 3
    assert '1 images without label as negatives' in repr(kept)


@pytest.mark.parametrize('unlabeled', ['drop', 'keep'])
def test_a_split_without_any_label_is_an_error(tiny, unlabeled):
    (tiny / 'one.txt').write_text('third\n')
    with pytest.raises(ValueError, match="1 of 1 images of the split 'one' have no label"):
        build(tiny, ann_file='one.txt', unlabeled=unlabeled)


def test_missing_images_are_named_at_the_start(tiny):
    (tiny / 'lists/train.txt').write_text('first\nnope\nnada\n')
    with pytest.raises(
        FileNotFoundError,
        match=r'2 of 3 image files named by .*train\.txt do not exist in .*images: nope, nada',
    ):
        build(tiny, labels=None)


def test_missing_images_fail_by_name_when_lazy(tiny):
    (tiny / 'lists/train.txt').write_text('first\nnope\n')
    dataset = build(tiny, labels=None, check_files='lazy', pipeline=[{'type': 'LoadImage'}])
    assert len(dataset) == 2
    assert dataset[0]['img_id'] == 'first'
    with pytest.raises(FileNotFoundError, match="image 'nope' does not exist"):
        dataset[1]


def test_missing_masks_are_named_at_the_start(tiny):
    (tiny / 'masks/first.png').unlink()
    with pytest.raises(
        FileNotFoundError, match=r'1 of 2 mask files .* do not exist in .*masks: first'
    ):
        build(tiny)


def test_empty_folder_and_list(tiny, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty holds no images'):
        build(tiny, data_prefix={'img_path': str(tmp_path / 'empty')}, ann_file='')
    (tiny / 'lists/train.txt').write_text('\n')
    with pytest.raises(ValueError, match=r'train\.txt names no image'):
        build(tiny)


def test_missing_list_and_folder(tiny):
    with pytest.raises(FileNotFoundError, match='nope'):
        build(tiny, ann_file='nope.txt')
    with pytest.raises(FileNotFoundError, match=r'folder does not exist: .*nope'):
        build(tiny, data_prefix={'img_path': 'nope'}, check_files='lazy')


def test_a_missing_data_root_is_named_and_not_a_file_below_it(tiny, tmp_path):
    gone = str(tmp_path / 'gone')
    for classes in (CLASSES, 'classes.txt'):
        with pytest.raises(
            FileNotFoundError, match=r'^data_root: the folder does not exist'
        ) as caught:
            build(tiny, data_root=gone, classes=classes)
        assert gone in str(caught.value)
        assert '--cfg-options data_root=' in str(caught.value)
    (tmp_path / 'gone_images').symlink_to(
        tiny / 'images'
    )  # begins like the folder that is not there
    elsewhere = dict(data_prefix={'img_path': f'{gone}_images'}, ann_file='', labels=None)
    assert len(build(tiny, data_root=gone, classes=CLASSES, **elsewhere)) == 3


def test_ids_that_leave_the_folder_are_refused(tiny):
    (tiny / 'lists/train.txt').write_text('../images/first\n')
    with pytest.raises(
        ValueError, match=r"'\.\./images/first' must be a relative path that stays inside"
    ):
        build(tiny, labels=None, check_files='lazy')


def test_wrong_class_name_names_line_and_closest(tiny):
    (tiny / 'labels.csv').write_text('first,cat\nsecond,dgo\n')
    with pytest.raises(
        ValueError,
        match=r"labels\.csv, line 2: .*'dgo' is unknown; the closest valid name is 'dog'",
    ):
        build(tiny)


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ({'unlabeled': 'skip'}, "unlabeled must be one of .* but got 'skip'"),
        ({'check_files': 'never'}, "check_files must be one of .* but got 'never'"),
        ({'reduce_zero_label': True}, 'reduce_zero_label must be one of .False'),
    ],
)
def test_bad_options(tiny, option, message):
    with pytest.raises(ValueError, match=message):
        build(tiny, **option)


def test_misspelt_option(tiny):
    with pytest.raises(TypeError, match='unlabelled'):
        build(tiny, unlabelled='drop')


@pytest.mark.parametrize(('expected', 'warned'), [(3, True), (2, False), (0, False), (None, False)])
def test_expected_count(tiny, log, expected, warned):
    build(tiny, expected_count=expected)
    warnings = [line for line in log() if line.startswith('WARNING')]
    assert bool(warnings) == warned
    if warned:
        assert "split 'train' was expected to have 3 images, but has 2" in warnings[0]


def test_indices_keep_a_part(tiny):
    options = dict(ann_file='lists/all.txt', unlabeled='keep', expected_count=3)
    whole, part = (build(tiny, indices=indices, **options) for indices in (None, 1))
    assert len(part) == 1
    assert (whole.class_counts, part.class_counts) == ({'cat': 2, 'dog': 1}, {'cat': 1, 'dog': 0})


class TestSubset:
    def test_it_keeps_the_named_images_in_the_order_of_the_split(self, tiny, log, monkeypatch):
        (tiny / 'part_1of2.txt').write_text('third\nfirst\n')
        monkeypatch.chdir(tiny)
        options = dict(ann_file='lists/all.txt', unlabeled='keep', expected_count=3)
        dataset = build(tiny, subset='part_1of2.txt', **options)
        assert [dataset.get_data_info(i)['img_id'] for i in range(2)] == ['first', 'third']
        assert len(dataset) == 2
        assert dataset.class_counts == {'cat': 1, 'dog': 0}
        assert "WSSSDataset 'all' (part 'part_1of2'): 2 images" in repr(dataset)
        assert not [line for line in log() if line.startswith('WARNING')]

    def test_an_image_of_another_split(self, tiny):
        (tiny / 'part.txt').write_text('third\nfirst\n')
        with pytest.raises(ValueError, match=r"are not in the split: 'third' \(line 1\)"):
            build(tiny, subset=str(tiny / 'part.txt'))

    def test_a_missing_list(self, tiny):
        with pytest.raises(
            FileNotFoundError, match=r'subset: the list of images does not exist: nope.txt'
        ):
            build(tiny, subset='nope.txt')

    def test_it_is_part_of_a_list(self, tiny):
        with pytest.raises(ValueError, match='subset needs ann_file'):
            build(tiny, ann_file='', subset=str(tiny / 'lists/train.txt'))


class TestFraction:
    OPTIONS: ClassVar[dict] = dict(ann_file='lists/all.txt', unlabeled='drop', expected_count=2)

    def test_every_class_keeps_an_image_and_the_epoch_its_length(self, tiny, log):
        whole, part = (build(tiny, fraction=f, **self.OPTIONS) for f in (None, '1/4'))
        ids = [part.get_data_info(i)['img_id'] for i in range(len(part))]
        assert ids == choose_fraction({'first': [1], 'second': [1, 2]}, '1/4')
        assert part.class_counts == {'cat': 1, 'dog': 1}
        assert (whole.epoch_size, part.epoch_size) == (None, len(whole))
        sampler = SeededSampler(part, seed=0)
        assert (len(part), len(sampler), len(list(sampler))) == (1, 2, 2)
        assert SeededSampler(part, seed=0, epoch_size=3).epoch_size == 3
        assert SeededSampler(part, seed=0, infinite=True).epoch_size == 1
        assert "WSSSDataset 'all' (1/4 of each class): 1 images" in repr(part)
        assert not [line for line in log() if line.startswith('WARNING')]

    def test_it_needs_labels(self, tiny):
        with pytest.raises(ValueError, match='fraction needs labels'):
            build(tiny, labels=None, fraction=0.5)


class TestPseudoMasks:
    @pytest.fixture
    def pseudo(self, tmp_path):
        folder = tmp_path / 'pseudo'
        for name in ('first', 'second'):
            save_mask(folder / f'{name}.png', tiny_mask(name))
        return folder

    def test_without_manifest_there_is_a_warning(self, tiny, pseudo, log):
        dataset = build(tiny, pseudo_mask_dir=str(pseudo))
        assert dataset.data_prefix['seg_map_path'] == str(pseudo)
        assert any('has no record.json' in line for line in log() if line.startswith('WARNING'))

    def test_relative_folder_starts_from_the_working_directory(self, tiny, pseudo, monkeypatch):
        monkeypatch.chdir(pseudo.parent)
        dataset = build(tiny, pseudo_mask_dir='pseudo')
        assert dataset.get_data_info(0)['seg_map_path'] == str(pseudo / 'first.png')

    def test_fitting_manifest(self, tiny, pseudo, log):
        write_record(pseudo, make_record('masks', CLASSES, 'train', ['first', 'second']))
        build(tiny, pseudo_mask_dir=str(pseudo))
        assert not [line for line in log() if line.startswith('WARNING')]

    def test_other_classes_are_refused(self, tiny, pseudo):
        classes = ['background', 'dog', 'cat']
        write_record(pseudo, make_record('masks', classes, 'train', ['first', 'second']))
        with pytest.raises(
            RecordError, match=r'classes\[1\] does not fit: found "dog", expected "cat"'
        ):
            build(tiny, pseudo_mask_dir=str(pseudo))

    def test_folder_of_class_maps_is_refused(self, tiny, pseudo):
        write_record(pseudo, make_record('maps', CLASSES, 'train', ['first', 'second']))
        with pytest.raises(RecordError, match='kind does not fit'):
            build(tiny, pseudo_mask_dir=str(pseudo))

    @pytest.mark.parametrize('check_files', ['error', 'lazy'])
    def test_every_image_needs_its_mask(self, tiny, pseudo, check_files):
        (pseudo / 'second.png').unlink()
        with pytest.raises(FileNotFoundError, match=r'1 of 2 pseudo mask files .*: second'):
            build(tiny, pseudo_mask_dir=str(pseudo), check_files=check_files)

    def test_missing_folder(self, tiny):
        with pytest.raises(FileNotFoundError, match=r'folder does not exist: .*nope'):
            build(tiny, pseudo_mask_dir='nope')


class PetsDataset(WSSSDataset):
    METAINFO = {'classes': CLASSES, 'palette': [[0, 0, 0], [9, 9, 9], [7, 7, 7]]}  # noqa: RUF012


class TestPartOfTheClasses:
    def build(self, tiny, **changes):
        options = {
            'data_root': str(tiny),
            'classes': ['dog'],
            'data_prefix': {'img_path': 'images', 'seg_map_path': 'masks'},
            'ann_file': 'lists/all.txt',
            'labels': {'source': 'csv', 'path': 'labels.csv'},
            'unlabeled': 'keep',
            'pipeline': LOAD_MASK,
        }
        return PetsDataset(**{**options, **changes})

    def test_labels_and_masks_keep_that_part(self, tiny):
        sample = self.build(tiny)[1]['data_samples']
        assert sample.gt_label.tolist() == [1.0]
        expected = np.choose(tiny_mask('second'), [0, 255, 1])
        np.testing.assert_array_equal(sample.gt_sem_seg.data[0].numpy(), expected)

    def test_the_others_images_have_no_label(self, tiny):
        dataset = self.build(tiny, unlabeled='drop')
        assert [info['data_samples'].img_id for info in dataset] == ['second']
        assert dataset.metainfo['palette'] == [[0, 0, 0], [7, 7, 7]]

    def test_pseudo_masks_have_the_ids_of_that_part(self, tiny, tmp_path):
        mask = np.minimum(tiny_mask('second'), 1)
        save_mask(tmp_path / 'pseudo/second.png', mask)
        (tiny / 'one.txt').write_text('second\n')
        dataset = self.build(tiny, ann_file='one.txt', pseudo_mask_dir=str(tmp_path / 'pseudo'))
        np.testing.assert_array_equal(dataset[0]['data_samples'].gt_sem_seg.data[0].numpy(), mask)


def test_voc_warns_with_both_numbers(tiny, log):
    for i in ('Annotations', 'JPEGImages'):
        (tiny / i).mkdir()
    VOC12WSSSDataset(
        data_root=str(tiny),
        data_prefix={'img_path': 'images'},
        ann_file='lists/train.txt',
        img_suffix=None,
        labels={'source': 'voc_xml', 'path': 'xml'},
    )
    warnings = [line for line in log() if line.startswith('WARNING')]
    assert len(warnings) == 1
    assert 'expected to have 1464 images, but has 2' in warnings[0]


class Tissue(WSSSDataset):
    METAINFO: ClassVar = dict(classes=('tumour', 'stroma', 'fat'))


@pytest.mark.parametrize(
    ('classes', 'wanted'),
    [
        (['stroma', 'tumour'], {'a': [2], 'b': [1], 'c': []}),
        (['tumour', 'stroma', 'fat'], {'a': [1], 'b': [2], 'c': [3]}),
    ],
)
def test_a_part_of_the_classes_without_background_keeps_their_labels(tmp_path, classes, wanted):
    (tmp_path / 'labels.csv').write_text('a,tumour\nb,stroma\nc,fat\n')
    dataset = Tissue(
        data_root=str(tmp_path),
        ann_file='labels.csv',
        labels=dict(source='csv', path='labels.csv'),
        classes=classes,
        background=False,
        check_files='lazy',
    )
    found = {
        dataset.get_data_info(i)['img_id']: dataset.get_data_info(i)['img_label'] for i in range(3)
    }
    assert found == wanted

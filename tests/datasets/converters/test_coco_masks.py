import json
import sys

import numpy as np
import pytest

from mmwsss.datasets import COCO14WSSSDataset
from mmwsss.datasets.converters import convert_coco, draw_mask
from mmwsss.io.mask_io import load_mask
from tests.oracles.coco_masks import run_lengths

SIZE = (10, 12)
CLASS_IDS = {18: 17, 1: 1, 44: 40}  # dog, person, bottle


@pytest.fixture
def api():
    return pytest.importorskip(
        'pycocotools.mask', reason='pycocotools, the extra "coco", is missing'
    )


def box(y1, x1, y2, x2):
    mask = np.zeros(SIZE, np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


def annotation(mask, category_id, iscrowd=0, **changes):
    segmentation = {'size': list(SIZE), 'counts': run_lengths(mask)}
    item = {'segmentation': segmentation, 'category_id': category_id, 'iscrowd': iscrowd}
    return {**item, **changes}


@pytest.mark.usefixtures('api')
class TestDrawMask:
    @pytest.mark.parametrize('order', [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
    def test_the_smaller_object_is_on_top(self, order):
        big, middle, small = box(0, 0, 8, 8), box(2, 2, 9, 9), box(4, 4, 6, 6)
        items = [annotation(big, 1), annotation(middle, 18), annotation(small, 44)]
        expected = np.zeros(SIZE, np.uint8)
        for mask, value in [(big, 1), (middle, 17), (small, 40)]:
            expected[mask == 1] = value
        np.testing.assert_array_equal(
            draw_mask(SIZE, [items[i] for i in order], CLASS_IDS), expected
        )

    def test_crowds_are_ignored_and_single_objects_in_them_stay(self):
        crowd, person = box(0, 0, 9, 9), box(3, 3, 5, 5)
        got = draw_mask(SIZE, [annotation(person, 1), annotation(crowd, 1, iscrowd=1)], CLASS_IDS)
        expected = np.where(person, 1, np.where(crowd, 255, 0))
        np.testing.assert_array_equal(got, expected)

    def test_polygons_and_compressed_run_lengths(self, api):
        polygon = {'segmentation': [[2, 3, 7, 3, 7, 8, 2, 8]], 'category_id': 18}
        got = draw_mask(SIZE, [polygon], CLASS_IDS)
        np.testing.assert_array_equal(got, 17 * box(3, 2, 8, 7))
        code = api.encode(np.asfortranarray(box(1, 2, 3, 4)))
        got = draw_mask(SIZE, [{'segmentation': code, 'category_id': 1}], CLASS_IDS)
        np.testing.assert_array_equal(got, box(1, 2, 3, 4))

    def test_nothing_to_draw(self):
        assert not draw_mask(SIZE, [], CLASS_IDS).any()
        for nothing in ([], None, {}):
            item = annotation(box(0, 0, 1, 1), 1, segmentation=nothing)
            assert (draw_mask(SIZE, [item], CLASS_IDS) == 255).all()

    @pytest.mark.parametrize('polygon', [[1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7]])
    def test_malformed_polygon(self, polygon):
        item = {'id': 5, 'segmentation': [polygon], 'category_id': 1}
        with pytest.raises(
            ValueError, match=r'annotation 5: a polygon must be .* at least three corners'
        ):
            draw_mask(SIZE, [item], CLASS_IDS)

    def test_run_lengths_of_another_size(self):
        with pytest.raises(
            ValueError, match=r"'size' of run lengths must be \(5, 5\), but is \[10, 12\]"
        ):
            draw_mask((5, 5), [annotation(box(0, 0, 1, 1), 1)], CLASS_IDS)


@pytest.fixture
def instances(tmp_path):
    path = tmp_path / 'instances_train2014.json'
    images = [
        {'id': i, 'file_name': f'COCO_train2014_{i:012d}.jpg', 'height': SIZE[0], 'width': SIZE[1]}
        for i in (9, 4, 7)
    ]
    annotations = [
        annotation(box(0, 0, 3, 3), 18, id=1, image_id=9),
        annotation(box(5, 5, 9, 9), 1, id=2, image_id=9, iscrowd=1),
        annotation(box(5, 5, 9, 9), 44, id=3, image_id=7),
    ]
    categories = [
        {'id': 44, 'name': 'bottle'},
        {'id': 1, 'name': 'person'},
        {'id': 18, 'name': 'dog'},
    ]
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    path.write_text(json.dumps(content))
    return path


def converted(root, **options):
    """The dataset of what was written to a folder."""
    return COCO14WSSSDataset(
        data_root=str(root),
        data_prefix={'img_path': '', 'seg_map_path': 'masks/train2014'},
        ann_file='train.txt',
        labels={'source': 'json', 'path': 'labels_train.json'},
        check_files='lazy',
        expected_count=2,
        **options,
    )


@pytest.mark.usefixtures('api')
class TestConvert:
    def test_masks_labels_and_list(self, instances, tmp_path):
        out = tmp_path / 'out'
        report = convert_coco(instances, 'train', out, expected_count=2)
        assert report.exit_code == 0
        first, second = 'COCO_train2014_000000000009', 'COCO_train2014_000000000007'
        assert (out / 'train.txt').read_text().split() == [first, second]
        labels = json.loads((out / 'labels_train.json').read_text())
        assert labels == {first: ['person', 'dog'], second: ['bottle']}
        mask = load_mask(out / f'masks/train2014/{first}.png', 81)
        expected = np.where(box(5, 5, 9, 9), 255, 17 * box(0, 0, 3, 3))
        np.testing.assert_array_equal(mask, expected)
        assert sorted(p.name for p in (out / 'masks/train2014').iterdir()) == [
            f'{second}.png',
            f'{first}.png',
            'sources.json',
        ]

    def test_class_ids_are_those_of_the_dataset(self, instances, tmp_path):
        convert_coco(instances, 'train', tmp_path, expected_count=2)
        mask = load_mask(tmp_path / 'masks/train2014/COCO_train2014_000000000007.png')
        assert COCO14WSSSDataset.METAINFO['classes'][mask.max()] == 'bottle'

    def test_the_dataset_reads_what_it_writes(self, instances, tmp_path):
        convert_coco(instances, 'train', tmp_path, expected_count=2)
        dataset = converted(tmp_path, pipeline=[{'type': 'LoadMask'}])
        assert dataset.get_cat_ids(0) == [1, 17]
        assert set(np.unique(dataset[0]['gt_seg_map'])) == {0, 17, 255}

    def test_a_failure_is_named_and_the_next_run_finishes(self, instances, tmp_path):
        good = instances.read_text()
        content = json.loads(good)
        content['annotations'][2]['segmentation'] = [[1, 2]]
        instances.write_text(json.dumps(content))
        report = convert_coco(instances, 'train', tmp_path / 'out', expected_count=2)
        assert list(report.failed) == ['COCO_train2014_000000000007']
        assert not (tmp_path / 'out/train.txt').exists()
        instances.write_text(good)
        report = convert_coco(instances, 'train', tmp_path / 'out', expected_count=2)
        assert (len(report.done), len(report.skipped), report.exit_code) == (1, 1, 0)
        assert (tmp_path / 'out/train.txt').exists()

    def test_masks_follow_the_annotations(self, instances, tmp_path):
        out = tmp_path / 'out'
        convert_coco(instances, 'train', out, expected_count=2)
        content = json.loads(instances.read_text())
        content['annotations'][2]['category_id'] = 1
        instances.write_text(json.dumps(content))
        report = convert_coco(instances, 'train', out, expected_count=2)
        second = 'COCO_train2014_000000000007'
        assert (report.done, report.skipped) == ([second], ['COCO_train2014_000000000009'])
        assert load_mask(out / f'masks/train2014/{second}.png', 81).max() == 1
        assert json.loads((out / 'labels_train.json').read_text())[second] == ['person']
        report = convert_coco(instances, 'train', out, expected_count=2)
        assert len(report.skipped) == 2
        instances.write_text(instances.read_text().replace('"dog"', '"cat"'))
        report = convert_coco(instances, 'train', out, expected_count=2)
        assert report.done == ['COCO_train2014_000000000009']

    @pytest.mark.parametrize('expected_count', [0, 2, None])
    def test_numbers_of_images_are_compared_where_they_are_known(
        self, instances, tmp_path, expected_count, log
    ):
        convert_coco(instances, 'train', tmp_path / 'a', expected_count=expected_count)
        convert_coco(instances, 'train2017', tmp_path / 'a', expected_count=expected_count)
        told = [line for line in log() if 'was expected' in line]
        wrong = 'WARNING COCO train was expected to have 82081 images, but has 2'
        assert told == ([wrong] if expected_count is None else [])
        assert sorted(p.name for p in (tmp_path / 'a').glob('*.txt')) == [
            'train.txt',
            'train2017.txt',
        ]

    def test_a_name_with_two_suffixes_keeps_its_labels(self, instances, tmp_path):
        instances.write_text(
            instances.read_text().replace('COCO_train2014_000000000007.jpg', 'a.jpg.jpg')
        )
        convert_coco(instances, 'train', tmp_path, expected_count=2)
        dataset = converted(tmp_path)
        assert [dataset.get_data_info(i)['img_id'] for i in (0, 1)][1] == 'a.jpg'
        assert dataset.get_cat_ids(1) == [40]

    def test_masks_of_unknown_origin_stay(self, instances, tmp_path):
        other = tmp_path / 'masks/train2014/COCO_train2014_000000000007.png'
        other.parent.mkdir(parents=True)
        other.write_bytes(b'mine')
        with pytest.raises(ValueError, match='holds masks of unknown origin'):
            convert_coco(instances, 'train', tmp_path)
        assert other.read_bytes() == b'mine'

    @pytest.mark.parametrize(
        ('images', 'message'),
        [
            (
                {'file_name': 'b/COCO_train2014_000000000009.jpg'},
                "two images are called 'COCO_train",
            ),
            ({'height': None}, 'image 7 must have a "height" and a "width" in pixels'),
        ],
    )
    def test_images_that_have_no_mask_of_their_own(self, instances, tmp_path, images, message):
        content = json.loads(instances.read_text())
        content['images'][2].update(images)
        instances.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=message):
            convert_coco(instances, 'train', tmp_path)

    def test_a_file_without_annotations_overwrites_nothing(self, instances, tmp_path):
        (tmp_path / 'train.txt').write_text('a\n')
        instances.write_text(json.dumps({**json.loads(instances.read_text()), 'annotations': []}))
        with pytest.raises(ValueError, match='no image has an annotation'):
            convert_coco(instances, 'train', tmp_path)
        assert (tmp_path / 'train.txt').read_text() == 'a\n'

    def test_foreign_category(self, instances, tmp_path):
        instances.write_text(instances.read_text().replace('bottle', 'botle'))
        with pytest.raises(
            ValueError, match="class 'botle' is unknown; the closest valid name is 'bottle'"
        ):
            convert_coco(instances, 'train', tmp_path)


def test_missing_pycocotools_says_how_to_install_it(instances, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pycocotools', None)
    with pytest.raises(ImportError, match='pip install pycocotools'):
        convert_coco(instances, 'train', tmp_path)


@pytest.mark.parametrize(
    ('item', 'unknown'),
    [
        ({'segmentation': [], 'bbox': [1, 1, 2, 1]}, np.s_[1:2, 1:3]),
        ({'segmentation': None, 'bbox': [1, 1, 2, 1]}, np.s_[1:2, 1:3]),
        ({'bbox': [-3, 2, 5.5, 90]}, np.s_[2:, :3]),
        ({'segmentation': []}, np.s_[:]),
    ],
)
def test_an_object_without_an_outline_is_not_background(item, unknown):
    wanted = np.zeros((6, 8), np.uint8)
    wanted[unknown] = 255
    np.testing.assert_array_equal(draw_mask((6, 8), [{'category_id': 1, **item}], {1: 1}), wanted)


def test_a_malformed_box_is_named():
    with pytest.raises(ValueError, match='annotation 7: bbox must be'):
        draw_mask((6, 8), [{'id': 7, 'category_id': 1, 'bbox': [1, 2]}], {1: 1})

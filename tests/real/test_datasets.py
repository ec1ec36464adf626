"""Datasets and converters on real images: voc_mini and coco_mini, where they are there."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from mmwsss.datasets import COCO14WSSSDataset, VOC12WSSSDataset, WSSSDataset, read_image_labels
from mmwsss.datasets.converters import convert_coco
from mmwsss.evaluation.folder import score_masks
from mmwsss.evaluation.instance_score import InstanceScore
from mmwsss.io.mask_io import load_mask
from mmwsss.utils.config import load_config

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get('MMWSSS_DATA', ROOT.parent / 'shared' / 'data'))
COCO_CLASSES = COCO14WSSSDataset.METAINFO['classes']

pytestmark = pytest.mark.skipif(
    not (DATA / 'voc_mini').is_dir(), reason=f'real images are not there: {DATA} (MMWSSS_DATA)'
)


@pytest.mark.parametrize(('name', 'count'), [('train', 149), ('val', 21)])
def test_voc_mini_is_complete_and_each_item_loads(name, count):
    dataset = VOC12WSSSDataset(
        data_root=str(DATA / 'voc_mini'),
        data_prefix={'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClassAug'},
        ann_file=f'ImageSets/Segmentation/{name}.txt',
        labels={'source': 'masks'},
        expected_count=count,
        pipeline=[{'type': 'LoadImage'}, {'type': 'LoadMask'}, {'type': 'PackWSSSInputs'}],
    )
    assert len(dataset) == count
    for item in list(dataset)[:21]:
        sample = item['data_samples']
        present = set(np.unique(sample.gt_sem_seg.data)) - {0, 255}
        assert set((sample.gt_label.nonzero()[:, 0] + 1).tolist()) == present
        assert sample.gt_sem_seg.data.shape[1:] == item['inputs'].shape[1:]
    assert sum(dataset.class_counts.values()) >= count


@pytest.mark.parametrize('name', ['vocmini_cls', 'vocmini_seg'])
def test_voc_mini_configs_build(name):
    config = load_config(ROOT / f'configs/_base_/datasets/{name}.py')
    for loader in ('train_dataloader', 'val_dataloader'):
        settings = config[loader].dataset
        settings.data_root = str(DATA / 'voc_mini')
        item = DATASETS.build(settings)[0]
        if loader == 'train_dataloader':
            size = tuple(item['inputs'].shape[1:])
            if name.endswith('_cls'):
                assert size == config.crop_size
            else:  # mmseg's RandomCrop leaves a smaller image to the preprocessor's padding
                assert all(side <= crop for side, crop in zip(size, config.crop_size))
                assert max(size) > 200
        else:
            assert tuple(item['inputs'].shape[1:]) == item['data_samples'].ori_shape


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
    pytest.importorskip('pycocotools.mask', reason='pycocotools, the extra "coco", is missing')
    out = tmp_path_factory.mktemp('coco')
    path = DATA / 'coco_mini/annotations/instances_val2017.json'
    report = convert_coco(path, 'val', out, 'masks', expected_count=50)
    assert report.failed == {}
    return path, out


def test_coco_masks_hold_the_labelled_classes_and_fit_the_images(converted):
    path, out = converted
    ids = (out / 'val.txt').read_text().split()
    names = json.loads((out / 'labels_val.json').read_text())
    content = json.loads(path.read_text())
    annotated = {item['image_id'] for item in content['annotations']}
    assert len(ids) == len(annotated)
    hidden = 0
    for name in ids:
        mask = load_mask(out / f'masks/{name}.png', 81)
        with Image.open(DATA / f'coco_mini/images/val2017/{name}.jpg') as image:
            assert mask.shape == (image.height, image.width)
        present = {COCO_CLASSES[i] for i in np.unique(mask) if i not in (0, 255)}
        assert present <= set(names[name])
        hidden += len(set(names[name]) - present)
    assert hidden <= 0.05 * sum(map(len, names.values()))  # only crowds and fully covered objects


def test_the_instances_of_the_file_agree_with_the_masks_made_of_it(converted):
    path, out = converted
    classes = COCO14WSSSDataset.METAINFO['classes']
    score = InstanceScore(classes, path)
    found = score_masks(out / 'masks', out / 'masks', classes, None, [score]).numbers
    assert found['errors'] == {}
    assert found['num_scored'] == len((out / 'val.txt').read_text().split()) > 40
    assert (
        0.8 < found['IA-mIoU'] < 1
    )  # an object is its whole mask, also where another one hides it


def test_coco_pixels_equal_pycocotools_for_images_without_overlap(converted):
    from pycocotools.coco import COCO

    path, out = converted
    coco = COCO(str(path))
    checked = 0
    for name in (out / 'val.txt').read_text().split():
        items = coco.imgToAnns[int(name)]
        regions = [coco.annToMask(item) for item in items]
        if np.sum(regions, axis=0).max() > 1:
            continue
        expected = np.zeros(regions[0].shape, int)
        for item, region in zip(items, regions):
            category = coco.cats[item['category_id']]['name']
            expected[region == 1] = 255 if item['iscrowd'] else COCO_CLASSES.index(category)
        np.testing.assert_array_equal(load_mask(out / f'masks/{name}.png'), expected)
        checked += 1
    assert checked >= 3


def test_labels_of_instances_and_of_the_converters_json_agree(converted):
    path, out = converted
    ids = (out / 'val.txt').read_text().split()
    from_json = {'source': 'json', 'path': str(out / 'labels_val.json')}
    from_instances = {'source': 'coco', 'path': str(path)}
    assert read_image_labels(from_instances, ids, COCO_CLASSES) == read_image_labels(
        from_json, ids, COCO_CLASSES
    )


def test_instances_json_as_a_dataset_of_its_own():
    root = DATA / 'coco_mini'
    dataset = WSSSDataset(
        data_root=str(root),
        data_prefix={'img_path': 'images/train2017'},
        ann_file='annotations/instances_train2017.json',
        classes=list(COCO_CLASSES),
        labels={'source': 'coco', 'path': 'annotations/instances_train2017.json'},
        unlabeled='drop',
    )
    content = json.loads((root / 'annotations/instances_train2017.json').read_text())
    names = {item['id']: item['name'] for item in content['categories']}
    pairs = {(item['image_id'], names[item['category_id']]) for item in content['annotations']}
    expected = Counter(name for _, name in pairs)
    assert {name: n for name, n in dataset.class_counts.items() if n} == dict(expected)

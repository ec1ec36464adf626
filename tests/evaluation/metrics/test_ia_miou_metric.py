from __future__ import annotations

import json
import math
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.registry import METRICS
from mmseg.structures import SegDataSample
from PIL import Image

from mmwsss.evaluation.instances import InstanceFile
from mmwsss.evaluation.metrics import ia_miou_metric
from mmwsss.evaluation.metrics.ia_miou_metric import IAmIoUMetric
from mmwsss.functional.ia_miou import ia_miou
from tests.functional.test_ia_miou import random_scene

CLASSES = ('background', 'cat', 'dog', 'cow')


def sample(pred, gt, name, **meta):
    data = SegDataSample(
        gt_sem_seg=PixelData(data=torch.from_numpy(gt.astype(np.uint8))[None]),
        pred_sem_seg=PixelData(data=torch.from_numpy(pred)[None]),
    )
    data.set_metainfo({'img_path': f'images/{name}.jpg', **meta})
    return data


@pytest.fixture
def scenes():
    """Predictions without ignored pixels, ground truths and instance maps of six images."""
    found = []
    for seed in range(6):
        pred, gt, instances = random_scene(seed)
        found.append((np.where(pred == 255, 0, pred), gt, instances))
    return found


@pytest.fixture
def instance_dir(scenes, tmp_path):
    folder = tmp_path / 'SegmentationObject'
    folder.mkdir()
    for i, (_, _, instances) in enumerate(scenes):
        Image.fromarray(instances.astype(np.uint8)).save(folder / f'image{i}.png')
    return folder


def evaluate(metric, scenes, **meta):
    metric = METRICS.build(metric) if isinstance(metric, dict) else metric
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {'classes': CLASSES}
    samples = [sample(p, g, f'image{i}', **meta) for i, (p, g, _) in enumerate(scenes)]
    for start in range(0, len(samples), 4):
        evaluator.process(data_samples=samples[start : start + 4])
    assert len(metric.results) == len(scenes)
    return evaluator.evaluate(len(scenes))


def test_the_table_names_the_folder_of_the_instances(scenes, instance_dir, monkeypatch):
    logged = []
    monkeypatch.setattr(ia_miou_metric, 'print_log', lambda text, **options: logged.append(text))
    evaluate(dict(type='IAmIoUMetric', instance_dir=str(instance_dir)), scenes)
    assert f'instances: {instance_dir}\n' in logged[0]


def test_scores_are_those_of_the_function(scenes, instance_dir):
    preds, gts, instances = zip(*scenes)
    for metric, given in (
        (dict(type='IAmIoUMetric'), None),
        (dict(type='IAmIoUMetric', instance_dir=str(instance_dir)), instances),
    ):
        got = evaluate(metric, scenes)
        expected = ia_miou(preds, gts, given, num_classes=4)
        assert set(got) == {'IA-mIoU', 'IA_S', 'IA_M', 'IA_L'}
        assert got['IA-mIoU'] == pytest.approx(100 * expected['IA-mIoU'], abs=1e-12)
        assert got['IA_S'] == pytest.approx(100 * expected['IA_S'], abs=1e-12)
        assert math.isnan(got['IA_L'])


def test_with_background_the_score_has_another_name(scenes):
    preds, gts, _ = zip(*scenes)
    got = evaluate(dict(type='IAmIoUMetric', include_background=True), scenes)
    assert set(got) == {'IA-mIoU_with_background', 'IA_S', 'IA_M', 'IA_L'}
    expected = ia_miou(preds, gts, num_classes=4, include_background=True)
    assert got['IA-mIoU_with_background'] == pytest.approx(100 * expected['IA-mIoU'], abs=1e-12)
    assert got['IA_S'] == evaluate(dict(type='IAmIoUMetric'), scenes)['IA_S']


def test_image_id_comes_from_the_sample_first(scenes, instance_dir):
    metric = IAmIoUMetric(instance_dir=str(instance_dir), prefix='val')
    got = evaluate(metric, scenes[3:4], img_id='image3', img_path='elsewhere/other.jpg')
    assert got['val/IA-mIoU'] > 0
    got = evaluate(metric, scenes[3:4], seg_map_path='masks/image3.png', img_path='other.jpg')
    assert got['val/IA-mIoU'] > 0
    with pytest.raises(FileNotFoundError, match=r'other\.png'):
        evaluate(metric, scenes[:1], img_path='elsewhere/other.jpg')


def test_other_map_formats(scenes, tmp_path):
    preds, gts, instances = zip(*scenes)
    expected = ia_miou(preds, gts, instances, num_classes=4)
    for suffix in ('.png', '.npy'):
        for i, instance_map in enumerate(instances):
            wide = np.where(instance_map == 255, 255, instance_map * 300).astype(np.uint16)
            path = tmp_path / suffix[1:] / f'image{i}{suffix}'
            path.parent.mkdir(exist_ok=True)
            np.save(path, wide) if suffix == '.npy' else Image.fromarray(wide).save(path)
        metric = IAmIoUMetric(instance_dir=str(tmp_path / suffix[1:]))
        got = evaluate(metric, scenes)
        assert got['IA-mIoU'] == pytest.approx(100 * expected['IA-mIoU'], abs=1e-9)


@pytest.fixture
def coco_file(tmp_path):
    """Two rectangles that overlap, a category that is no class, and a crowd."""
    rectangle = [[2, 2, 8, 2, 8, 8, 2, 8]]
    annotations = [
        dict(segmentation=rectangle, category_id=17),
        dict(segmentation=[[5, 5, 14, 5, 14, 12, 5, 12]], category_id=18),
        dict(segmentation=rectangle, category_id=99),
        dict(segmentation=dict(size=[16, 20], counts=[320]), category_id=17, iscrowd=1),
    ]
    content = dict(
        images=[dict(id=7, file_name='val/image0.jpg', height=16, width=20)],
        annotations=[dict(id=i, image_id=7, **a) for i, a in enumerate(annotations)],
        categories=[dict(id=17, name='cat'), dict(id=18, name='dog'), dict(id=99, name='pizza')],
    )
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(content))
    return path


def test_instances_from_a_coco_file(coco_file):
    gt = np.zeros((16, 20), dtype=np.int64)
    gt[2:8, 2:8], gt[5:12, 5:14] = 1, 2
    got = evaluate(IAmIoUMetric(instance_file=str(coco_file)), [(gt, gt, None)])
    assert got['IA-mIoU'] == pytest.approx(100 * (27 / 36 + 1) / 2)
    metric = IAmIoUMetric(instance_file=str(coco_file), category_map={'cat': 'cow', 'dog': 'dog'})
    got = evaluate(metric, [(gt, np.where(gt == 1, 3, gt), None)])
    assert got['IA-mIoU'] == pytest.approx(50)


def test_contradictions_name_the_image(scenes, instance_dir, coco_file):
    pred, gt, _ = scenes[1]
    wrong = [(pred, np.where(gt == 255, gt, 0), None)]
    metric = IAmIoUMetric(instance_dir=str(instance_dir))
    with pytest.raises(ValueError, match=r"image 'image0': instances and gt contradict"):
        evaluate(metric, wrong)
    with pytest.raises(ValueError, match=r"image 'image0': instances must be \(4, 4\)"):
        evaluate(metric, [(np.zeros((4, 4), int), np.zeros((4, 4), int), None)])
    with pytest.raises(ValueError, match='has no image'):
        evaluate(
            IAmIoUMetric(instance_file=str(coco_file)), scenes[:1], img_path='elsewhere/nine.jpg'
        )


def test_malformed_arguments(tmp_path, coco_file):
    with pytest.raises(FileNotFoundError, match='instance maps must be a folder'):
        IAmIoUMetric(instance_dir=str(tmp_path / 'none'))
    with pytest.raises(FileNotFoundError, match=r'instance_file not found: .*none\.json'):
        IAmIoUMetric(instance_file=str(tmp_path / 'none.json'))
    with pytest.raises(ValueError, match='must not both be given'):
        IAmIoUMetric(instance_dir=str(tmp_path), instance_file=str(coco_file))
    with pytest.raises(ValueError, match=r'tolerance must lie in \[0, 1\], but got 2'):
        IAmIoUMetric(tolerance=2)
    with pytest.raises(TypeError, match='unexpected keyword'):
        IAmIoUMetric(instances_dir=str(tmp_path))
    metric = IAmIoUMetric()
    pixels = {'data': torch.zeros(1, 4, 4, dtype=torch.uint8)}
    with pytest.raises(ValueError, match="dataset_meta must have 'classes'"):
        metric.process(None, [dict(gt_sem_seg=pixels, pred_sem_seg=pixels)])
    with pytest.raises(ValueError, match="sample of 'a' has no 'gt_sem_seg'"):
        metric.process(None, [{'img_path': 'a.jpg', 'pred_sem_seg': {}}])
    metric = IAmIoUMetric(instance_file=str(coco_file))
    with pytest.raises(ValueError, match='none of its categories is among the 1 classes'):
        metric.dataset_meta = {'classes': ('background', 'sofa')}
    with pytest.raises(ValueError, match='have no background: forest'):
        IAmIoUMetric().dataset_meta = {'classes': ('forest', 'water')}


def test_missing_pycocotools_is_told_before_the_training(coco_file, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pycocotools', None)
    with pytest.raises(ImportError, match='pip install pycocotools'):
        IAmIoUMetric(instance_file=str(coco_file))


def test_only_polygons_need_pycocotools(tmp_path, coco_file, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pycocotools', None)
    content = json.loads(coco_file.read_text())
    for form, works in (([[0, 0, 2, 0, 2, 2]], False), ({'size': [1, 1], 'counts': [1]}, True)):
        for annotation in content['annotations']:
            annotation['segmentation'] = form
        path = tmp_path / 'form.json'
        path.write_text(json.dumps(content))
        with (
            nullcontext() if works else pytest.raises(ImportError, match='pip install pycocotools')
        ):
            InstanceFile(path, ['background', *(c['name'] for c in content['categories'])])


def test_an_image_of_the_same_name_in_another_folder_has_no_instances(coco_file):
    pytest.importorskip('pycocotools.mask', reason='pycocotools, the extra "coco", is missing')
    instances = InstanceFile(coco_file, ['background', 'cat', 'dog'])
    assert len(instances('val/image0', (16, 20))) == len(instances('image0', (16, 20))) == 2
    with pytest.raises(ValueError, match="has no image 'train/image0'"):
        instances('train/image0', (16, 20))

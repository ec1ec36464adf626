import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from mmwsss.evaluation.metrics import MeanIoUMetric

CLASSES = ['background', 'cat', 'dog', 'cow']


def evaluate(pred, gt):
    metric = MeanIoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = {'classes': CLASSES}
    for labels, true in zip(pred, gt):
        sample = SegDataSample()
        sample.pred_sem_seg = PixelData(data=torch.tensor([labels]))
        sample.gt_sem_seg = PixelData(data=torch.tensor([true]))
        metric.process({}, [sample.to_dict()])
    return metric, metric.evaluate(len(gt))


def test_classes_without_true_pixel_are_left_out_and_named():
    pred, gt = [[[0, 0, 1, 2]], [[0, 1, 1, 3]]], [[[0, 0, 1, 1]], [[0, 0, 1, 255]]]
    metric, scores = evaluate(pred, gt)
    # background 3 of 4, cat 2 of 4; dog took a pixel of the cat, cow one that does not count
    assert scores['mIoU'] == pytest.approx(100 * (3 / 4 + 2 / 4) / 2, abs=0.01)
    assert scores['aAcc'] == pytest.approx(100 * 5 / 7, abs=0.01)
    assert metric.notes == ('WARNING: not in the true masks and left out of the mean: dog, cow',)


def test_empty_predictions_are_told():
    metric, scores = evaluate(np.zeros((1, 1, 4), int).tolist(), [[[0, 1, 2, 3]]])
    assert scores['mIoU'] == pytest.approx(100 / 16, abs=0.01)
    assert any('nothing but background score as much' in note for note in metric.notes)


def test_a_localizer_is_sent_to_its_own_metric():
    metric = MeanIoUMetric(iou_metrics=['mIoU'])
    with pytest.raises(ValueError, match=r'masks of segmenters, .*MapIoUMetric'):
        metric.process({}, [SegDataSample().to_dict()])


def test_masks_may_only_be_written(tmp_path):
    sample = SegDataSample(metainfo={'img_path': 'x/a.jpg'})
    sample.pred_sem_seg = PixelData(data=torch.tensor([[[0, 3], [1, 1]]]))
    metric = MeanIoUMetric(output_dir=str(tmp_path), format_only=True)
    metric.dataset_meta = {'classes': CLASSES}
    metric.process({}, [sample.to_dict()])
    assert metric.evaluate(1) == {}
    assert np.array(Image.open(tmp_path / 'a.png')).tolist() == [[0, 3], [1, 1]]

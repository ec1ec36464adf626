from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.registry import METRICS
from mmseg.structures import SegDataSample

from mmwsss.evaluation.map_counts import count_maps, score_map_counts
from mmwsss.evaluation.metrics import MapIoUMetric
from mmwsss.io import ClassMaps

META = {'classes': ('background', 'cat', 'dog')}
THRESHOLDS = (0.2, 0.5, 0.8)


def data_samples(background: bool = True, count: int = 5) -> list[SegDataSample]:
    rng = np.random.default_rng(0)
    result = []
    for i in range(count):
        keys = [0, 1, 2] if background else [1, 2]
        sample = SegDataSample(metainfo={'img_id': f'im{i}', 'ori_shape': (6, 8)})
        sample.gt_sem_seg = PixelData(data=torch.tensor(rng.choice([0, 1, 2, 255], (1, 6, 8))))
        scores = torch.tensor(rng.random((len(keys), 3, 4), dtype=np.float32))
        sample.set_data({'pred_map_keys': torch.tensor(keys), 'pred_map_scores': scores})
        result.append(sample)
    return result


def expected_scores(samples):
    counts = [
        count_maps(
            ClassMaps(s.pred_map_keys.numpy(), s.pred_map_scores.numpy(), (6, 8)),
            s.gt_sem_seg.data[0].numpy(),
            THRESHOLDS,
            3,
        )
        for s in samples
    ]
    return score_map_counts(counts, THRESHOLDS, 3)


@pytest.mark.parametrize('background', [True, False])
def test_metric_through_the_evaluator(background):
    samples = data_samples(background)
    evaluator = Evaluator([MapIoUMetric(thresholds=THRESHOLDS, per_class=True)])
    evaluator.dataset_meta = META
    evaluator.process(samples[:2])
    evaluator.process(samples[2:])
    assert len(evaluator.metrics[0].results) == 5  # one entry per image
    metrics = evaluator.evaluate(size=5)
    expected = expected_scores(samples)
    assert metrics['maps/mIoU_best'] == pytest.approx(100 * expected.miou.max())
    assert metrics['maps/best_threshold'] == THRESHOLDS[expected.best]
    assert ('maps/mIoU_argmax' in metrics) is background
    if background:
        assert metrics['maps/mIoU_argmax'] == pytest.approx(100 * expected.argmax_miou)


def test_the_log_says_that_ground_truth_is_used(monkeypatch):
    logged = []
    monkeypatch.setattr(
        'mmwsss.evaluation.metrics.map_iou_metric.print_log', lambda text, **_: logged.append(text)
    )
    metric = MapIoUMetric(thresholds=THRESHOLDS, per_class=True)
    metric.dataset_meta = META
    metric.process(None, [sample.to_dict() for sample in data_samples()])
    metric.evaluate(size=5)
    assert 'uses ground truth' in logged[-1]
    assert '5 images, ignore label 255' in logged[-1]
    assert 'IoU of argmax' in logged[-1]


def test_registered_in_mmseg():
    assert isinstance(METRICS.build({'type': 'MapIoUMetric'}), MapIoUMetric)


@pytest.mark.parametrize('thresholds', [(), (0.5, 0.5), (0.6, 0.5)])
def test_thresholds_must_increase(thresholds):
    with pytest.raises(ValueError, match='strictly increasing'):
        MapIoUMetric(thresholds=thresholds)


def one_sample(**changes) -> dict:
    return {**data_samples(count=1)[0].to_dict(), **changes}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'pred_map_keys': torch.tensor([1])}, r'im0: expected integer keys'),
        ({'pred_map_keys': torch.tensor([0, 1, 3])}, r'im0: largest key must lie in \[0, 2\]'),
        ({'ori_shape': (6, 9)}, r'im0: shapes must be .*scores \(n, H, W\), but got .*\(6, 8\)'),
        ({'gt_sem_seg': {'data': torch.full((1, 6, 8), 3)}}, r'im0: gt must hold class ids 0\.\.2'),
    ],
)
def test_bad_samples_name_the_image(changes, message):
    metric = MapIoUMetric()
    metric.dataset_meta = META
    with pytest.raises(ValueError, match=message):
        metric.process(None, [one_sample(**changes)])


def test_missing_entry_and_missing_classes():
    metric = MapIoUMetric()
    sample = one_sample()
    with pytest.raises(ValueError, match="must have 'classes'"):
        metric.process(None, [sample])
    del sample['gt_sem_seg']
    metric.dataset_meta = META
    with pytest.raises(ValueError, match="data sample of 'im0' has no 'gt_sem_seg'"):
        metric.process(None, [sample])

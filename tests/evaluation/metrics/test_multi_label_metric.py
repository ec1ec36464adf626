from __future__ import annotations

import numpy as np
import pytest
import torch
from mmseg.registry import METRICS
from sklearn.metrics import average_precision_score

from mmwsss.evaluation.metrics.multi_label_metric import MultiLabelMetric, average_precision
from tests.oracles.confusion import plain_average_precision

META = {'classes': ('background', 'cat', 'dog', 'cow')}


def random_case(seed: int = 0, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.random((n, 3)) < 0.3
    labels[:, 2] = False  # a class without positive image
    scores = np.round(rng.random((n, 3)) + 0.3 * labels, 1)  # ties
    return labels, scores


def samples(labels, scores) -> list[dict]:
    return [
        {
            'img_id': f'im{i}',
            'gt_label': torch.tensor(label, dtype=torch.float32),
            'pred_score': torch.tensor(score),
        }
        for i, (label, score) in enumerate(zip(labels, scores))
    ]


def evaluate(labels, scores, **kwargs) -> dict:
    metric = MultiLabelMetric(**kwargs)
    metric.dataset_meta = META
    for sample in samples(labels, scores):
        metric.process(None, [sample])
    assert len(metric.results) == len(labels)
    return metric.evaluate(size=len(labels))


@pytest.mark.parametrize('seed', range(3))
def test_average_precision_equals_the_plain_loop_and_sklearn(seed):
    labels, scores = random_case(seed)
    got = average_precision(labels, scores)
    for k in (0, 1):
        expected = plain_average_precision(labels[:, k].tolist(), scores[:, k].tolist())
        assert got[k] == pytest.approx(expected, rel=1e-12)
        assert got[k] == average_precision_score(labels[:, k], scores[:, k])
    assert np.isnan(got[2])


def test_metric_averages_over_classes_with_positives():
    labels, scores = random_case()
    expected = average_precision(labels, scores)
    metrics = evaluate(labels, scores, per_class=True)
    assert metrics['cls/mAP'] == pytest.approx(100 * expected[:2].mean())
    assert metrics['cls/AP_cat'] == pytest.approx(100 * expected[0])
    assert np.isnan(metrics['cls/AP_cow'])
    assert list(evaluate(labels, scores)) == ['cls/mAP']


def test_perfect_and_no_positive_at_all():
    labels = np.array([[1, 0, 1], [0, 1, 0]], bool)
    assert evaluate(labels, labels.astype(float))['cls/mAP'] == 100
    assert np.isnan(evaluate(np.zeros((2, 3), bool), np.zeros((2, 3)))['cls/mAP'])


def test_registered_in_mmseg():
    assert isinstance(METRICS.build({'type': 'MultiLabelMetric'}), MultiLabelMetric)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'pred_score': None}, "data sample of 'im0' has no 'pred_score'"),
        ({'gt_label': None}, "data sample of 'im0' has no 'gt_label'"),
        ({'pred_score': torch.zeros(2)}, r'im0: pred_score must be finite .* got \(2,\)'),
        ({'pred_score': torch.full((3,), torch.nan)}, 'im0: pred_score must be finite'),
    ],
)
def test_bad_samples_name_the_image(changes, message):
    sample = {**samples(*random_case())[0], **changes}
    sample = {key: value for key, value in sample.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        MultiLabelMetric().process(None, [sample])

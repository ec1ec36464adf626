from __future__ import annotations

from mmwsss.apis.pipeline.summary import page, protocol_text

DETAILS = dict(
    images=9,
    split='train',
    crf=False,
    threshold=None,
    threshold_source=None,
    refiners=['RandomWalk'],
    uses_ground_truth=False,
    image_labels_at_inference=True,
)


def test_the_protocol_says_that_masks_chose_something():
    plain = '9 train images, refiners RandomWalk, no CRF, no threshold'
    assert protocol_text(DETAILS) == plain
    chosen = {**DETAILS, 'uses_ground_truth': True}
    assert protocol_text(chosen) == f'{plain}, chosen on these masks: uses ground truth'
    swept = {**chosen, 'threshold': 0.2, 'threshold_source': 'best of a sweep, uses ground truth'}
    assert protocol_text(swept).count('ground truth') == 1


def test_the_page_has_the_scores_of_all_metrics():
    metrics = {'mIoU': 20.0, 'aAcc': 70.0, 'boundary/F': 17.271, 'IA-mIoU': 12.5, 'time': 0.1}
    scores = [
        dict(what='masks', mIoU=30.0, protocol='p'),
        dict(what='segmenter x', mIoU=20.0, metrics=metrics, protocol='q'),
        dict(what='segmenter y', metrics={'boundary/F': 1.0}, protocol='r'),
    ]
    content = dict(name='n', seed=0, hardware='h', code='c', date='d', scores=scores, steps=[])
    lines = page(content).splitlines()
    assert '| masks | 30.00 |  | p |' in lines
    assert '| segmenter x | 20.00 | boundary/F 17.27, IA-mIoU 12.50 | q |' in lines
    assert '| segmenter y | - | boundary/F 1.00 | r |' in lines

from __future__ import annotations

import builtins
import json
import os

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import EVALUATOR, MODELS
from mmseg.structures import SegDataSample
from PIL import Image

from mmwsss.evaluation.crf_evaluator import DenseCRFEvaluator, failed_images, with_crf
from mmwsss.functional import dense_crf
from mmwsss.io import read_record
from mmwsss.models.segmentors.score_tta import merge_views
from mmwsss.stages.test import run_test
from mmwsss.utils.precision import set_precision
from tests.tiny_models import demo_dataset, tiny_resnet

SIZE = (20, 24)
METRIC = dict(type='IoUMetric', iou_metrics=['mIoU'])
META = {'classes': ['background', 'a', 'b']}


def sample(folder, seed: int = 0) -> SegDataSample:
    """A two-coloured image, noisy logits of it."""
    rng = np.random.default_rng(seed)
    truth = np.broadcast_to(np.arange(SIZE[1]) >= 6 + 4 * seed, SIZE).astype(np.int64)
    image = np.where(truth[..., None], 200, 40) + rng.normal(0, 8, (*SIZE, 3))
    path = folder / f'{seed}.png'
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)
    logits = rng.normal(0, 1, (3, *SIZE)) + 1.2 * np.stack([truth == 0, truth == 1, truth > 1])
    logits[2] -= 9
    out = SegDataSample(metainfo={'img_path': str(path), 'ori_shape': SIZE})
    logits = torch.from_numpy(logits).float()
    out.seg_logits = PixelData(data=logits)
    out.pred_sem_seg = PixelData(data=logits.argmax(dim=0, keepdim=True))
    out.gt_sem_seg = PixelData(data=torch.from_numpy(truth)[None])
    return out


def score(samples, batch: int = 1, **kwargs) -> dict:
    evaluator = EVALUATOR.build(dict(type='DenseCRFEvaluator', metrics=METRIC, **kwargs))
    evaluator.dataset_meta = META
    for i in range(0, len(samples), batch):
        evaluator.process(samples[i : i + batch])
    return evaluator.evaluate(len(samples))


def expected_miou(samples, refine: bool, **params) -> float:
    pairs = []
    for one in samples:
        probs = one.seg_logits.data.softmax(dim=0).numpy()
        if refine:
            image = np.asarray(Image.open(one.img_path))[..., ::-1]
            probs = dense_crf(np.ascontiguousarray(image), probs, **params)
        pairs.append((probs.argmax(axis=0), one.gt_sem_seg.data[0].numpy()))
    labels, truth = (np.stack(part) for part in zip(*pairs))
    unions = [(labels == c) | (truth == c) for c in range(3)]
    return 100 * np.mean([(labels == truth)[u].mean() for u in unions if u.any()])


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('batch', [1, 3])
def test_scores_without_and_with_crf_and_its_parameters(tmp_path, workers, batch):
    samples = [sample(tmp_path, seed) for seed in range(4)]
    before = [one.pred_sem_seg.data.clone() for one in samples]
    scores = score(samples, batch, workers=workers, crf={'bilateral_sxy': 20, 'iterations': 5})
    assert scores['no_crf/mIoU'] == pytest.approx(expected_miou(samples, False), abs=0.01)
    want = expected_miou(samples, True, bilateral_sxy=20, iterations=5)
    assert scores['crf/mIoU'] == pytest.approx(want, abs=0.01)
    assert scores['crf/mIoU'] > scores['no_crf/mIoU'] + 5
    stated = {key: scores[f'crf/{key}'] for key in ('bilateral_sxy', 'iterations', 'gaussian_sxy')}
    assert stated == {'bilateral_sxy': 20, 'iterations': 5, 'gaussian_sxy': 1}
    assert all(torch.equal(a, b.pred_sem_seg.data) for a, b in zip(before, samples))


def test_without_pairwise_terms_the_scores_are_equal(tmp_path):
    samples = [sample(tmp_path)]
    scores = score(samples, crf={'gaussian_compat': 0, 'bilateral_compat': 0})
    assert scores['crf/mIoU'] == scores['no_crf/mIoU']


def test_improbable_classes_may_be_left_out(tmp_path, monkeypatch):
    seen = []

    def watch(image, probs, **params):
        seen.append(probs.any(axis=(1, 2)).tolist())
        return dense_crf(image, probs, **params)

    monkeypatch.setattr('mmwsss.evaluation.crf_evaluator.dense_crf', watch)
    samples = [sample(tmp_path)]
    assert score(samples)['crf/mIoU'] == score(samples, min_peak=0.1)['crf/mIoU']
    assert seen == [[True, True, True], [True, True, False]]


def test_files_of_predictions_are_those_with_crf(tmp_path):
    one = sample(tmp_path)
    metric = {**METRIC, 'output_dir': str(tmp_path / 'out')}
    evaluator = DenseCRFEvaluator([metric])
    assert 'output_dir' in metric  # the caller's config stays as it is
    evaluator.dataset_meta = META
    evaluator.process([one])
    evaluator.evaluate(1)
    labels = np.asarray(Image.open(tmp_path / 'out' / '0.png'))
    assert (labels == one.gt_sem_seg.data[0].numpy()).mean() > 0.99
    assert (one.pred_sem_seg.data == one.gt_sem_seg.data).float().mean() < 0.95


def test_what_cannot_be_refined_is_said(tmp_path):
    one = sample(tmp_path)
    one.pred_sem_seg.data = 1 - one.pred_sem_seg.data
    with pytest.raises(ValueError, match=r'0\.png: the labels are not the argmax.*ScoreTTAModel'):
        score([one])
    one = sample(tmp_path)
    one.seg_logits.data = one.seg_logits.data[:1]
    with pytest.raises(ValueError, match=r'needs seg_logits \(K >= 2, H, W\), but got \(1,'):
        score([one])
    del one.seg_logits
    with pytest.raises(ValueError, match=r'needs seg_logits .* but got \(0,\)'):
        score([one])
    one = sample(tmp_path)
    Image.new('RGB', (9, 9)).save(one.img_path)
    with pytest.raises(ValueError, match=r'shapes must be probs \(K, 9, 9\), but got \(3, '):
        score([one])


@pytest.mark.parametrize(('workers', 'dies'), [(0, False), (2, False), (2, True)])
def test_one_failing_crf_stops_no_other(tmp_path, monkeypatch, workers, dies):
    def sometimes(image, probs, **params):
        if abs(int(image[0, 0, 0]) - 250) < 3:
            if dies:
                os._exit(1)
            raise RuntimeError('no energy')
        return dense_crf(image, probs, **params)

    monkeypatch.setattr('mmwsss.evaluation.crf_evaluator.dense_crf', sometimes)
    samples = [sample(tmp_path, seed) for seed in range(6)]
    whole = score(samples, workers=workers)
    assert failed_images(whole) == 0
    picture = np.array(Image.open(samples[2].img_path))
    picture[0, 0] = 250
    Image.fromarray(picture).save(samples[2].img_path)
    lines = []
    monkeypatch.setattr(
        'mmwsss.evaluation.crf_evaluator.print_log', lambda text, *_, **__: lines.append(text)
    )
    scores = score(samples, workers=workers)
    assert failed_images(scores) == scores['crf/failed_images'] == 1
    assert failed_images({f'voc/{key}': value for key, value in scores.items()}) == 1
    assert set(scores) - {'crf/failed_images'} == set(whole)
    assert scores['no_crf/mIoU'] == whole['no_crf/mIoU']
    assert scores['no_crf/mIoU'] < scores['crf/mIoU'] < whole['crf/mIoU']
    reason = 'worker process died' if dies else 'no energy'
    assert any('2.png' in line and reason in line for line in lines)
    assert any('failed on 1 of 6 images, which keep their prediction' in line for line in lines)


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (
            {'crf': {'sxy': 1}},
            ValueError,
            "crf: argument 'sxy' is unknown; valid names are gaussian_sxy",
        ),
        ({'crf': {'bilateral_srgb': 0}}, ValueError, r'bilateral_srgb must lie in \(0, inf\)'),
        ({'min_peak': 1}, ValueError, r'min_peak must lie in \[0, 1\)'),
        ({'workers': -1}, ValueError, 'workers must be >= 0'),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        DenseCRFEvaluator(METRIC, **arguments)


def test_missing_package_is_said_at_the_start(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith('pydensecrf'):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without)
    with pytest.raises(ImportError, match=r'pip install "mmwsss\[crf\]"'):
        DenseCRFEvaluator(METRIC)


def test_switch_around_other_metrics():
    assert with_crf(METRIC, 2) == {'type': 'DenseCRFEvaluator', 'metrics': METRIC, 'workers': 2}
    assert with_crf({'type': 'Evaluator', 'metrics': [METRIC]})['metrics'] == [METRIC]
    assert with_crf(with_crf([METRIC], 3)) == with_crf([METRIC], 3)


def segmenter_config(demo_root, work_dir, **kwargs) -> Config:
    """A segmenter with random weights and its test."""
    head = dict(type='DeepLabV2Head', in_channels=64, in_index=3, num_classes=6, dilations=(1, 2))
    loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
    normalize = dict(type='SegDataPreProcessor', mean=[127.5] * 3, std=[64.0] * 3, bgr_to_rgb=True)
    cfg = dict(
        default_scope='mmseg',
        work_dir=str(work_dir),
        model=dict(
            type='EncoderDecoder',
            data_preprocessor=normalize,
            backbone=tiny_resnet(),
            decode_head=dict(**head, align_corners=True, loss_decode=loss),
            test_cfg=dict(mode='whole'),
        ),
        test_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=demo_dataset(demo_root, 'val', masks=True, test_mode=True),
        ),
        test_cfg=dict(type='TestLoop'),
        test_evaluator=dict(type='DenseCRFEvaluator', metrics=[METRIC], workers=1),
        randomness=dict(seed=0),
        log_level='WARNING',
    )
    return Config({**cfg, **kwargs})


VIEWS = dict(
    type='TestTimeAug',
    transforms=[
        [dict(type='Resize', scale_factor=s, keep_ratio=True) for s in (1.0, 1.5)],
        [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
        [dict(type='LoadMask')],
        [dict(type='PackWSSSInputs')],
    ],
)


@pytest.mark.parametrize('tta', [False, True])
def test_any_segmenter_by_a_switch_in_its_config(demo_root, tmp_path, tta):
    cfg = segmenter_config(demo_root, tmp_path)
    if tta:
        cfg.test_dataloader.dataset.pipeline = [dict(type='LoadImage'), VIEWS]
        cfg.model = dict(type='ScoreTTAModel', module=cfg.model)
    scores = Runner.from_cfg(cfg).test()
    assert 0 <= scores['crf/mIoU'] <= 100
    (file,) = (f for f in tmp_path.rglob('*.json') if 'vis_data' not in f.parts)
    stored = json.loads(file.read_text())
    assert stored['crf/mIoU'] == scores['crf/mIoU']
    assert stored['crf/bilateral_sxy'] == 67


def test_switch_on_the_command_line(demo_root, tmp_path):
    cfg = segmenter_config(demo_root, tmp_path, test_evaluator=METRIC)
    cfg.test_dataloader.dataset.ann_file = 'ImageSets/Segmentation/train.txt'
    model = MODELS.build(cfg.model)
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, tmp_path / 'model.pth')
    set_precision(cfg, 'bfloat16')
    scores = run_test(cfg, tmp_path / 'model.pth', crf=True, out=str(tmp_path / 'out'))
    assert {'crf/mIoU', 'no_crf/mIoU', 'crf/iterations'} <= set(scores)
    assert len(list((tmp_path / 'out').glob('*.png'))) == 8
    texts = [score.protocol.text() for score in read_record(cfg.work_dir).scores]
    assert texts
    assert all('backbone in bfloat16' in text for text in texts)


def test_merged_views_keep_their_scores(tmp_path):
    torch.manual_seed(0)
    views = [sample(tmp_path) for _ in range(3)]
    for view in views:
        view.seg_logits.data = 3 * torch.randn(3, *SIZE)
    mean = sum(view.seg_logits.data.softmax(dim=0) for view in views) / 3
    (one,) = merge_views([view] for view in views)
    torch.testing.assert_close(one.seg_logits.data.softmax(dim=0), mean)
    assert torch.equal(one.pred_sem_seg.data[0], mean.argmax(dim=0))


@pytest.mark.parametrize(('mirrors', 'flip'), [((0.0, 1.0), True), ((0.0,), False), ((), False)])
def test_the_record_has_the_views_of_the_test(demo_root, tmp_path, mirrors, flip):
    cfg = segmenter_config(demo_root, tmp_path, test_evaluator=METRIC)
    scales, _, *rest = VIEWS['transforms']
    steps = [dict(type='mmcv.RandomFlip', prob=p, direction='horizontal') for p in mirrors]
    views = dict(VIEWS, transforms=[scales, *([steps] if steps else []), *rest])
    cfg.tta_model, cfg.tta_pipeline = dict(type='ScoreTTAModel'), [dict(type='LoadImage'), views]
    model = MODELS.build(cfg.model)
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, tmp_path / 'model.pth')
    run_test(cfg, tmp_path / 'model.pth', tta=True)
    (score,) = read_record(tmp_path).scores
    assert (score.protocol.scales, score.protocol.flip) == ([1.0, 1.5], flip)

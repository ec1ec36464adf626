"""Data without a background class: from labels to a score of K classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS

from mmwsss.datasets.converters import convert_folder
from mmwsss.evaluation.doubts import doubtful_masks, doubtful_score
from mmwsss.evaluation.folder import resolve_classes, score_maps
from mmwsss.evaluation.instance_score import InstanceScore
from mmwsss.evaluation.metrics import MapIoUMetric, MultiLabelMetric
from mmwsss.io import ClassMaps, load_class_maps, load_mask, read_record, save_mask
from mmwsss.models import EfficientNetLite
from mmwsss.models.heads.base import check_own_background
from mmwsss.refine.chain import RefinerChain
from mmwsss.report import write_run_report
from mmwsss.stages.annotations import export_masks
from mmwsss.stages.imported import read_foreign
from mmwsss.stages.masks import make_masks
from mmwsss.visualization.tiles import error_kinds
from tests.pipeline.pipelines import NO_WORKERS, ROOT, SMALL, pipeline
from tests.tissue import CLASSES, make_tissue

MAPS = ClassMaps(
    np.array([1, 3]), np.array([[[0.9, 0.2, 0.4]], [[0.1, 0.3, 0.4]]], np.float32), (1, 3)
)


@pytest.fixture(scope='module')
def chain(tmp_path_factory):
    """Data, folder and summary of the whole pipeline, with networks that have learnt next to nothing."""
    root = tmp_path_factory.mktemp('tissue')
    make_tissue(root / 'data', count=10, size=48)
    torch.save(EfficientNetLite(variant=2).state_dict(), root / 'lite2.pth')
    shared = {**SMALL, 'pretrained': str(root / 'lite2.pth')}
    small = {'localizer.model.test_cfg.scales': [0.5], 'data_root': str(root / 'data')}
    small.update({f'localizer.{key}': value for key, value in shared.items()})
    small.update({f'segmenter.{key}': value for key, value in {**shared, **NO_WORKERS}.items()})
    made = pipeline(ROOT / 'configs' / 'pipelines' / 'custom_tissue.py', root / 'work', small)
    return made, root / 'work', made.run()


def test_one_pipeline_leads_from_labels_to_a_score_of_the_classes(chain):
    made, work, summary = chain
    heads = [made.config(made.spec.stage(name)).model for name in ('localizer', 'segmenter')]
    assert heads[0].head.num_classes == heads[1].decode_head.num_classes == len(CLASSES)
    scores = {stage.name: score for stage in summary.stages for score in stage.scores}
    assert set(scores) == {'masks_score', 'segmenter_score'}
    assert 0 < scores['masks_score'].miou < 1
    assert list(scores['masks_score'].per_class) == list(CLASSES)
    assert read_record(work / 'masks').classes == list(CLASSES)
    names = [path.stem for path in (work / 'maps').glob('*.npz')]
    assert len(names) == 9
    for name in names:
        maps = load_class_maps(work / 'maps' / f'{name}.npz')
        expected = maps.keys[maps.full_size_scores().argmax(0)] - 1
        np.testing.assert_array_equal(load_mask(work / 'masks' / f'{name}.png', 3), expected)
    assert not any('background' in text for stage in summary.stages for text in stage.doubts)


def test_the_report_draws_all_classes(chain):
    _, work, _ = chain
    path, report = write_run_report(work)
    assert report.failed == []
    (masks,) = (each for each in report.galleries if each.name == 'masks')
    assert {name for _, name, _ in masks.legend} <= set(CLASSES)
    layers = [layer for each in masks.pictures.values() for p in each for layer in p.layers]
    assert not masks.has_maps
    drawn = next(np.asarray(each.picture) for each in layers if each.title == 'largest map')
    assert (drawn[..., 3] == 255).all()
    text = path.read_text()
    assert 'Masks of nothing but background' not in text
    assert 'IoU by object size' not in text


def test_the_largest_map_decides_and_undecided_pixels_stay(chain):
    assert RefinerChain(background=False)(MAPS).tolist() == [[0, 2, 0]]
    confident = [dict(type='ConfidenceThreshold', min_confidence=0.35)]
    assert RefinerChain(confident, background=False)(MAPS).tolist() == [[0, 255, 0]]
    nothing = ClassMaps(np.zeros(0, int), np.zeros((0, 1, 3), np.float32), (1, 3))
    assert RefinerChain(confident, background=False)(nothing).tolist() == [[255, 255, 255]]
    with_background = ClassMaps(np.array([0, 1]), MAPS.scores, (1, 3))
    with pytest.raises(ValueError, match='the class maps have a background map'):
        RefinerChain(background=False)(with_background)


def test_the_dense_crf_takes_maps_without_background():
    pytest.importorskip('pydensecrf')
    image = np.repeat(np.repeat([[[10] * 3, [240] * 3]], 6, 1), 12, 0).astype(np.uint8)
    scores = np.full((2, 12, 12), 0.5, np.float32)
    scores[0, :, :5], scores[1, :, 7:] = 0.9, 0.9
    scores[0, 6, 1], scores[1, 6, 1] = 0.1, 0.9  # an outlier
    labels = RefinerChain([dict(type='DenseCRF')], background=False)(
        ClassMaps(np.array([1, 2]), scores, (12, 12)), image
    )
    assert (labels[:, :6] == 0).all()
    assert (labels[:, 6:] == 1).all()


@pytest.mark.parametrize(
    'refiner',
    [
        dict(type='BackgroundThreshold', threshold=0.3),
        dict(type='BackgroundThreshold', threshold='chosen'),
        dict(type='ConfidentLabels'),
        dict(type='SVMExpansion'),
    ],
    ids=lambda cfg: '-'.join(map(str, cfg.values())),
)
def test_refiners_that_need_a_background_refuse(chain, tmp_path, refiner):
    made, work, _ = chain
    cfg = Config(made.config(made.spec.stage('localizer')).to_dict())
    cfg.mask_cfg = dict(refiners=[refiner])
    with pytest.raises(ValueError, match=rf'{refiner["type"]} needs a background, which'):
        make_masks(cfg, work / 'maps', tmp_path)


def test_what_compares_with_a_background_refuses(tmp_path):
    sides = dict(side_in_channels=(4,), side_channels=(4,), side_indices=(0,), size_index=0)
    head = MODELS.build(dict(type='SIPEHead', num_classes=3, in_channels=8, **sides))
    with pytest.raises(ValueError, match='SIPEHead makes a background map, but'):
        check_own_background(head, CLASSES)
    head = MODELS.build(dict(type='AMNHead', num_classes=3, in_channels=8))
    with pytest.raises(ValueError, match='AMNHead learns a background, but'):
        check_own_background(head, CLASSES)
    with pytest.raises(ValueError, match='over background thresholds'):
        MapIoUMetric().dataset_meta = {'classes': CLASSES}
    with pytest.raises(ValueError, match='over background thresholds'):
        score_maps(tmp_path, tmp_path, CLASSES)
    with pytest.raises(ValueError, match='objects before a background'):
        InstanceScore(CLASSES)
    with pytest.raises(ValueError, match='objects before a background'):
        export_masks(tmp_path, tmp_path / 'out', 'coco', CLASSES, ids=['a'])


def test_labels_count_from_one_and_masks_from_zero(tmp_path):
    make_tissue(tmp_path, count=3, size=24)
    cfg = dict(
        type='WSSSDataset',
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        classes=CLASSES,
        background=False,
        labels=dict(source='masks'),
        pipeline=[dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')],
    )
    dataset = DATASETS.build(cfg)
    assert dataset.metainfo['classes'] == CLASSES
    assert (0, 0, 0) not in map(tuple, dataset.metainfo['palette'])
    assert list(dataset.class_counts) == list(CLASSES)
    for item in dataset:
        sample = item['data_samples']
        ids = sample.gt_sem_seg.data.unique().tolist()
        assert sample.gt_label.nonzero()[:, 0].tolist() == ids
    save_mask(tmp_path / 'masks' / 't000.png', np.full((24, 24), 3, np.uint8))
    with pytest.raises(ValueError, match='t000'):
        DATASETS.build(cfg)
    for wrong in (('background', 'a', 'b'), ('a',)):
        with pytest.raises(ValueError, match='expected 2 to 254 classes, none of them'):
            DATASETS.build({**cfg, 'classes': wrong})


def test_masks_that_number_otherwise_are_named_by_their_ids(tmp_path):
    make_tissue(tmp_path, count=9, size=24)
    for path in (tmp_path / 'masks').iterdir():
        save_mask(path, np.array([1, 0, 2], np.uint8)[load_mask(path, 3)])
    arguments = dict(labels=str(tmp_path / 'names.csv'), true_masks=str(tmp_path / 'masks'))
    with pytest.raises(ValueError, match='0 is dots, not checks, 1 is checks, not dots'):
        convert_folder(str(tmp_path / 'images'), None, **arguments, background=False)


def test_maps_of_other_programs(tmp_path):
    path = tmp_path / 'a.npz'
    np.savez(path, keys=np.array([0, 2]), cam=MAPS.scores)
    for keys in ('foreground', 'ids'):  # the same where there is no background
        assert read_foreign(path, 3, keys=keys, background=False).keys.tolist() == [1, 3]
    np.savez(path, keys=np.array([0, 3]), cam=MAPS.scores)
    with pytest.raises(ValueError, match='expected different integers'):
        read_foreign(path, 3, keys='ids', background=False)


def test_doubts_know_that_there_is_no_background():
    every = np.ones(3, bool)
    assert doubtful_masks(np.array([5, 3, 2, 0]), CLASSES, every) == []
    assert doubtful_masks(np.array([10, 0, 0, 0]), CLASSES, every) == [
        'the masks are nothing but checks',
        'no mask has dots, stripes',
    ]
    areas = np.array([[0, 0, 6], [0, 0, 10], [1, 3, 6]])
    assert any('nothing but stripes score' in text for text in doubtful_score(areas, 0, CLASSES))
    given, truth = np.array([[0, 1, 255, 2]]), np.array([[0, 0, 0, 255]])
    assert error_kinds(given, truth, background=False).tolist() == [[0, 3, 1, 0]]


def test_the_image_level_score_names_all_classes():
    metric = MultiLabelMetric(per_class=True)
    metric.dataset_meta = {'classes': CLASSES}
    results = [(np.eye(3)[i] > 0, np.eye(3)[i]) for i in range(3)]
    assert metric.compute_metrics(results) == {
        'mAP': 100,
        **{f'AP_{name}': 100 for name in CLASSES},
    }


def test_classes_of_a_file(tmp_path):
    path = tmp_path / 'classes.txt'
    path.write_text('\n'.join(CLASSES))
    assert resolve_classes(str(path), background=False) == list(CLASSES)
    assert resolve_classes(None, 2, background=False) == ['class 0', 'class 1']
    assert resolve_classes(str(path)) == ['background', *CLASSES]

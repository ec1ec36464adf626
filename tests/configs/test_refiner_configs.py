from __future__ import annotations

from pathlib import Path

import pytest
from mmseg.registry import EVALUATOR, MODELS

from mmwsss.functional import CRFLattice, dense_crf
from mmwsss.pipeline import read_pipeline
from mmwsss.refine import DenseCRF, PixelAdaptiveRefinement, RefinerChain, SegmentVote
from mmwsss.stages.masks import mask_settings
from mmwsss.utils.config import load_config

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('svm/*.py')), ids=lambda path: path.stem)
def test_classifiers_start_from_the_localizer_whose_features_they_use(path):
    cfg = load_config(path)
    *before, last = mask_settings(cfg)['refiners']
    (refiner,) = RefinerChain([last]).refiners
    localizer = load_config(CONFIGS.parent / refiner.network.config)
    assert cfg.model == localizer.model
    assert before == localizer.mask_cfg.refiners
    assert Path(refiner.network.checkpoint).parent.name == Path(refiner.network.config).stem
    backbone = MODELS.build({**cfg.model.backbone, 'init_cfg': None})
    assert set(refiner.layers) <= {name for name, _ in backbone.named_modules()}


@pytest.mark.parametrize(
    'path',
    sorted([*CONFIGS.glob('par/*.py'), *CONFIGS.glob('segment_vote/*.py')]),
    ids=lambda path: path.stem,
)
def test_refiners_of_maps_with_a_background_differ_from_sipe_in_the_refiner_only(path):
    cfg = load_config(path)
    sipe = load_config(CONFIGS / 'sipe' / f'sipe{path.name.removeprefix(path.parent.name)}')
    (refiner,) = RefinerChain(mask_settings(cfg)['refiners']).refiners
    assert isinstance(refiner, (PixelAdaptiveRefinement, SegmentVote))
    cfg.pop('segment_dir', None)
    assert {**cfg, 'mask_cfg': None} == {**sipe, 'mask_cfg': None}
    chosen = [dict(type='BackgroundThreshold', threshold='chosen', replace=True)]
    assert sipe.mask_cfg.refiners == (chosen if 'lite2' in path.stem else [])


def test_a_crf_cleans_sipes_masks_of_coco_before_the_segmenter():
    spec = read_pipeline(CONFIGS / 'pipelines/sipe_coco14.py')
    stages = {stage.name: stage for stage in spec.stages}
    cfg = load_config(stages['masks'].config, stages['masks'].options)
    (crf,) = RefinerChain(mask_settings(cfg)['refiners']).refiners
    assert isinstance(crf, DenseCRF)
    assert crf.from_labels
    assert stages['segmenter'].options['pseudo_mask_dir'] == '{masks}'
    plain = load_config(stages['seed_masks'].config, stages['seed_masks'].options)
    assert mask_settings(plain)['refiners'] == []


def test_crf_of_the_segmenter_is_deeplabv2s():
    cfg = load_config(CONFIGS / 'deeplabv2/deeplabv2_r101_voc_pseudo_crf.py')
    plain = load_config(CONFIGS / 'deeplabv2/deeplabv2_r101_voc_pseudo.py')
    assert cfg.model == plain.model
    assert cfg.test_evaluator.metrics == [plain.test_evaluator]
    evaluator = EVALUATOR.build(cfg.test_evaluator)
    defaults = {**CRFLattice.__init__.__kwdefaults__, **dense_crf.__kwdefaults__}
    assert evaluator.params == {key: defaults[key] for key in evaluator.params}

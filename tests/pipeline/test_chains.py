"""The chains with refiners that are trained or that look into the localizer, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmwsss.io import read_record
from tests.pipeline.pipelines import SMALL, pipeline, small_pipeline

pytest.importorskip('pydensecrf')
CHAINS = Path(__file__).parent / 'chains'


@pytest.mark.parametrize(
    ('base', 'stages', 'details'),
    [
        ('sipe_irn_demo.py', ['irn_labels', 'irn'], dict(refiners=['RandomWalk'], threshold=None)),
        (
            CHAINS / 'rpnet_irn.py',
            ['irn_labels', 'irn'],
            dict(refiners=['RandomWalk'], threshold=0.25),
        ),
        (CHAINS / 'sipe_svm.py', [], dict(refiners=['SVMExpansion'], threshold=None)),
    ],
)
def test_masks_of_other_chains(demo_root, tmp_path, base, stages, details):
    more = {'irn': SMALL} if stages else {}
    config = small_pipeline(tmp_path, demo_root, base, **more)
    made = pipeline(config, tmp_path / 'work')
    made.run(last='masks_score')
    done = {decision.stage for decision in made.plan() if decision.action == 'skip'}
    scored = {'maps', 'maps_score', 'masks', 'masks_score'}
    # Nothing of the SVM's masks depends on the localizer's own masks, so they may come later.
    assert done - {'seed_masks', 'seed_masks_score'} == {'data', 'localizer', *scored, *stages}
    assert {'seed_masks', 'seed_masks_score'} <= {stage.name for stage in made.spec.stages}
    (score,) = read_record(tmp_path / 'work' / 'masks_score').scores
    assert {key: getattr(score.protocol, key) for key in details} == details
    assert score.protocol.initial_weights == 'scratch'
    record = read_record(tmp_path / 'work' / 'masks')
    (refiner,) = record.settings['refiners']
    network = 'irn' if stages else 'localizer'
    assert refiner['config'].startswith(str(tmp_path / 'work' / network))
    assert refiner['checkpoint'] == str(tmp_path / 'work' / network / 'iter_3.pth')
    assert record.complete
    assert any(name.startswith('refiner_file_') for name in record.inputs)

"""The data and the figures of the benchmark of the whole chain."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from mmwsss.io import read_id_list
from mmwsss.pipeline import read_pipeline
from mmwsss.pipeline.summary import StageSummary, Summary


@pytest.fixture
def chain(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / 'benchmarks'))
    return importlib.import_module('chain')


def test_the_first_images_of_a_dataset(chain, demo_root, tmp_path):
    (tmp_path / 'whole').mkdir()
    for name in ('JPEGImages', 'ImageSets'):
        (tmp_path / 'whole' / name).symlink_to(demo_root / name)
    (tmp_path / 'whole' / 'SegmentationClassAug').symlink_to(demo_root / 'SegmentationClass')
    (tmp_path / 'part').mkdir()
    chain.small_copy(tmp_path / 'whole', tmp_path / 'part', 3, 2)
    lists = tmp_path / 'part' / 'ImageSets' / 'Segmentation'
    for split, number in (('train', 3), ('val', 2)):
        ids = read_id_list(demo_root / 'ImageSets' / 'Segmentation' / f'{split}.txt')
        assert read_id_list(lists / f'{split}.txt') == ids[:number]
        assert (tmp_path / 'part' / 'JPEGImages' / f'{ids[0]}.jpg').is_file()


def test_shares_of_the_stages(chain):
    stages = [StageSummary('maps', 'maps', seconds=30.0), StageSummary('x', 'test', seconds=90.0)]
    found = chain.shares(Summary('p', 'p.py', stages=stages), 64)
    assert found['images_per_minute'] == 32
    assert found['stages']['maps'] == {'seconds': 30.0, 'share': 0.25}


def test_its_options_are_those_of_the_pipeline(chain):
    pairs = (option.split('=') for option in chain.OPTIONS)
    options = {key: None if value == 'None' else value for key, value in pairs}
    spec = read_pipeline(chain.parse_args([]).pipeline, options)
    names = [stage.name for stage in spec.stages]
    assert names[-2:] == ['segmenter', 'segmenter_score']
    assert len(names) == 7

"""Metafiles: MIM's rules, and agreement with configs and run summaries."""

from __future__ import annotations

import json
import runpy
import statistics
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from mmwsss.io import Protocol, Score
from mmwsss.pipeline.summary import StageSummary, Summary, read_summary

ROOT = Path(__file__).parents[2]
INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())
METAFILES = {name: yaml.safe_load((ROOT / name).read_text()) for name in INDEX['Import']}
MODELS = [model for content in METAFILES.values() for model in content['Models']]


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(ROOT / '.dev' / 'metafiles.py'))


def test_files_are_what_configs_and_results_say(tool, capsys):
    assert tool['main'](['--check']) == 0, capsys.readouterr().err


def test_every_config_with_results_is_listed_once_and_exists():
    configs = [model['Config'] for model in MODELS]
    assert len(configs) == len(set(configs)) > 8
    assert all(model['Results'] for model in MODELS)
    assert all((ROOT / config).is_file() for config in configs)
    names = [model['Name'] for model in MODELS]
    assert names == [Path(config).stem for config in configs]
    assert len(names) == len(set(names))
    assert set(METAFILES) == {str(p.relative_to(ROOT)) for p in ROOT.glob('configs/*/metafile.yml')}


def test_collections_are_known_and_point_to_pages():
    for name, content in METAFILES.items():
        (collection,) = content['Collections']
        assert {model['In Collection'] for model in content['Models']} == {collection['Name']}
        assert (ROOT / collection['README']).is_file(), name


def test_all_sets_of_a_joined_training_set_are_named():
    named = {model['Name']: model['Metadata']['Training Data'] for model in MODELS}
    assert named['size_balanced_mobilenetv2_mini_ce'] == 'voc_mini, voc20'
    assert named['cam_mobilenetv2_vocmini'] == 'voc_mini'


def test_scores_are_means_over_the_seeds():
    name, what = 'sipe_mobilenetv2_vocmini', 'masks'
    scores = [
        100 * score.miou
        for path in (ROOT / 'results' / name).glob('seed*.json')
        for stage in read_summary(path).stages
        for score in stage.scores
        if score.what == what
    ]
    (entry,) = (model for model in MODELS if model['Name'] == name)
    (result,) = (r for r in entry['Results'] if r['Run'] == name and r['Scored'] == what)
    assert len(scores) == result['Seeds'] >= 3
    assert result['Metrics'] == {'mIoU': round(statistics.mean(scores), 2)}


def small_project(root: Path) -> Path:
    """A project of one config and one stored run; returns the run's summary."""
    folder = root / 'configs' / 'cam'
    folder.mkdir(parents=True)
    (root / 'configs' / '_base_').symlink_to(ROOT / 'configs' / '_base_')
    config = ROOT / 'configs' / 'cam' / 'cam_tiny_demo.py'
    (folder / config.name).write_text(config.read_text())
    summary = root / 'results' / 'a' / 'seed0.json'
    summary.parent.mkdir(parents=True)
    scores = [
        Score('masks', Protocol(), {'mIoU': 0.01}),
        Score('coverage', Protocol(), {'part_recall': 0.03}),
    ]
    stage = StageSummary('masks_score', 'score', 'configs/cam/cam_tiny_demo.py', scores=scores)
    run = Summary('a', 'configs/pipelines/cam_demo.py', seed=0, stages=[stage])
    summary.write_text(json.dumps(asdict(run)))
    return summary


def metafile(root: Path) -> dict:
    return yaml.safe_load((root / 'configs' / 'cam' / 'metafile.yml').read_text())


def test_another_score_makes_the_check_fail_and_collections_are_kept(tool, tmp_path, capsys):
    main = tool['main']
    summary = small_project(tmp_path)
    assert main(['--check'], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert main(['--check'], tmp_path) == 0
    (result,) = metafile(tmp_path)['Models'][0]['Results']
    assert result['Metrics'] == {'mIoU': 1.0}
    assert (result['Dataset'], result['Seeds']) == ('demo', 1)

    trial = json.loads(summary.read_text())
    trial |= {'seed': 1, 'options': {'localizer.x': '1'}}
    (summary.parent / 'seed1.json').write_text(json.dumps(trial))
    assert main(['--check'], tmp_path) == 0
    second = json.loads(summary.read_text().replace('0.01', '0.02'))
    second |= {'seed': 1, 'options': {'configs.localizer': 'a.py', 'stages.maps.list': 'a.txt'}}
    (summary.parent / 'seed1.json').write_text(json.dumps(second))
    assert main(['--check'], tmp_path) == 1
    assert 'configs/cam/metafile.yml is not what' in capsys.readouterr().err

    content = metafile(tmp_path)
    content['Collections'][0]['Name'] = 'Mine'
    (tmp_path / 'configs' / 'cam' / 'metafile.yml').write_text(yaml.safe_dump(content))
    main([], tmp_path)
    (model,) = metafile(tmp_path)['Models']
    assert model['In Collection'] == 'Mine'
    assert model['Results'][0]['Metrics'] == {'mIoU': 1.5}

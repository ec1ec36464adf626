"""Labels judged by models that have not seen them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS

from mmwsss.io import RecordError, hash_file, make_record, read_record, write_record
from mmwsss.report.audit import write_audit_page
from mmwsss.stages import audit as stage
from mmwsss.stages.audit import audit_labels
from mmwsss.stages.load import load_localizer
from mmwsss.stages.maps import predict_item
from tests.oracles.label_audit import plain_contradictions
from tests.tiny_models import localizer_config, segmenter_config
from tests.tools.run import run_here


@pytest.fixture(scope='module')
def cfg(demo_root):
    return Config(localizer_config(demo_root, custom_imports={'imports': ['mmwsss']}))


@pytest.fixture(scope='module')
def audited(cfg, tmp_path_factory):
    """An audit by two folds, and its folder."""
    out = tmp_path_factory.mktemp('audit')
    return audit_labels(cfg, out, folds=2, seed=3), out


def scores_of(folder):
    with (folder / 'scores.csv').open(newline='') as file:
        header, *rows = list(csv.reader(file))
    return header, {name: list(map(float, values)) for name, *values in rows}


def test_each_image_is_judged_by_the_model_that_has_not_seen_it(audited):
    audit, out = audited
    seen = []
    for fold in ('fold_0', 'fold_1'):
        trained = (out / fold / 'train.txt').read_text().split()
        header, scores = scores_of(out / fold)
        assert header == ['id', *audit.images.classes[1:]]
        assert len(trained) == len(scores) == 4
        assert not set(trained) & set(scores)
        assert all(audit.models[name].parent == out / fold for name in scores)
        seen += trained
        model = load_localizer(audit.cfg, audit.models[next(iter(scores))])
        for name in scores:
            item = audit.images.dataset[audit.images.positions[name]]
            np.testing.assert_allclose(
                predict_item(model, item).pred_score, scores[name], rtol=1e-5
            )
    assert sorted(seen) == sorted(audit.images.paths)
    assert read_record(out / 'fold_0').result['seed'] == 3


def test_doubts_are_the_rules_and_the_csv_has_them(audited):
    audit, out = audited
    scores = {**scores_of(out / 'fold_0')[1], **scores_of(out / 'fold_1')[1]}
    names, classes = list(audit.images.paths), audit.images.classes
    labels = [[i in audit.images.labels[n] for i in range(1, len(classes))] for n in names]
    single = [k for k in range(len(labels[0])) if sum(row[k] for row in labels) == 1]
    expected = [
        (names[n], k + 1)
        for n, k in plain_contradictions([scores[name] for name in names], labels)
        if k not in single
    ]
    assert [(doubt.image, doubt.class_id) for doubt in audit.doubts] == expected
    assert {doubt.kind for doubt in audit.doubts} == {'missing', 'surplus'}
    assert all(classes[k + 1] in ' '.join(audit.notes) for k in single)
    with (out / 'contradictions.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    for row, doubt in zip(rows, audit.doubts, strict=True):
        given = doubt.class_id in audit.images.labels[doubt.image]
        assert row['kind'] == doubt.kind == ('surplus' if given else 'missing')
        assert (row['id'], row['class']) == (doubt.image, classes[doubt.class_id])
        assert float(row['probability']) == pytest.approx(doubt.probability, abs=1e-4)


def test_what_is_finished_is_not_done_again(cfg, audited):
    audit, out = audited
    scores = (out / 'fold_1' / 'scores.csv').read_text()
    (out / 'fold_1' / 'scores.csv').unlink()
    with mock.patch.object(stage, 'run_training', side_effect=AssertionError):
        again = audit_labels(cfg, out, folds=2, seed=3)
    assert again.doubts == audit.doubts
    assert (out / 'fold_1' / 'scores.csv').read_text() == scores
    assert read_record(out).complete


@pytest.mark.parametrize('listed', [True, False])
def test_folds_of_a_dataset_with_and_without_a_list(cfg, tmp_path, listed):
    cfg = Config(cfg.to_dict())
    ids = [info['img_id'] for info in DATASETS.build(cfg.map_dataset).load_data_list()][1:3]
    if not listed:
        cfg.train_dataloader.dataset.ann_file = ''

    def training(cfg, **_):
        write_record(cfg.work_dir, make_record('train', result={'checkpoint': 'a.pth'}))
        assert [
            item['data_samples'].img_id for item in DATASETS.build(cfg.train_dataloader.dataset)
        ] == ids

    with mock.patch.object(stage, 'run_training', side_effect=training):
        assert stage.train_fold(cfg, tmp_path, ids, 0, False) == tmp_path / 'a.pth'


def test_other_labels_or_settings_are_refused(cfg, audited, tmp_path):
    _, out = audited
    with pytest.raises(RecordError, match=r'settings\.seed does not fit'):
        audit_labels(cfg, out, folds=2, seed=4)
    other = Config(cfg.to_dict())
    other.train_dataloader.dataset.labels = dict(source='masks', path='SegmentationClass')
    with pytest.raises(RecordError, match='does not fit'):
        audit_labels(other, out, folds=2, seed=3)


def test_the_page_shows_the_images_with_the_maps(audited):
    audit, out = audited
    shown = [next(d for d in audit.doubts if d.kind == kind) for kind in ('missing', 'surplus')]
    maps = audit.maps(shown)
    assert [maps[doubt].keys.tolist() for doubt in shown] == [[d.class_id] for d in shown]
    text = write_audit_page(out / 'audit.html', audit, maps).read_text()
    for doubt in shown:
        name = audit.images.classes[doubt.class_id]
        assert f'{name} {doubt.kind}: probability {doubt.probability:.2f}' in text
        assert f'map: {name} of {doubt.image}' in text
    assert len(re.findall('class="card"', text)) == 2
    assert f'labels of {len(audit.models)} images' in text


def test_a_checkpoint_says_what_it_hides_and_a_damaged_image_is_named(cfg, audited, tmp_path):
    audit, _ = audited
    checkpoint = next(iter(audit.models.values()))
    cfg.dump(tmp_path / 'config.py')
    out = tmp_path / 'out'
    damaged = next(iter(audit.images.paths))
    folder = tmp_path / 'images'
    folder.mkdir()
    for name, path in audit.images.paths.items():
        content = b'no image' if name == damaged else Path(path).read_bytes()
        (folder / f'{name}.jpg').write_bytes(content)
    words = [tmp_path / 'config.py', checkpoint, '--out', out, '--images', 1, '--cfg-options']
    words.append(f'train_dataloader.dataset.data_prefix.img_path={folder}')
    done = run_here('dataset_converters/audit.py', *words)
    assert done.returncode == 1, done.stderr
    assert 'learnt by heart' in done.stdout
    assert f'failed: {damaged}' in done.stderr
    assert 'learnt by heart' in (out / 'audit.html').read_text()
    assert read_record(out).inputs['checkpoint'] == hash_file(checkpoint)
    assert read_record(out).failed == [damaged]
    with (out / 'contradictions.csv').open(newline='') as file:
        assert damaged not in {row['id'] for row in csv.DictReader(file)}


def test_what_cannot_be_audited_is_refused(cfg, demo_root, tmp_path):
    with pytest.raises(TypeError, match='config of a segmenter'):
        audit_labels(Config(segmenter_config(demo_root)), tmp_path)
    several = Config(cfg.to_dict())
    part = several.train_dataloader.dataset
    several.train_dataloader.dataset = dict(type='WSSSConcatDataset', datasets=[part, part])
    with pytest.raises(ValueError, match='one dataset'):
        audit_labels(several, tmp_path)
    bare = Config(cfg.to_dict())
    bare.train_dataloader.dataset.labels = None
    with pytest.raises(ValueError, match='no labels'):
        audit_labels(bare, tmp_path)
    with pytest.raises(ValueError, match=r'folds must lie in 2\.\.8'):
        audit_labels(cfg, tmp_path, folds=9)
    assert not list(tmp_path.iterdir())

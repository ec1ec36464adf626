import json
import re
import shutil
import zipfile

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS

from mmwsss.io import RecordError, load_class_maps, read_record
from mmwsss.stages.load import load_localizer
from mmwsss.stages.maps import compute_class_maps, make_maps
from mmwsss.utils.checkpoint import UntrustedCheckpointError
from mmwsss.utils.precision import set_precision
from tests.tiny_models import localizer_config


def contents(folder):
    """The bytes of every map file."""
    files = sorted(folder.glob('*.npz'))
    assert files
    return {f.name: f.read_bytes() for f in files}


def test_maps_of_all_images_with_a_manifest(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    out = tmp_path / 'maps'
    report = make_maps(cfg, checkpoint, out)
    assert (len(report.done), report.failed, report.exit_code) == (8, {}, 0)
    dataset = DATASETS.build(cfg.map_dataset)
    for item in dataset:
        sample = item['data_samples']
        maps = load_class_maps(out / f'{sample.img_id}.npz', num_classes=6)
        assert maps.keys.tolist() == (sample.gt_label.nonzero()[:, 0] + 1).tolist()
        assert maps.image_size == tuple(sample.ori_shape)
        assert maps.scores.shape[1:] == maps.image_size
    manifest = read_record(out)
    assert manifest.complete
    assert manifest.classes == list(dataset.metainfo['classes'])
    assert manifest.split == 'train'
    assert manifest.settings['model']['test_cfg']['scales'] == [1.0, 0.5]


def test_files_hold_what_the_model_says(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    make_maps(cfg, checkpoint, tmp_path / 'maps', ids=['train_0002'])
    model = load_localizer(cfg, checkpoint)
    expected = compute_class_maps(model, DATASETS.build(cfg.map_dataset)[2])
    got = load_class_maps(tmp_path / 'maps' / 'train_0002.npz')
    np.testing.assert_allclose(got.scores, expected.scores, atol=1e-3)  # float16 on disk


def test_an_interrupted_run_continues_to_the_same_files(tiny_cam, tmp_path, monkeypatch):
    cfg, checkpoint = tiny_cam
    make_maps(cfg, checkpoint, tmp_path / 'whole')
    calls = []

    def interrupted(model, item):
        calls.append(item['data_samples'].img_id)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return compute_class_maps(model, item)

    monkeypatch.setattr('mmwsss.stages.maps.compute_class_maps', interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_maps(cfg, checkpoint, tmp_path / 'cut')
    assert len(list((tmp_path / 'cut').glob('*.npz'))) == 3
    assert not read_record(tmp_path / 'cut').complete
    report = make_maps(cfg, checkpoint, tmp_path / 'cut')
    assert (len(report.skipped), len(report.done)) == (3, 5)
    assert contents(tmp_path / 'cut') == contents(tmp_path / 'whole')


def test_a_truncated_leftover_is_made_again(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    out = tmp_path / 'maps'
    make_maps(cfg, checkpoint, out)
    file = out / 'train_0001.npz'
    file.write_bytes(file.read_bytes()[:-30])
    assert make_maps(cfg, checkpoint, out).done == ['train_0001']
    assert zipfile.is_zipfile(file)


def test_bad_images_are_named_and_the_rest_is_done(demo_root, tiny_cam, tmp_path):
    root = tmp_path / 'data'
    shutil.copytree(demo_root, root)
    (root / 'JPEGImages' / 'train_0003.jpg').unlink()
    image = root / 'JPEGImages' / 'train_0005.jpg'
    image.write_bytes(image.read_bytes()[:400])
    cfg = Config(localizer_config(root))
    report = make_maps(cfg, tiny_cam[1], tmp_path / 'maps')
    assert report.exit_code == 1
    assert sorted(report.failed) == ['train_0003', 'train_0005']
    assert 'train_0003.jpg' in report.failed['train_0003']
    assert 'train_0005.jpg' in report.failed['train_0005']
    assert len(report.done) == 6
    assert read_record(tmp_path / 'maps').failed == ['train_0003', 'train_0005']


def test_a_folder_of_another_making_is_refused(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    out = tmp_path / 'maps'
    make_maps(cfg, checkpoint, out, ids=['train_0000'])
    cfg.model.test_cfg.flip = False
    with pytest.raises(RecordError, match=r'flip.*--overwrite'):
        make_maps(cfg, checkpoint, out)
    report = make_maps(cfg, checkpoint, out, ids=['train_0001'], overwrite=True)
    assert report.done == ['train_0001']
    assert [file.name for file in out.glob('*.npz')] == ['train_0001.npz']


def test_another_precision_is_another_making_and_noted(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    out = tmp_path / 'maps'
    make_maps(cfg, checkpoint, out, ids=['train_0000'])
    exact = load_class_maps(out / 'train_0000.npz').scores
    assert read_record(out).protocol.notes == []
    set_precision(cfg, 'bfloat16')
    with pytest.raises(RecordError, match=r'settings\.model\.test_cfg\.precision does not fit'):
        make_maps(cfg, checkpoint, out)
    make_maps(cfg, checkpoint, out, ids=['train_0000'], overwrite=True)
    assert read_record(out).protocol.text().endswith('backbone in bfloat16')
    lowered = load_class_maps(out / 'train_0000.npz').scores
    assert 0 < abs(lowered - exact).max() < 0.2


def test_another_switch_of_the_head_is_another_making(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    make_maps(cfg, checkpoint, tmp_path / 'maps', ids=['train_0000'])
    cfg.model.head.dropout = 0.3
    with pytest.raises(
        RecordError, match=r'settings\.model\.head\.dropout does not fit: found 0\.2, expected 0\.3'
    ):
        make_maps(cfg, checkpoint, tmp_path / 'maps')


def test_a_folder_may_grow_but_not_change_its_images(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    out = tmp_path / 'maps'
    make_maps(cfg, checkpoint, out, ids=['train_0000', 'train_0001'])
    message = '1 of 2 finished images are not asked for now: train_0001; ask for them, too'
    with pytest.raises(RecordError, match=message):
        make_maps(cfg, checkpoint, out, ids=['train_0000'])
    for others in (['train_0000', 'train_0002'], ['train_0000', 'train_0002', 'train_0003']):
        with pytest.raises(RecordError, match=message):
            make_maps(cfg, checkpoint, out, ids=others)
    assert len(make_maps(cfg, checkpoint, out).done) == 6


def test_corrected_labels_make_other_maps(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    out, labels = tmp_path / 'maps', tmp_path / 'labels.json'
    dataset = DATASETS.build(cfg.map_dataset)
    classes = dataset.metainfo['classes']
    infos = dataset.load_data_list()
    names = {info['img_id']: [classes[i] for i in info['img_label']] for info in infos}
    cfg.map_dataset.labels = dict(source='json', path=str(labels))
    labels.write_text(json.dumps(names))
    make_maps(cfg, checkpoint, out, ids=['train_0000', 'train_0001'])
    labels.write_text(json.dumps({**names, 'train_0002': []}))
    assert len(make_maps(cfg, checkpoint, out).skipped) == 2  # as they were
    labels.write_text(json.dumps({**names, 'train_0002': [], 'train_0001': []}))
    with pytest.raises(RecordError, match=r'what 1 of 8 finished .* has changed since: train_0001'):
        make_maps(cfg, checkpoint, out)


def test_files_of_unknown_origin_are_not_touched(tiny_cam, tmp_path):
    out = tmp_path / 'mine'
    out.mkdir()
    (out / 'train_0000.npz').write_bytes(b'precious')
    with pytest.raises(RecordError, match='1 files of unknown origin'):
        make_maps(*tiny_cam, out)
    with pytest.raises(RecordError, match='not touched'):
        make_maps(*tiny_cam, out, overwrite=True)
    assert (out / 'train_0000.npz').read_bytes() == b'precious'


def test_mistakes_are_named(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    with pytest.raises(ValueError, match=r"1 of 1 ids are not in map_dataset, first \['nope'\]"):
        make_maps(cfg, checkpoint, tmp_path / 'maps', ids=['nope'])
    with pytest.raises(FileNotFoundError, match=r'missing\.pth'):
        make_maps(cfg, tmp_path / 'missing.pth', tmp_path / 'maps')
    wrong = Config(cfg.to_dict())
    wrong.model.head.in_channels = 32
    with pytest.raises(
        ValueError, match=r"cam\.pth' does not fit ImageLevelClassifier: of .*'head\."
    ):
        make_maps(wrong, checkpoint, tmp_path / 'maps')
    wrong.pop('map_dataset')
    with pytest.raises(KeyError, match='map_dataset'):
        make_maps(wrong, checkpoint, tmp_path / 'maps')
    segmenter = Config(
        dict(
            model=dict(
                type='EncoderDecoder',
                backbone=cfg.model.backbone,
                decode_head=dict(type='FCNHead', in_channels=64, channels=8, num_classes=6),
            ),
            map_dataset=cfg.map_dataset,
        )
    )
    with pytest.raises(TypeError, match='builds a EncoderDecoder'):
        make_maps(segmenter, checkpoint, tmp_path / 'maps')


@pytest.mark.parametrize(
    ('step', 'wrong'),
    [
        (dict(type='RandomFlip', prob=1.0), 'flips images'),
        (dict(type='PaddedRandomCrop', crop_size=300), r'puts them at \(.*\) of 300 x 300'),
    ],
)
def test_a_pipeline_that_moves_the_image_makes_no_maps(tiny_cam, tmp_path, step, wrong):
    cfg, checkpoint = tiny_cam
    cfg = Config(cfg.to_dict())
    first, *others = cfg.map_dataset.pipeline
    cfg.map_dataset.pipeline = [first, step, *others]
    report = make_maps(cfg, checkpoint, tmp_path / 'maps')
    assert not report.done
    assert all(
        re.search(f'may only resize, but this one {wrong}', r) for r in report.failed.values()
    )
    assert report.failed


class Payload:
    def __reduce__(self):
        return (print, ('executed',))


def test_an_untrusted_checkpoint_is_refused(tiny_cam, tmp_path, capsys):
    cfg, _ = tiny_cam
    torch.save({'state_dict': Payload()}, tmp_path / 'bad.pth')
    with pytest.raises(UntrustedCheckpointError, match=r'bad\.pth'):
        make_maps(cfg, tmp_path / 'bad.pth', tmp_path / 'maps')
    assert 'executed' not in capsys.readouterr().out

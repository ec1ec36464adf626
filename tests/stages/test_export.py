from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from mmwsss.apis import load_model
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.stages.export import ExportedModel, compare_onnx, export_onnx
from mmwsss.stages.inference import Predictor, class_maps
from tests.conftest import random_model
from tests.tiny_models import localizer_config, segmenter_config, tiny_resnet
from tests.tools.run import run_here

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
SIZES = [(48, 64), (61, 37), (250, 340)]  # the last one exceeds what is traced


@pytest.fixture
def photos(demo_root):
    image = load_rgb(demo_root / 'JPEGImages' / 'val_0000.jpg')
    wide = np.tile(image, (7, 7, 1))
    return [np.ascontiguousarray(wide[:height, :width]) for height, width in SIZES]


SHALLOW = tiny_resnet(num_stages=1, strides=(2,), dilations=(1,), out_indices=(0,))  # exports fast


def shallow_segmenter(demo_root, folder):
    cfg = segmenter_config(demo_root)
    cfg['model']['backbone'] = SHALLOW
    cfg['model']['decode_head'].update(in_channels=8, in_index=0)
    return random_model(cfg, folder / 'c.pth', std=1.0)


def test_the_command_compares_an_image(demo_root, tmp_path):
    cfg, checkpoint = shallow_segmenter(demo_root, tmp_path)
    cfg.dump(tmp_path / 'config.py')
    photo, out = demo_root / 'JPEGImages' / 'val_0000.jpg', tmp_path / 'model.onnx'
    words = ['export_onnx.py', tmp_path / 'config.py', checkpoint, '--out', out, '--check', photo]
    done = run_here(*words)
    assert done.returncode == 0, done.stderr
    assert f'{out}: image -> logits' in done.stdout
    (line,) = (text for text in done.stdout.splitlines() if text.startswith('val_0000 ('))
    assert float(re.search(r'largest difference (\S+),', line)[1]) < 1e-4
    assert out.is_file()


def test_a_size_is_of_all_images(demo_root, tmp_path):
    cfg, checkpoint = shallow_segmenter(demo_root, tmp_path)
    cfg.model.test_cfg = dict(mode='whole', precision='bfloat16')  # a file has float32
    cfg.dump(tmp_path / 'config.py')
    photo = Image.open(demo_root / 'JPEGImages' / 'val_0000.jpg')
    for name, size in (('fits', (64, 48)), ('other', (65, 48)), ('again', (64, 48))):
        photo.resize(size).save(tmp_path / f'{name}.png')
    photos = [tmp_path / f'{name}.png' for name in ('fits', 'other', 'again')]
    out = tmp_path / 'model.onnx'
    words = ['export_onnx.py', tmp_path / 'config.py', checkpoint, '--out', out, '--check', *photos]
    done = run_here(*words, '--size', 48, 64)
    assert done.returncode == 1, done.stderr
    assert [line.split(':')[0] for line in done.stdout.splitlines()[1:3]] == [
        'fits (48 x 64)',
        'again (48 x 64)',
    ]
    assert 'other: ValueError: an image of 48 x 65 cannot be compared: ' in done.stderr
    assert '2 done, 0 skipped (finished before), 1 failed' in done.stderr


def test_a_segmenter_of_any_size(demo_root, photos, tmp_path):
    model = load_model(*shallow_segmenter(demo_root, tmp_path), 'cpu')
    exported = export_onnx(model, tmp_path / 'model.onnx')
    for photo, size in zip(photos, SIZES):
        parity = compare_onnx(tmp_path / 'model.onnx', exported, photo)
        assert parity.size == size
        assert parity.difference < 1e-4
        assert parity.changed < 1e-3
    content = onnx.load(tmp_path / 'model.onnx')
    (classes,) = (prop.value for prop in content.metadata_props if prop.key == 'classes')
    assert json.loads(classes) == list(model.dataset_meta['classes'])
    for photo in photos:  # the exported computation is the prediction
        with torch.no_grad():
            logits = exported(torch.from_numpy(photo).permute(2, 0, 1)[None].float())
        expected = Predictor(model)('', photo).mask
        np.testing.assert_array_equal(logits[0].argmax(0), expected)


def test_a_localizer_of_any_size(demo_root, photos, tmp_path):
    head = dict(
        type='SIPEHead',
        num_classes=5,
        in_channels=8,
        side_in_channels=[8],
        side_channels=[4],
        side_indices=[0],
        size_index=0,
    )
    cfg = localizer_config(demo_root, head)
    cfg['model']['backbone'] = SHALLOW
    cfg['model']['test_cfg']['scales'] = (1.0,)
    model = load_model(*random_model(cfg, tmp_path / 'c.pth'), 'cpu')
    exported = export_onnx(model, tmp_path / 'model.onnx')
    for photo in photos:
        parity = compare_onnx(tmp_path / 'model.onnx', exported, photo)
        assert parity.difference < 1e-4
        assert parity.changed < 1e-3
    labels = torch.tensor([[0.0, 1, 0, 1, 0]])
    names = [model.dataset_meta['classes'][i] for i in (2, 4)]
    for photo in photos:
        with torch.no_grad():
            maps, scores = exported(torch.from_numpy(photo).permute(2, 0, 1)[None].float(), labels)
        expected = class_maps(model, photo, names)
        assert expected.keys.tolist() == [0, 2, 4]
        np.testing.assert_allclose(maps[[0, 2, 4]], expected.scores, atol=1e-5)
        assert not maps[[1, 3, 5]].any()
        assert scores.shape == (5,)


def test_a_head_that_takes_the_labels_gets_them(demo_root, photos, tmp_path):
    cfg = localizer_config(demo_root, dict(type='AMNHead', num_classes=5, in_channels=8))
    cfg['model']['backbone'] = SHALLOW
    cfg['model']['test_cfg']['scales'] = (1.0,)
    model = load_model(*random_model(cfg, tmp_path / 'c.pth'), 'cpu')
    labels = torch.tensor([[0.0, 1, 0, 1, 0]])
    photo = torch.from_numpy(photos[0]).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        maps, scores = ExportedModel(model).eval()(photo, labels)
        every, same = ExportedModel(model).eval()(photo, torch.ones(1, 5))
    expected = class_maps(model, photos[0], [model.dataset_meta['classes'][i] for i in (2, 4)])
    np.testing.assert_allclose(maps[expected.keys - 1], expected.scores, atol=1e-5)
    assert (maps - every)[expected.keys - 1].abs().max() > 0.01
    torch.testing.assert_close(scores, same)  # probabilities must not know the answer


def test_what_cannot_be_exported_is_said(tiny_segmenter, tmp_path, monkeypatch):
    model = load_model(*tiny_segmenter, 'cpu')
    model.test_cfg = dict(mode='slide')
    with pytest.raises(ValueError, match=r"test_cfg.mode='whole' .* but got 'slide'"):
        ExportedModel(model)
    model.test_cfg = dict(mode='whole')
    with pytest.raises(ValueError, match=r'size must lie in \[1, inf\), but got 0'):
        export_onnx(model, tmp_path / 'model.onnx', (48, 0))
    with pytest.raises(IsADirectoryError, match='the ONNX file to write is a folder'):
        export_onnx(model, tmp_path)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'onnx and onnxscript must be .*mmwsss\[onnx\]'):
        export_onnx(model, tmp_path / 'model.onnx')
